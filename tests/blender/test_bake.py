"""A take on a character: right keys at the right times, and nothing that was not seen."""

from __future__ import annotations

import json
from fractions import Fraction

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.footage import match_scene
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.errors import FacecapError
from tests.blender.faces import ARKIT, evaluated, make_face
from tests.blender.takes import expected_weights, make_take

STILL = BakeSettings(head="none")


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(17)])
def test_keys_lie_at_the_real_times_whatever_the_scene_rate(rate: Fraction) -> None:
    obj = make_face()
    rig, take = extract_rig(obj), make_take(rate=27.3)
    match_scene(bpy.context.scene, rate, float(take.time_s[-1]), start_frame=101)
    apply_take(obj, take, BakeSettings(head="none", start_frame=101))
    for time_s in (0.0, 0.31, float(take.time_s[17]), 1.0):
        shown = evaluated(obj, 101 + time_s * float(rate))
        np.testing.assert_allclose(shown, rig.vertices_at(expected_weights(take, time_s)), atol=3e-5)


def test_frames_without_a_face_get_no_keys() -> None:
    obj = make_face()
    rig, take = extract_rig(obj), make_take(missing=(0, 10, 11, 12, 39))
    report = apply_take(obj, take, STILL)
    from facecap_addon.blender.scene.animation.curves import curves_of

    curve = next(iter(curves_of(obj.data.shape_keys)))
    assert len(curve.keyframe_points) == 35
    frame = 1 + take.time_s[11] * 24
    shown = rig.vertices_at(expected_weights(take, take.time_s[11]))
    np.testing.assert_allclose(evaluated(obj, frame), shown, atol=3e-5)
    assert list(report.action["facecap_status"]) == take.status.tolist()


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(60)])
def test_keys_lie_on_whole_frames_where_that_is_wished_for(rate: Fraction) -> None:
    from facecap_addon.blender.scene.animation.curves import curves_of

    obj = make_face()
    rig, take = extract_rig(obj), make_take(rate=27.3, missing=(10, 11, 12))
    match_scene(bpy.context.scene, rate, float(take.time_s[-1]), start_frame=5)
    apply_take(obj, take, BakeSettings(start_frame=5, whole_frames=True))
    curves = [*curves_of(obj.data.shape_keys), *curves_of(obj)]
    frames = np.array([point.co[0] for point in next(iter(curves)).keyframe_points])
    for curve in curves:
        assert [point.co[0] for point in curve.keyframe_points] == frames.tolist()
    assert np.array_equal(frames, np.round(frames)) and (np.diff(frames) > 0).all()
    times = (frames - 5) / float(rate)
    assert take.time_s[-1] - 1 / float(rate) < times[-1] <= take.time_s[-1] + 1e-3
    assert not ((times > take.time_s[9] + 1e-3) & (times < take.time_s[13] - 1e-3)).any()  # no face there
    for frame, time_s in zip(frames[::5].tolist(), times[::5].tolist(), strict=True):
        wanted = rig.vertices_at(expected_weights(take, time_s))
        found = evaluated(obj, frame)
        size = np.linalg.norm(wanted - wanted.mean(0))  # the head turns and moves, too
        np.testing.assert_allclose(np.linalg.norm(found - found.mean(0)), size, rtol=1e-3)


def test_the_head_rests_where_it_did_when_keys_are_on_whole_frames() -> None:
    obj = make_face()
    take = make_take(rate=25.0, neutral_index=20)
    apply_take(obj, take, BakeSettings(start_frame=1))
    at = 1 + float(take.time_s[20]) * 24
    plain = evaluated(obj, at).mean(0)
    apply_take(obj, take, BakeSettings(start_frame=1, whole_frames=True))
    np.testing.assert_allclose(evaluated(obj, at).mean(0), plain, atol=3e-3)


def test_a_clip_of_another_rate_than_the_scenes_is_spoken_of() -> None:
    from facecap_addon.blender.operators.take.bake import rate_remark

    scene, take = bpy.context.scene, make_take(fps="30000/1001")
    scene.render.fps, scene.render.fps_base = 25, 1.0
    assert "29.97 frames per second, the scene at 25" in rate_remark(take, scene, whole=False)[0]
    assert "resampled" in rate_remark(take, scene, whole=True)[0]
    match_scene(scene, Fraction(30000, 1001), 3.0)
    assert rate_remark(take, scene, whole=False) == []


def test_channels_that_were_not_observed_get_no_keys() -> None:
    obj = make_face()
    report = apply_take(obj, make_take(not_observed=("jawOpen",)), STILL)
    assert report.keyed == list(ARKIT[1:])
    assert json.loads(report.action["facecap_not_observed"]) == ["jawOpen"]


def test_gain_stays_inside_the_range() -> None:
    obj = make_face()
    obj.data.shape_keys.key_blocks["jawOpen"].slider_max = 1.2
    rig, take = extract_rig(obj), make_take()
    apply_take(obj, take, BakeSettings(head="none", gain=1.7))
    frame = 1 + take.time_s[5] * 24
    expected = np.clip(take.weights[5] * 1.7, 0, [1.2, 1, 1, 1, 1])
    np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(expected), atol=3e-5)


def test_the_action_says_where_it_comes_from() -> None:
    obj = make_face()
    take = make_take()
    report = apply_take(obj, take)
    assert "plique 1" in report.action.name.lower()
    assert json.loads(report.action["facecap_provenance"])["source"] == "/footage/réplique 1.mp4"
    np.testing.assert_allclose(list(report.action["facecap_confidence"]), take.confidence.ravel())
    np.testing.assert_allclose(list(report.action["facecap_time_s"]), take.time_s)


def test_a_take_without_a_face_is_refused() -> None:
    obj = make_face()
    with pytest.raises(FacecapError, match="no frame with a face"):
        apply_take(obj, make_take(3, missing=(0, 1, 2)))
    assert obj.data.shape_keys.animation_data is None


def test_bake_twice_then_undo_of_the_first_is_possible_by_action() -> None:
    obj = make_face()
    rig, first, second = extract_rig(obj), make_take(seed=1), make_take(seed=2)
    one = apply_take(obj, first, STILL).action
    apply_take(obj, second, STILL)
    frame = 1 + second.time_s[8] * 24
    np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(second.weights[8]), atol=3e-5)
    animation = obj.data.shape_keys.animation_data
    animation.action = one
    if hasattr(animation, "action_slot"):
        animation.action_slot = one.slots[0]
    frame = 1 + first.time_s[8] * 24
    np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(first.weights[8]), atol=3e-5)


def test_a_character_of_which_the_footage_shows_nothing_still_turns_its_head() -> None:
    obj = make_face(("tongueOut",))
    take = make_take(channels=("tongueOut",), not_observed=("tongueOut",))
    report = apply_take(obj, take)
    assert not report.keyed and any("only the head" in remark for remark in report.remarks)
    bpy.context.scene.frame_set(1)
    before = obj.matrix_world.copy()
    bpy.context.scene.frame_set(30)
    assert obj.matrix_world != before
    with pytest.raises(FacecapError, match="nothing to key"):
        apply_take(obj, take, STILL)
