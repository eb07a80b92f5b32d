"""Edits on the sample head: what they open is closed by its own mesh, by no more change of keys than that takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.fit.contact_pass import find_gaps
from facecap_addon.takes.edits.contacts import LEFT_LIDS, LIPS, RIGHT_LIDS, Gaps
from facecap_addon.takes.edits.evaluate import evaluate
from facecap_addon.takes.edits.kinds import Edit, Gain, LidContact, LipSeal, Offset
from facecap_addon.takes.take import Take
from tests.unit.sample import sample
from tests.unit.takes.edited import make_take, of

SEALS = (LipSeal(), LidContact())


def speaking() -> tuple[Take, Gaps]:
    """Two blinks, a mouth that opens and closes twice, lips closed over an open jaw at the end; all else at rest."""
    found = find_gaps(sample().rig, sample().embedding)
    frames = np.arange(80)
    blinks = np.clip(1.4 - np.abs((frames - 20) % 40 - 10) / 2.5, 0, 1)
    opening = np.where(frames < 60, 0.4 * np.clip(np.sin(frames / 30 * 2 * np.pi), 0, 1), 0.2)
    curves = {"eyeBlinkLeft": blinks, "eyeBlinkRight": blinks, "jawOpen": opening}
    curves["mouthClose"] = np.where(frames < 60, 0.0, 0.2)
    take = make_take(80, **curves)
    rest = [k for k, channel in enumerate(take.channels) if channel not in curves]
    weights = take.weights.copy()
    weights[:, rest] = 0
    return replace(take, weights=weights), found.of_channels(take.channels)


def open_mm(take: Take, gaps: Gaps, group: int) -> np.ndarray:
    return (gaps.rest_mm + take.weights @ gaps.slope_mm.T)[:, gaps.group == group]


@pytest.mark.parametrize("edit", [Gain(region="eyes", factor=0.8), Offset(channels=("jawOpen",), amount=0.08)])
def test_what_an_edit_opens_is_closed_as_in_the_solve(edit: Edit) -> None:
    take, gaps = speaking()
    opened, sealed = evaluate(take, [edit]), evaluate(take, [edit, *SEALS], gaps=gaps)
    for group in (LIPS, RIGHT_LIDS, LEFT_LIDS):
        closed = np.maximum(open_mm(take, gaps, group), 0).mean(1) <= 0.8
        assert closed.any()
        before, after = (np.maximum(open_mm(one, gaps, group)[closed], 0).mean() for one in (take, sealed))
        assert after < before + 0.05
    assert np.abs(sealed.weights - opened.weights).max() < 0.21
    touched = {channel for channel in take.channels if (of(sealed, channel) != of(opened, channel)).any()}
    part = ("eye",) if isinstance(edit, Gain) else ("mouth", "jaw")
    assert touched and all(channel.startswith(part) for channel in touched)


def test_nothing_moves_where_nothing_was_opened() -> None:
    take, gaps = speaking()
    np.testing.assert_allclose(evaluate(take, SEALS, gaps=gaps).weights, take.weights, atol=1e-6)


def test_lips_go_no_further_through_each_other_than_in_the_solve() -> None:
    take, gaps = speaking()
    edit = Gain(channels=("jawOpen",), factor=0.4)
    through, parted = evaluate(take, [edit]), evaluate(take, [edit, *SEALS], gaps=gaps)
    least = open_mm(take, gaps, LIPS).min()
    assert open_mm(through, gaps, LIPS).min() < least - 1.0
    assert open_mm(parted, gaps, LIPS).min() > least - 0.4
