"""Lips and lids that the solve has closed stay closed under edits, with the character's gaps and without."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.takes.edits.contacts import LEFT_LIDS, LIPS, RIGHT_LIDS, Gaps
from facecap_addon.takes.edits.evaluate import evaluate
from facecap_addon.takes.edits.kinds import Gain, LidContact, LipSeal, Mirror, Offset
from tests.unit.takes.edited import make_take, of

KEYS = ("jawOpen", "mouthClose", "mouthUpperUpLeft", "eyeBlinkRight", "eyeBlinkLeft")
GAPS = Gaps(
    KEYS,
    np.array([0.0, 0.0, 8.0, 8.0]),
    np.array([[20.0, -20.0, 4.0, 0, 0], [22.0, -22.0, 2.0, 0, 0], [0, 0, 0, -8.0, 0], [0, 0, 0, 0, -8.0]]),
    np.array([LIPS, LIPS, RIGHT_LIDS, LEFT_LIDS]),
    np.eye(len(KEYS)),
)
CLOSED = np.arange(50) % 20 < 5
QUIET = dict.fromkeys(("mouthUpperUpLeft", "mouthUpperUpRight"), 0.0)


def speaking() -> dict[str, np.ndarray]:
    """A jaw that is half open all the time, lips closed over it in a quarter of the frames."""
    return {"jawOpen": np.full(50, 0.4), "mouthClose": np.where(CLOSED, 0.4, 0.0)}


def open_mm(take: object) -> np.ndarray:
    weights = np.stack([of(take, key) for key in KEYS], 1)
    return GAPS.rest_mm + weights @ GAPS.slope_mm.T


def test_lips_that_an_offset_opens_are_closed_again_by_the_gaps() -> None:
    take = make_take(**speaking(), **QUIET)
    wider = Offset(channels=("jawOpen",), amount=0.2)
    opened, sealed = evaluate(take, [wider]), evaluate(take, [wider, LipSeal()], gaps=GAPS)
    assert open_mm(opened)[CLOSED, :2].min() > 3.9
    assert np.abs(open_mm(sealed)[CLOSED, :2]).max() < 0.1
    far = np.array([not CLOSED[max(0, f - 3) : f + 4].any() for f in range(50)])
    np.testing.assert_array_equal(sealed.weights[far], opened.weights[far])
    half = evaluate(take, [wider, LipSeal(strength=0.5)], gaps=GAPS)
    np.testing.assert_allclose(open_mm(half)[CLOSED, 0], open_mm(opened)[CLOSED, 0] / 2, atol=0.1)


def test_lips_that_pass_through_each_other_are_parted() -> None:
    take = make_take(**speaking(), **QUIET)
    over = Offset(channels=("mouthClose",), amount=0.15)
    assert open_mm(evaluate(take, [over]))[CLOSED, 0].max() < -2.9
    parted = evaluate(take, [over, LipSeal()], gaps=GAPS)
    np.testing.assert_allclose(open_mm(parted)[CLOSED, :2], -0.3, atol=0.02)  # as good as touching
    left = evaluate(take, [over, LipSeal(part=False)], gaps=GAPS)
    np.testing.assert_array_equal(left.weights, evaluate(take, [over]).weights)


def test_lids_that_a_gain_opens_are_closed_again_one_eye_at_a_time() -> None:
    shut = np.where(CLOSED, 1.0, 0.1)
    take = make_take(eyeBlinkLeft=shut, eyeBlinkRight=0.1, eyeWideLeft=0.0)
    weaker = Gain(region="eyes", factor=0.7)
    for gaps in (GAPS, None):
        after = evaluate(take, [weaker, LidContact()], gaps=gaps)
        np.testing.assert_allclose(of(after, "eyeBlinkLeft")[CLOSED], 1.0, atol=0.01)
        np.testing.assert_allclose(of(after, "eyeBlinkRight"), 0.07, atol=1e-6)
        assert of(after, "eyeBlinkLeft")[10] == pytest.approx(0.07)


def test_without_gaps_mouth_close_follows_the_jaw() -> None:
    take = make_take(**speaking(), **QUIET)
    opened = [Offset(channels=("jawOpen",), amount=0.2), Offset(channels=("mouthUpperUpLeft",), amount=0.3)]
    after = evaluate(take, [*opened, LipSeal()])
    np.testing.assert_allclose(of(after, "jawOpen")[CLOSED], of(after, "mouthClose")[CLOSED], atol=1e-6)
    np.testing.assert_allclose(of(after, "mouthClose")[CLOSED], 0.6, atol=1e-6)
    assert of(after, "mouthUpperUpLeft")[CLOSED].max() == 0 and of(after, "mouthUpperUpLeft")[10] == pytest.approx(0.3)


def test_the_jaw_gives_way_where_lips_cannot_close_further() -> None:
    jaw = np.where(CLOSED, 0.9, 0.9)
    take = make_take(jawOpen=jaw, mouthClose=np.where(CLOSED, 0.9, 0.0), **QUIET)
    limits = np.tile(np.float32([0, 2]), (len(take.channels), 1))
    limits[take.channels.index("mouthClose"), 1] = 1.0
    after = evaluate(take, [Offset(channels=("jawOpen",), amount=0.3), LipSeal()], limits=limits)
    np.testing.assert_allclose(of(after, "mouthClose")[CLOSED], 1.0, atol=1e-6)
    np.testing.assert_allclose(of(after, "jawOpen")[CLOSED], 1.0, atol=1e-6)


def test_what_was_closed_on_one_side_is_closed_on_the_other_in_a_mirror() -> None:
    shut = np.where(CLOSED, 1.0, 0.1)
    take = make_take(eyeBlinkLeft=shut, eyeBlinkRight=0.1, eyeWideRight=0.0)
    after = evaluate(take, [Mirror(), Gain(region="eyes", factor=0.8), LidContact()])
    np.testing.assert_allclose(of(after, "eyeBlinkRight")[CLOSED], 1.0, atol=1e-6)
    np.testing.assert_allclose(of(after, "eyeBlinkLeft"), 0.08, atol=1e-6)


def test_contacts_within_a_range_leave_other_times_alone() -> None:
    take = make_take(**speaking(), **QUIET)
    wider = Offset(channels=("jawOpen",), amount=0.2)
    after = evaluate(take, [wider, LipSeal(start_s=0.0, end_s=0.2)], gaps=GAPS)
    assert np.abs(open_mm(after)[:5, :2]).max() < 0.1
    np.testing.assert_array_equal(after.weights[6:], evaluate(take, [wider]).weights[6:])


def test_halves_of_a_channel_have_gaps_of_their_own() -> None:
    slope = np.array([[1.0, 2.0, 3.0]])
    keys = ("mouthFunnel_L", "mouthFunnel_R", "jawOpen")
    gaps = Gaps(keys, np.zeros(1), slope, np.array([LIPS]), np.diag([1.0, 4.0, 9.0]))
    turned = gaps.of_channels(("mouthFunnelRight", "jaw_open", "mouthFunnelLeft"))
    np.testing.assert_array_equal(turned.slope_mm, [[2.0, 3.0, 1.0]])
    np.testing.assert_array_equal(turned.cost_mm2, np.diag([4.0, 9.0, 1.0]))


def test_a_whole_channel_moves_both_halves_that_a_character_has_of_it() -> None:
    keys = ("jawOpen", "cheekPuff_L", "cheekPuff_R")
    slope = np.array([[20.0, 3.0, 5.0], [20.0, 0.0, 7.0]])
    gaps = Gaps(keys, np.zeros(2), slope, np.array([LIPS, LIPS]), np.diag([1.0, 4.0, 9.0]))
    whole = gaps.of_channels(("cheekPuff", "noseSneerLeft", "jawOpen"))
    np.testing.assert_allclose(whole.slope_mm, [[8.0, 0.0, 20.0], [7.0, 0.0, 20.0]])
    np.testing.assert_allclose(whole.cost_mm2, np.diag([13.0, 1.0, 1.0]))
