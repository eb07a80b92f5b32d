"""A take as a layer of the NLA: what Blender shows of it above, beside and within the animation below."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.animation.curves import SLOTTED, curves_in
from facecap_addon.blender.scene.animation.layer import LayerSettings
from facecap_addon.blender.scene.animation.reduce import KeyTolerance, reduce_keys
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.takes.merge import MERGED_INTO
from facecap_addon.takes.take import Take
from facecap_addon.takes.versions import ID, add_id
from tests.blender.faces import evaluated, make_face
from tests.blender.takes import expected_weights, make_take
from tests.blender.test_hand_keys import facts

STILL = BakeSettings(head="none", mode="layer")
START = 21.0
NAMES = ("jawOpen", "mouthSmileLeft", "browInnerUp")


def small_take(seed: int = 5) -> Take:
    """Weights below a half, so that sums stay inside the keys' range."""
    take = make_take(40, seed=seed, channels=NAMES)
    return add_id(replace(take, weights=take.weights * np.float32(0.5)))


def animate_by_hand(obj: bpy.types.Object) -> None:
    """The jaw opens from 0.1 to 0.4 over frames 1 to 101, in a straight line; other keys are not animated."""
    for one in obj.data.shape_keys.key_blocks:
        one.value = 0.0  # Blender 5 makes keys with 1
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.1), (101, 0.4)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    action = obj.data.shape_keys.animation_data.action
    slot = obj.data.shape_keys.animation_data.action_slot if SLOTTED else None
    for curve in curves_in(action, slot):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def by_hand(frame: float) -> np.ndarray:
    return np.array([np.interp(frame, [1, 101], [0.1, 0.4]), 0.0, 0.0])


def times(take: Take) -> tuple[float, float]:
    return START, START + float(take.time_s[-1]) * 24


@pytest.mark.parametrize("blend", ["REPLACE", "COMBINE"])
def test_a_layer_plays_where_its_strip_is_and_the_hand_animation_around_it(blend: str) -> None:
    obj, take = make_face(NAMES), small_take()
    animate_by_hand(obj)
    rig = extract_rig(obj)
    hand = obj.data.shape_keys.animation_data.action
    report = apply_take(obj, take, replace(STILL, start_frame=START, layer=LayerSettings(blend)))
    animation = obj.data.shape_keys.animation_data
    assert animation.action is None
    assert played_in_strips(obj) == [hand, report.action]
    first, last = times(take)
    for frame in (1.0, 15.0, last + 8, 140.0):
        np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(by_hand(frame)), atol=3e-5)
    for frame in (first, first + 0.5, 30.0, 41.25, last):
        shown = expected_weights(take, (frame - START) / 24)
        if blend == "COMBINE":
            shown = shown + by_hand(frame)
        np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(shown), atol=3e-5)


def test_influence_grows_and_fades_over_the_frames_that_were_asked_for() -> None:
    obj, take = make_face(NAMES), small_take()
    animate_by_hand(obj)
    rig = extract_rig(obj)
    apply_take(obj, take, replace(STILL, start_frame=START, layer=LayerSettings("COMBINE", 8.0, 4.0)))
    first, last = times(take)
    for frame, share in ((first + 2, 0.25), (first + 6, 0.75), (first + 8, 1.0), (last - 4, 1.0), (last - 1, 0.25)):
        shown = by_hand(frame) + share * expected_weights(take, (frame - START) / 24)
        np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(shown), atol=3e-5)


