"""Which frames flow solves, which another camera sees, and what is said of the rest."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from facecap_addon.refine.flow.gaps import find_seen_aside, name_rows, note_frames, plan_gaps, start_between
from facecap_addon.refine.shots import Shot
from tests.unit.deep_scene import frames, view


def rows(text: str) -> np.ndarray:
    """(F,) bool: where a picture of rows has an x."""
    return np.array([letter == "x" for letter in text])


def test_ends_long_gaps_and_rows_that_may_not_change_are_left_for_a_reason() -> None:
    present, inside = rows(".xx.x....xx.x."), rows("xxxxxxxxxxx.xx")
    time_s = np.arange(14) / 10
    gaps = plan_gaps(~present, present, inside, time_s, 0.3)
    assert gaps.filled == [(3, 3)]
    assert {why: name_rows(left) for why, left in gaps.left.items()} == {
        "at an end of the take, where no frame on the other side is solved": "0, 13",
        "in gaps longer than 0.3 s": "5-8",
        "in gaps that reach beyond the frames to refine": "11",
    }
    only = plan_gaps(rows(".....x........"), present, inside, time_s, 1.0)
    assert only.filled == [(5, 8)] and not only.left  # what is named is solved with the gap that it lies in


def test_what_is_said_names_every_frame_once() -> None:
    bad, infilled = rows("xx.x"), rows("...x")
    notes = note_frames(bad, infilled, rows("...."), {"at an end": rows("xx..")})
    assert notes[0] == "3 frames could not be refined (0-1, 3): 0-1 keep the solve they started from."
    assert notes[2] == "Optical flow could not solve 0-1: they lie at an end, and stay as they were."
    assert note_frames(rows("...."), rows("...."), rows("...."), {}) == []


def test_a_further_camera_counts_where_the_first_one_lost_the_face_between_solved_frames() -> None:
    def shot(shown: np.ndarray) -> Shot:
        landmarks = np.where(shown[:, None, None], 1.0, np.nan).astype(np.float32)
        return Shot(view(), landmarks, lambda _: np.zeros((1, 1, 3), np.uint8), lambda _: None)  # type: ignore[arg-type,return-value]

    solved = rows(".xx..x.")
    cameras = [shot(rows(".xx..x.")), shot(rows("xx.xxxx"))]
    assert name_rows(find_seen_aside(cameras, solved)) == "3-4"
    assert not find_seen_aside(cameras[:1], solved).any()


def test_a_row_without_a_result_begins_between_its_neighbours() -> None:
    state = frames(5)
    broken = state.part(slice(None))
    broken.weights[2], broken.translation[2] = 9.0, 9.0
    found = start_between(broken, rows("xx.xx"), np.arange(5) / 25)
    np.testing.assert_allclose(found.weights[2], (state.weights[1] + state.weights[3]) / 2)
    np.testing.assert_array_equal(found.translation[3], state.translation[3])
