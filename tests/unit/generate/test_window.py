"""What a generator may learn from: it begins in neutral and fits the window, or it is cut with a word, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.generate.authored.synthesis import synthesise
from facecap_addon.generate.learned.window import cut_to_window
from facecap_addon.generate.sequence import FRAMES
from tests.unit.generate.actors import actor


def test_what_fits_stays_as_it_is() -> None:
    made = synthesise(actor(), "surprise", 0)
    kept, notes = cut_to_window(made, "a.take.npz")
    assert not notes
    np.testing.assert_array_equal(kept.displacements, made.displacements)


def test_what_begins_elsewhere_is_cut_to_its_first_neutral() -> None:
    made = synthesise(actor(), "happiness", 1)
    apex = made.displacements[60:61]
    late = np.concatenate([np.repeat(apex, 40, axis=0), made.displacements[:95]])
    kept, notes = cut_to_window(replace(made, displacements=late), "a.take.npz")
    assert len(notes) == 1 and "a.take.npz does not begin in neutral: its first 1.6 s are left out" in notes[0]
    np.testing.assert_array_equal(kept.displacements, made.displacements[:95])


def test_a_head_that_is_turned_is_neutral_all_the_same() -> None:
    made = synthesise(actor(), "anger", 2)
    kept, notes = cut_to_window(replace(made, displacements=made.displacements + np.float32(0.02)), "a")
    assert not notes and kept.frame_count == FRAMES


def test_what_is_longer_than_the_window_is_cut_at_its_end() -> None:
    made = synthesise(actor(), "sadness", 3)
    twice = replace(made, displacements=np.concatenate([made.displacements, made.displacements]))
    kept, notes = cut_to_window(twice, "b.take.npz")
    assert kept.frame_count == FRAMES and "longer than 5.4 s" in notes[0] and "ends in neutral" in notes[0]
    slow = replace(made, displacements=np.repeat(made.displacements, 4, axis=0))
    assert "mm from neutral" in cut_to_window(slow, "b.take.npz")[1][0]


def test_what_is_never_neutral_or_shows_nothing_is_refused() -> None:
    made = synthesise(actor(), "fear", 4)
    with pytest.raises(FacecapError, match="c is never neutral"):
        cut_to_window(replace(made, displacements=np.repeat(made.displacements[50:51], 90, axis=0)), "c")
    back = replace(made, displacements=np.concatenate([made.displacements[50:], 0 * made.displacements[:40]]))
    with pytest.raises(FacecapError, match="shows nothing"):
        cut_to_window(back, "c")