def test_baked_again_a_layer_is_the_same_strip_and_hand_made_keys_in_it_stay() -> None:
    obj, take = make_face(NAMES), small_take()
    animate_by_hand(obj)
    settings = replace(STILL, start_frame=START)
    action = apply_take(obj, take, settings).action
    keys = obj.data.shape_keys
    slot = next((s for s in action.slots if s.target_id_type == "KEY"), None) if SLOTTED else None
    curve = next(curve for curve in curves_in(action, slot) if "jawOpen" in curve.data_path)
    point = curve.keyframe_points.insert(30.4, 0.45)
    curve.update()
    planted = facts(min(curve.keyframe_points, key=lambda one: abs(one.co.x - 30.4)))[:2]
    assert point is not None
    again = apply_take(obj, take, replace(settings, gain=0.5, layer=LayerSettings("COMBINE", 3.0))).action
    assert again == action and len(played_in_strips(obj)) == 2
    strip = keys.animation_data.nla_tracks[-1].strips[0]
    assert (strip.blend_type, strip.blend_in) == ("ADD", 3.0)
    curve = next(curve for curve in curves_in(action, slot) if "jawOpen" in curve.data_path)
    assert planted in [facts(one)[:2] for one in curve.keyframe_points]
    assert len(curve.keyframe_points) == take.frame_count + 1


def made_of(take: Take, **provenance: object) -> Take:
    """A take with other weights that says what it was made from."""
    other = small_take(seed=len(str(provenance))).weights * np.float32(0.8)
    return add_id(replace(take, weights=other, provenance={**take.provenance, **provenance}))


def test_a_version_of_a_take_plays_in_the_strip_of_the_one_before_and_hand_made_keys_in_it_stay() -> None:
    obj, solved = make_face(NAMES), small_take()
    animate_by_hand(obj)
    rig = extract_rig(obj)
    settings = replace(STILL, start_frame=START, layer=LayerSettings("COMBINE"))
    action = apply_take(obj, solved, settings).action
    once = made_of(solved, filtered={"id": solved.provenance[ID], "filter": "one"})
    anew = made_of(solved, filtered={"id": solved.provenance[ID], "filter": "another"})
    again = made_of(solved, **{MERGED_INTO: solved.provenance[ID]})
    refined = made_of(again, refined={"id": again.provenance[ID]})
    edited = made_of(solved, edited={"id": solved.provenance[ID]})
    for take in (once, anew, solved, again, refined, again, edited, once):
        assert apply_take(obj, take, settings).action == action
        assert len(played_in_strips(obj)) == 2
        for frame in (START, 30.0, 41.25):
            shown = by_hand(frame) + expected_weights(take, (frame - START) / 24)
            np.testing.assert_allclose(evaluated(obj, frame), rig.vertices_at(shown), atol=3e-5)
    curve = jaw_curve(obj, action)
    curve.keyframe_points.insert(30.4, 0.45)
    curve.update()
    planted = facts(min(curve.keyframe_points, key=lambda one: abs(one.co.x - 30.4)))[:2]
    assert apply_take(obj, anew, settings).action == action
    assert planted in [facts(one)[:2] for one in jaw_curve(obj, action).keyframe_points]
    other = small_take(7)
    assert apply_take(obj, other, settings).action != action and len(played_in_strips(obj)) == 3


def test_the_head_of_a_version_of_a_take_plays_in_the_strip_of_the_one_before() -> None:
    obj, solved = make_face(NAMES), small_take()
    animate_by_hand(obj)
    apply_take(obj, solved, BakeSettings(mode="layer", start_frame=START))
    filtered = made_of(solved, filtered={"id": solved.provenance[ID]})
    apply_take(obj, filtered, BakeSettings(mode="layer", start_frame=START))
    assert len(played_in_strips(obj)) == 2
    assert [len(track.strips) for track in obj.animation_data.nla_tracks] == [1]


def jaw_curve(obj: bpy.types.Object, action: bpy.types.Action) -> bpy.types.FCurve:
    slot = next((s for s in action.slots if s.target_id_type == "KEY"), None) if SLOTTED else None
    return next(curve for curve in curves_in(action, slot) if "jawOpen" in curve.data_path)


