"""Edits: each does what its formula says, where and when it is asked to, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.rig.channels import ARKIT_CHANNELS, mirror_name
from facecap_addon.takes.corrections import Correction, add_corrections, corrections_of
from facecap_addon.takes.edits.evaluate import Evaluator, evaluate
from facecap_addon.takes.edits.kinds import (
    KINDS,
    Balance,
    Blink,
    Calibration,
    Clamp,
    Edit,
    Filter,
    Gain,
    Hold,
    Mirror,
    Offset,
    Remap,
    Retime,
)
from facecap_addon.takes.filters.apply import apply_filter
from facecap_addon.takes.filters.options import FilterChoice
from facecap_addon.takes.merge import RANGE, REFERENCE, SPANS, reference_pose, solved_range, solved_spans
from facecap_addon.takes.take import Take
from tests.unit.takes.edited import RATE, make_take, of


def changed(before: Take, after: Take) -> set[str]:
    return {c for k, c in enumerate(before.channels) if (before.weights[:, k] != after.weights[:, k]).any()}


def starting(*prefixes: str) -> set[str]:
    return {channel for channel in ARKIT_CHANNELS if channel.startswith(prefixes)}


def test_an_empty_stack_gives_the_take_itself() -> None:
    take = make_take()
    assert evaluate(take, ()) is take
    assert evaluate(take, [Gain(factor=2, on=False)]) is take


def test_a_gain_of_the_mouth_scales_the_mouth_alone() -> None:
    take = make_take()
    after = evaluate(take, [Gain(region="mouth", factor=1.5)])
    assert changed(take, after) == starting("mouth")
    np.testing.assert_allclose(of(after, "mouthSmileLeft"), 1.5 * of(take, "mouthSmileLeft"), rtol=1e-6)
    assert (after.gaze_rad == take.gaze_rad).all() and (after.jaw == take.jaw).all()


def test_a_gain_of_all_leaves_gaze_and_blinks_alone_until_they_are_named() -> None:
    take = make_take()
    after = evaluate(take, [Gain(factor=1.6)])
    assert changed(take, after) == set(ARKIT_CHANNELS) - starting("eyeLook", "eyeBlink")
    assert (after.gaze_rad == take.gaze_rad).all()
    assert changed(take, evaluate(take, [Gain(region="gaze", factor=0.5)])) == starting("eyeLook")
    gaze = evaluate(take, [Gain(region="gaze", factor=0.5)]).gaze_rad
    np.testing.assert_allclose(gaze, 0.5 * take.gaze_rad, rtol=1e-6)
    assert changed(take, evaluate(take, [Gain(channels=("eyeBlinkLeft",), factor=0.5)])) == {"eyeBlinkLeft"}


def test_a_side_and_channels_narrow_what_is_edited() -> None:
    take = make_take()
    after = evaluate(take, [Gain(region="brows", side="left", factor=0.5)])
    assert changed(take, after) == {"browDownLeft", "browOuterUpLeft"}
    after = evaluate(take, [Offset(channels=("jaw_open", "noSuchKey"), amount=0.1)])
    assert changed(take, after) == {"jawOpen"}
    np.testing.assert_allclose(of(after, "jawOpen"), of(take, "jawOpen") + 0.1, rtol=1e-6)


def test_a_range_blends_at_its_ends() -> None:
    take = make_take(jawOpen=0.25)
    edit = Offset(region="jaw", amount=0.4, start_s=0.4, end_s=1.2, blend_in_s=0.16, blend_out_s=0.32)
    moved = of(evaluate(take, [edit]), "jawOpen") - 0.25
    time_s = take.time_s

    def smooth(share: np.ndarray) -> np.ndarray:
        share = np.clip(share, 0, 1)
        return share**2 * (3 - 2 * share)

    inside = (time_s >= 0.4 - 1e-9) & (time_s <= 1.2 + 1e-9)
    expected = 0.4 * inside * smooth((time_s - 0.4) / 0.16) * smooth((1.2 - time_s) / 0.32)
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    assert moved[~inside].max() == 0 and moved.max() == pytest.approx(0.4)
    with pytest.raises(FacecapError, match="ends before it begins"):
        evaluate(take, [replace(edit, end_s=0.1)])


def test_weights_stay_inside_the_keys_limits_and_gains_that_undo_each_other_do_so() -> None:
    take = make_take()
    assert evaluate(take, [Gain(factor=9)]).weights.max() == 1.0
    assert evaluate(take, [Offset(amount=-1)]).weights.min() == 0.0
    both = evaluate(take, [Gain(factor=8), Gain(factor=0.125)])
    np.testing.assert_allclose(both.weights, take.weights, atol=1e-6)
    limits = np.tile(np.float32([-1, 2]), (len(take.channels), 1))
    wide = evaluate(take, [Gain(factor=9)], limits=limits)
    assert wide.weights.max() == 2.0
    assert of(evaluate(take, [Offset(amount=-0.9)], limits=limits), "jawOpen").min() < -0.4


def test_a_solve_beyond_the_limits_is_left_to_it() -> None:
    take = make_take(jawOpen=1.3, mouthSmileLeft=-0.2)
    after = evaluate(take, [Gain(region="nose", factor=1.1)])
    assert of(after, "jawOpen").max() == np.float32(1.3) and of(after, "mouthSmileLeft").min() == np.float32(-0.2)


def test_missing_frames_stay_missing_and_the_input_is_untouched() -> None:
    take = make_take(missing=(3, 20, 21))
    kept = {name: getattr(take, name).copy() for name in ("weights", "gaze_rad", "jaw", "head_rotation_wxyz", "time_s")}
    stack = [kind() for kind in KINDS] + [Offset(amount=0.3), Hold(at_s=0.8), Filter()]
    after = evaluate(take, stack)
    assert (after.weights[[3, 20, 21]] == 0).all() and (after.status == take.status).all()
    assert np.isfinite(after.weights).all()
    for name, values in kept.items():
        np.testing.assert_array_equal(getattr(take, name), values)


def test_channels_that_were_not_observed_stay_as_they_are() -> None:
    take = replace(make_take(tongueOut=0.0), not_observed=("tongueOut",))
    assert "tongueOut" not in changed(take, evaluate(take, [Offset(amount=0.3)]))


@pytest.mark.parametrize("keep_full", [True, False])
def test_calibration_takes_the_neutral_frame_away(keep_full: bool) -> None:
    take = make_take(frames=3, jawOpen=[0.2, 0.6, 1.0])
    after = of(evaluate(take, [Calibration(neutral_s=0.0, keep_full=keep_full)]), "jawOpen")
    expected = [0.0, 0.5, 1.0] if keep_full else [0.0, 0.4, 0.8]
    np.testing.assert_allclose(after, expected, atol=1e-6)
    given = Calibration(levels=(("jawOpen", 0.1), ("noSuch", 0.3)), keep_full=False, strength=0.5)
    after = evaluate(take, [given])
    np.testing.assert_allclose(of(after, "jawOpen"), [0.15, 0.55, 0.95], atol=1e-6)
    assert changed(take, after) == {"jawOpen"}


def test_clamp_and_remap_are_functions_of_the_weight() -> None:
    take = make_take(jawOpen=np.linspace(0, 1, 50))
    after = of(evaluate(take, [Clamp(region="jaw", low=0.2, high=0.7)]), "jawOpen")
    np.testing.assert_allclose(after, np.clip(np.linspace(0, 1, 50), 0.2, 0.7), atol=1e-6)
    points = ((0.0, 0.1), (0.5, 0.3), (1.0, 1.0))
    after = of(evaluate(take, [Remap(region="jaw", points=points)]), "jawOpen")
    np.testing.assert_allclose(after, np.interp(np.linspace(0, 1, 50), *zip(*points, strict=True)), atol=1e-6)
    smooth = of(evaluate(take, [Remap(region="jaw", points=points, smooth=True)]), "jawOpen")
    assert (np.diff(smooth) > 0).all() and smooth[[0, -1]] == pytest.approx([0.1, 1.0])
    for bad in ((), ((0.5, 0), (0.5, 1))):
        with pytest.raises(FacecapError, match="not in order"):
            evaluate(take, [Remap(points=bad)])
    with pytest.raises(FacecapError, match="clamp"):
        evaluate(take, [Clamp(low=1, high=0)])


def test_a_mirror_exchanges_sides_and_twice_is_nothing() -> None:
    take = make_take()
    swap = Mirror(head=True)
    after = evaluate(take, [swap])
    for channel in ARKIT_CHANNELS:
        np.testing.assert_array_equal(of(after, channel), of(take, mirror_name(channel)))
    np.testing.assert_array_equal(after.gaze_rad[:, 0, 0], -take.gaze_rad[:, 1, 0])
    np.testing.assert_array_equal(after.gaze_rad[:, 0, 1], take.gaze_rad[:, 1, 1])
    flip = np.diag([-1.0, 1.0, 1.0])
    for wxyz, mirrored in zip(take.head_rotation_wxyz, after.head_rotation_wxyz, strict=True):
        before = Rotation.from_quat(np.roll(wxyz, -1)).as_matrix()
        now = Rotation.from_quat(np.roll(mirrored, -1)).as_matrix()
        np.testing.assert_allclose(now, flip @ before @ flip, atol=1e-6)
    np.testing.assert_allclose(after.head_translation_m, take.head_translation_m @ flip, atol=1e-7)
    jaw, now = (Rotation.from_rotvec(one.jaw[:, :3]).as_matrix() for one in (take, after))
    np.testing.assert_allclose(now, flip @ jaw @ flip, atol=1e-6)
    np.testing.assert_array_equal(evaluate(take, [swap, swap]).weights, take.weights)


def test_the_pose_at_which_a_merged_take_rests_is_mirrored_with_its_head() -> None:
    take = make_take()
    pose = reference_pose(take)
    merged = replace(take, provenance={**take.provenance, REFERENCE: pose.tolist()})
    np.testing.assert_array_equal(reference_pose(evaluate(merged, [Mirror()])), pose)
    mirrored = reference_pose(evaluate(merged, [Mirror(head=True)]))
    np.testing.assert_allclose(mirrored, reference_pose(evaluate(take, [Mirror(head=True)])), atol=1e-6)
    np.testing.assert_allclose(mirrored, pose * [1, 1, -1, -1, -1, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(reference_pose(evaluate(merged, [Mirror(head=True)] * 2)), pose)
    assert merged.provenance[REFERENCE] == pose.tolist()


def test_one_side_is_copied_to_the_other() -> None:
    take = make_take()
    after = evaluate(take, [Mirror(mode="left to right")])
    np.testing.assert_array_equal(of(after, "mouthSmileRight"), of(take, "mouthSmileLeft"))
    left_as_they_were = {c for c in ARKIT_CHANNELS if not c.endswith("Right")} | starting("eyeLook", "jaw")
    assert not changed(take, after) & (left_as_they_were | {"mouthRight"})


def test_keys_with_names_of_their_own_have_sides_too() -> None:
    names = ("smile_L", "smile_R", "puffLeft", "puffRight", "ball", "browInnerUp_L", "browInnerUp_R")
    take = make_take(frames=4)
    take = replace(take, channels=names, weights=take.weights[:, : len(names)])
    after = evaluate(take, [Mirror()])
    np.testing.assert_array_equal(after.weights, take.weights[:, [1, 0, 3, 2, 4, 6, 5]])


def test_halves_of_a_channel_are_edited_each_for_itself() -> None:
    halves = ("mouthFunnel_L", "mouthFunnel_R", "browInnerUp_L", "browInnerUp_R", "jawOpen")
    take = make_take(frames=4)
    take = replace(take, channels=halves, weights=take.weights[:, : len(halves)])
    assert changed(take, evaluate(take, [Gain(channels=("mouthFunnel_L",), factor=0.5)])) == {"mouthFunnel_L"}
    assert changed(take, evaluate(take, [Gain(channels=("Mouth_Funnel_Right",), factor=0.5)])) == {"mouthFunnel_R"}
    assert changed(take, evaluate(take, [Gain(channels=("mouthFunnel",), factor=0.5)])) == set(halves[:2])
    levels = (("browInnerUp_L", 0.03), ("browInnerUp_R", 0.01), ("mouthFunnel", 0.02))
    after = evaluate(take, [Calibration(levels=levels, keep_full=False)])
    np.testing.assert_allclose(take.weights - after.weights, np.tile([0.02, 0.02, 0.03, 0.01, 0], (4, 1)), atol=1e-6)
    whole = make_take(frames=4)
    assert changed(whole, evaluate(whole, [Gain(channels=("mouthFunnel_L",), factor=0.5)])) == {"mouthFunnel"}


def test_balance_brings_sides_together_and_weighs_them() -> None:
    take = make_take(mouthSmileLeft=0.6, mouthSmileRight=0.2, jawLeft=0.3, jawRight=0.0)
    after = evaluate(take, [Balance(symmetry=0.5)])
    assert of(after, "mouthSmileLeft")[0] == pytest.approx(0.5) and of(after, "mouthSmileRight")[0] == pytest.approx(
        0.3
    )
    assert of(after, "jawLeft")[0] == pytest.approx(0.15) and of(after, "jawRight")[0] == 0
    after = evaluate(take, [Balance(balance=0.25)])
    assert of(after, "mouthSmileLeft")[0] == pytest.approx(0.75) and of(after, "mouthSmileRight")[0] == pytest.approx(
        0.15
    )
    assert of(after, "jawLeft")[0] == pytest.approx(0.3) and not changed(take, after) & {"cheekPuff", "jawOpen"}


def test_a_filter_of_a_region_is_the_filter_of_its_curves() -> None:
    take = make_take(frames=200)
    after = evaluate(take, [Filter(region="brows", cutoff_hz=3.0)])
    at = [take.channels.index(c) for c in take.channels if c.startswith("brow")]
    expected = apply_filter(FilterChoice("hybrid", 3.0), take.time_s, take.weights[:, at].astype(np.float64))
    np.testing.assert_allclose(after.weights[:, at], expected, atol=1e-6)
    assert changed(take, after) == starting("brow")
    with pytest.raises(FacecapError, match="do not fit"):
        Filter(radius=1, order=3)


def test_blinks_get_stronger_without_being_clipped() -> None:
    take = make_take(eyeBlinkLeft=np.linspace(0, 1, 50))
    w = np.linspace(0, 1, 50)
    after = of(evaluate(take, [Blink(strength=2.0)]), "eyeBlinkLeft")
    np.testing.assert_allclose(after, 1 - (1 - w) ** 2, atol=1e-6)
    assert (np.diff(after) > 0).all()
    np.testing.assert_allclose(of(evaluate(take, [Blink(strength=0.5)]), "eyeBlinkLeft"), w / 2, atol=1e-6)
    assert changed(take, evaluate(take, [Blink(strength=2.0)])) == starting("eyeBlink")


def test_hold_freezes_a_moment_in_a_range() -> None:
    take = make_take(missing=(12,), jawOpen=np.linspace(0, 0.49, 50))
    after = of(evaluate(take, [Hold(at_s=0.5, region="jaw", start_s=0.4, end_s=0.8)]), "jawOpen")
    frames = np.arange(50)
    inside = (frames >= 10) & (frames <= 20) & (frames != 12)
    np.testing.assert_allclose(after[inside], 0.125, atol=1e-6)  # between the rows on either side of 0.5 s
    np.testing.assert_array_equal(after[~inside], of(take, "jawOpen")[~inside])


def test_retime_moves_the_whole_take_and_loses_nothing() -> None:
    take = make_take(missing=(7,))
    later = evaluate(take, [Retime(offset_s=0.5)])
    np.testing.assert_allclose(later.time_s, take.time_s + 0.5)
    slower = evaluate(take, [Retime(speed=0.5)])
    np.testing.assert_allclose(slower.time_s, 2 * take.time_s)
    np.testing.assert_array_equal(slower.weights, take.weights)
    keyed = evaluate(take, [Retime(points=((0, 0), (1, 2), (2, 2.5)))])
    np.testing.assert_allclose(keyed.time_s, np.interp(take.time_s, [0, 1, 2], [0, 2, 2.5]))
    with pytest.raises(FacecapError, match="not in order"):
        evaluate(take, [Retime(points=((0, 0), (1, -1)))])


def test_a_retime_of_the_whole_take_stays_one_whatever_its_blends() -> None:
    take = make_take(missing=(7,))
    later = evaluate(take, [Retime(offset_s=0.5, blend_in_s=0.2, blend_out_s=0.1)])
    np.testing.assert_allclose(later.time_s, take.time_s + 0.5)
    np.testing.assert_array_equal(later.weights, take.weights)
    part = evaluate(take, [Retime(offset_s=0.5, start_s=0.4, blend_in_s=0.2)])
    np.testing.assert_array_equal(part.time_s, take.time_s)


def test_a_retimed_take_says_nothing_of_times_that_are_not_its_own() -> None:
    solve = add_corrections(make_take(), [Correction(0.4, pose={"jawOpen": 0.3})])
    take = replace(solve, provenance={**solve.provenance, RANGE: [0.2, 0.6], SPANS: [[0.2, 0.6]]})
    later = evaluate(take, [Retime(offset_s=0.5)])
    assert corrections_of(later) == () and solved_range(later) is None
    assert solved_spans(later) == [(pytest.approx(0.5), pytest.approx(take.time_s[-1] + 0.5))]
    for edit in (Gain(factor=1.1), Retime(region="jaw", offset_s=0.5)):
        after = evaluate(take, [edit])
        assert len(corrections_of(after)) == 1 and solved_range(after) == (0.2, 0.6)


def test_retime_of_a_region_moves_that_region_alone() -> None:
    ramp = np.arange(50) / 100
    take = make_take(jawOpen=ramp, cheekPuff=ramp)
    after = evaluate(take, [Retime(region="jaw", offset_s=2 / RATE)])
    np.testing.assert_allclose(of(after, "jawOpen"), np.clip(ramp - 0.02, 0, None), atol=1e-6)
    np.testing.assert_array_equal(of(after, "cheekPuff"), ramp.astype(np.float32))
    np.testing.assert_array_equal(after.time_s, take.time_s)
    after = of(evaluate(take, [Retime(region="jaw", points=((0, 0), (0.4, 0.8)))]), "jawOpen")
    np.testing.assert_allclose(after, ramp / 2, atol=1e-6)


def test_ranges_after_a_retime_are_of_the_new_times() -> None:
    take = make_take(jawOpen=0.2)
    after = evaluate(take, [Retime(offset_s=1.0), Offset(region="jaw", amount=0.1, start_s=1.0, end_s=1.0)])
    assert np.flatnonzero(of(after, "jawOpen") != np.float32(0.2)).tolist() == [0]


def test_solo_edits_count_alone_and_order_matters() -> None:
    take = make_take(jawOpen=0.2)
    gain, offset = Gain(region="jaw", factor=2), Offset(region="jaw", amount=0.1)
    assert of(evaluate(take, [gain, offset]), "jawOpen")[0] == pytest.approx(0.5)
    assert of(evaluate(take, [offset, gain]), "jawOpen")[0] == pytest.approx(0.6)
    assert of(evaluate(take, [gain, replace(offset, solo=True)]), "jawOpen")[0] == pytest.approx(0.3)
    both = [replace(gain, solo=True, on=False), offset]
    assert of(evaluate(take, both), "jawOpen")[0] == pytest.approx(0.3)


def test_only_what_follows_the_first_change_is_done_again() -> None:
    take = make_take()
    stack: list[Edit] = [Gain(region=region, factor=1.1) for region in ("mouth", "brows", "nose", "jaw")]
    evaluator = Evaluator(take)
    for number, expected in ((None, 4), (3, 1), (1, 3), (None, 0)):
        if number is not None:
            stack[number] = replace(stack[number], factor=0.3 + number / 10)
        after = evaluator.evaluate(stack)
        assert evaluator.done == expected
        np.testing.assert_array_equal(after.weights, evaluate(take, stack).weights)
    renamed = [replace(edit, name="x") for edit in stack]
    assert evaluator.evaluate(renamed) is not None and evaluator.done == 0
    assert evaluator.evaluate(stack[:2]).weights.tolist() == evaluate(take, stack[:2]).weights.tolist()
    np.testing.assert_array_equal(evaluator.evaluate(stack).weights, evaluate(take, stack).weights)


def test_provenance_lists_the_edits() -> None:
    after = evaluate(make_take(), [Gain(name="mine", region="mouth", factor=1.5), Hold(on=False)])
    assert after.provenance["edits"] == [{"edit": "filter"}, {"edit": "gain", "region": "mouth", "factor": 1.5}]


def test_a_take_without_a_face_stays_one() -> None:
    take = make_take(frames=3, missing=(0, 1, 2))
    assert evaluate(take, [Hold(), Calibration()]) is take