def test_several_takes_lie_above_one_another_and_what_was_keyed_on_top_stays_on_top() -> None:
    obj = make_face(NAMES)
    one, two = small_take(1), small_take(2)
    apply_take(obj, one, BakeSettings(head="none"))
    first = obj.data.shape_keys.animation_data.action
    second = apply_take(obj, two, STILL).action
    animation = obj.data.shape_keys.animation_data
    assert played_in_strips(obj) == [first, second]
    obj.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=10)
    top = animation.action
    assert top not in (None, first, second)
    apply_take(obj, two, replace(STILL, gain=0.5))
    assert animation.action == top
    assert played_in_strips(obj) == [first, second]
    assert apply_take(obj, one, BakeSettings(head="none")).action not in (first, second)  # strips are not written into


def test_the_keys_of_a_layer_are_reduced_too() -> None:
    obj, take = make_face(NAMES), small_take()
    animate_by_hand(obj)
    apply_take(obj, take, replace(STILL, start_frame=START))
    frames = np.linspace(START, times(take)[1], 60)
    before = np.array([evaluated(obj, frame) for frame in frames])
    count = reduce_keys([obj.data.shape_keys], KeyTolerance(0.05))
    assert count.before == 3 * take.frame_count > 1.2 * count.after
    after = np.array([evaluated(obj, frame) for frame in frames])
    assert np.abs(after - before).max() < 3 * 0.05 * 0.06  # three keys, none of which moves a vertex by 6 cm


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION"])
def test_an_added_head_turns_from_where_the_hand_animation_has_it(mode: str) -> None:
    obj, take = make_face(NAMES), small_take()
    obj.rotation_mode = mode
    obj.location = (0.3, -0.2, 0.5)
    bpy.context.view_layer.update()
    whole = make_face(NAMES, name="Whole")
    whole.rotation_mode, whole.location = mode, obj.location
    bpy.context.view_layer.update()
    apply_take(whole, take, BakeSettings(start_frame=START))
    path = "rotation_quaternion" if mode == "QUATERNION" else "rotation_euler"
    for frame, x in ((1, 0.3), (201, 0.9)):
        obj.location.x = x
        obj.keyframe_insert("location", frame=frame)
        obj.keyframe_insert(path, frame=frame)
    obj.location.x = 0.3
    bpy.context.scene.frame_set(1)
    apply_take(obj, take, BakeSettings(mode="layer", start_frame=START, layer=LayerSettings("COMBINE")))
    last = times(take)[1]
    for frame in (START, 33.0, last):
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        curve = next(c for c in curves_of_strip(obj, 0) if c.data_path == "location" and c.array_index == 0)
        wanted = np.array(whole.matrix_world)
        wanted[0, 3] += curve.evaluate(frame) - 0.3
        np.testing.assert_allclose(np.array(obj.matrix_world), wanted, atol=2e-5)


def test_a_head_that_nothing_animates_is_keyed_whole_where_the_face_is_added() -> None:
    obj, take = make_face(NAMES), small_take()
    obj.location = (0.3, -0.2, 0.5)
    bpy.context.view_layer.update()
    plain = make_face(NAMES, name="Plain")
    plain.location = obj.location
    bpy.context.view_layer.update()
    apply_take(plain, take)
    animate_by_hand(obj)
    apply_take(obj, take, BakeSettings(mode="layer", layer=LayerSettings("COMBINE")))
    for frame in (1, 17, 30):
        bpy.context.scene.frame_set(frame)
        np.testing.assert_allclose(np.array(obj.matrix_world), np.array(plain.matrix_world), atol=1e-5)
    assert obj.animation_data.nla_tracks[0].strips[0].blend_type == "REPLACE"


def played_in_strips(obj: bpy.types.Object) -> list[bpy.types.Action]:
    """From below; without what holds the neutral face where Blender would show something else."""
    tracks = obj.data.shape_keys.animation_data.nla_tracks
    strips = [strip for track in tracks for strip in track.strips]
    return [strip.action for strip in strips if strip.name != "Neutral Face"]


def curves_of_strip(obj: bpy.types.Object, track: int) -> list[bpy.types.FCurve]:
    strip = obj.animation_data.nla_tracks[track].strips[0]
    return list(curves_in(strip.action, strip.action_slot if SLOTTED else None))
