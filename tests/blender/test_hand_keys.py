"""Keys made by hand survive: planted ones are looked for, to the bit, after everything that writes keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.operators.solve import remember
from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.animation.curves import SLOTTED, curves_of
from facecap_addon.takes.merge import merge_takes, rows_of
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take
from facecap_addon.takes.versions import add_id
from tests.blender.faces import make_face
from tests.blender.takes import make_take
from tests.blender.test_takes import written

STILL = BakeSettings(head="none")
Key = tuple[float, float, str, tuple[float, ...], tuple[float, ...]]


def curve_of(obj: bpy.types.Object, channel: str = "jawOpen") -> bpy.types.FCurve:
    keys = obj.data.shape_keys
    return curves_of(keys).find(keys.key_blocks[channel].path_from_id("value"))


def facts(point: bpy.types.Keyframe) -> Key:
    return (*point.co, point.interpolation, tuple(point.handle_left), tuple(point.handle_right))


def plant(curve: bpy.types.FCurve, frame: float, value: float) -> Key:
    """A key as an animator makes it, with handles of her own."""
    point = curve.keyframe_points.insert(frame, value)
    point.interpolation = "BEZIER"
    point.handle_left_type = point.handle_right_type = "FREE"
    point.handle_left, point.handle_right = (frame - 0.3, value + 0.1), (frame + 0.2, value - 0.05)
    curve.update()
    found = min(curve.keyframe_points, key=lambda point: abs(point.co.x - frame))
    return facts(found)


def keys_in(curve: bpy.types.FCurve) -> list[Key]:
    return [facts(point) for point in curve.keyframe_points]


def frames_in(curve: bpy.types.FCurve) -> np.ndarray:
    return np.array([point.co.x for point in curve.keyframe_points])


def solved(seed: int = 5, frames: int = 40) -> Take:
    return add_id(make_take(frames, seed=seed))


@pytest.mark.parametrize("frame", [-20.0, 12.4, 200.0])
def test_a_key_made_by_hand_survives_baking_again_and_all_others_are_the_takes(frame: float) -> None:
    obj, take = make_face(), solved()
    action = apply_take(obj, take, STILL).action
    before = frames_in(curve_of(obj))
    planted = plant(curve_of(obj), frame, 0.77)
    report = apply_take(obj, take, replace(STILL, gain=0.5))
    assert report.action == action  # the same take, the same action
    after = curve_of(obj)
    assert planted in keys_in(after)
    others = [point for point in after.keyframe_points if abs(point.co.x - frame) > 1e-4]
    np.testing.assert_allclose([point.co.x for point in others], before, atol=1e-4)
    column = take.channels.index("jawOpen")
    np.testing.assert_allclose([point.co.y for point in others], take.weights[:, column] * 0.5, atol=1e-6)


def test_a_stretch_that_was_smoothed_by_hand_stays_free_of_the_takes_keys() -> None:
    obj, take = make_face(), solved()
    apply_take(obj, take, STILL)
    curve = curve_of(obj)
    gone = [point for point in curve.keyframe_points if 10 < point.co.x < 20]
    for point in reversed(gone):
        curve.keyframe_points.remove(point)
    planted = plant(curve, 15.0, 0.4)
    apply_take(obj, take, replace(STILL, gain=0.8))
    inside = [facts(point) for point in curve_of(obj).keyframe_points if 10 < point.co.x < 20]
    assert inside == [planted]
    assert len(curve_of(obj, "browInnerUp").keyframe_points) == take.frame_count


def test_a_key_that_was_dragged_or_bent_is_hand_made() -> None:
    obj, take = make_face(), solved()
    apply_take(obj, take, STILL)
    curve = curve_of(obj)
    curve.keyframe_points[8].co.y += 0.2
    curve.keyframe_points[20].interpolation = "BEZIER"
    curve.update()
    dragged, bent = facts(curve.keyframe_points[8]), facts(curve.keyframe_points[20])
    apply_take(obj, take, replace(STILL, gain=0.5))
    points = curve_of(obj).keyframe_points
    assert facts(points[8]) == dragged and facts(points[20])[:3] == bent[:3]
    assert len(points) == take.frame_count


def test_where_hand_made_keys_are_not_to_be_kept_a_new_action_is_made_and_the_old_one_stays_whole() -> None:
    obj, take = make_face(), solved()
    first = apply_take(obj, take, STILL).action
    plant(curve_of(obj), 12.4, 0.77)
    before = keys_in(curve_of(obj))
    second = apply_take(obj, take, replace(STILL, keep=False, gain=0.5)).action
    assert second != first and first.use_fake_user
    animation = obj.data.shape_keys.animation_data
    animation.action = first
    if SLOTTED:
        animation.action_slot = first.slots[0]
    assert keys_in(curve_of(obj)) == before


def test_another_take_has_an_action_of_its_own_and_the_first_is_found_again() -> None:
    obj, one, two = make_face(), solved(1), solved(2)
    first = apply_take(obj, one, STILL).action
    second = apply_take(obj, two, STILL).action
    assert first != second
    assert apply_take(obj, one, STILL).action == first == obj.data.shape_keys.animation_data.action
    assert len(bpy.data.actions) == 2


@pytest.mark.parametrize("keep", [True, False])
def test_in_a_range_hand_made_keys_survive_outside_and_on_request_inside(keep: bool) -> None:
    obj, take = make_face(), solved()
    action = apply_take(obj, take, STILL).action
    outside = [plant(curve_of(obj), frame, 0.3) for frame in (3.3, 33.7, 90.0)]
    inside = plant(curve_of(obj), 20.4, 0.6)
    own = [key for key in keys_in(curve_of(obj)) if key[0] < 9 or key[0] > 31]
    part = replace(STILL, mode="mix", within_s=(10 / 25, 30 / 25), keep=keep, gain=0.5)
    for _ in range(2):
        assert apply_take(obj, take, part).action == action
    after = keys_in(curve_of(obj))
    assert set(outside) <= set(after) and (inside in after) == keep
    assert [key for key in after if key[0] < 9 or key[0] > 31] == own


def test_in_an_action_made_by_hand_alone_all_its_keys_survive_on_request() -> None:
    obj, take = make_face(("jawOpen", "tongueOut")), solved()
    keys = obj.data.shape_keys
    for frame, value in ((2, 0.1), (12, 0.9), (200, 0.2)):
        for name in ("jawOpen", "tongueOut"):
            keys.key_blocks[name].value = value
            keys.key_blocks[name].keyframe_insert("value", frame=frame)
    before = {name: [key[:2] for key in keys_in(curve_of(obj, name))] for name in ("jawOpen", "tongueOut")}
    apply_take(obj, take, replace(STILL, mode="mix"))
    assert set(before["jawOpen"]) <= {key[:2] for key in keys_in(curve_of(obj))}
    assert [key[:2] for key in keys_in(curve_of(obj, "tongueOut"))] == before["tongueOut"]
    assert len(curve_of(obj).keyframe_points) > 30
    apply_take(obj, take, replace(STILL, mode="mix", gain=0.5))  # again: what is the take's is replaced, hers stays
    assert set(before["jawOpen"]) <= {key[:2] for key in keys_in(curve_of(obj))}


def test_the_heads_hand_made_keys_survive_too() -> None:
    obj, take = make_face(), solved()
    apply_take(obj, take)
    curve = curves_of(obj).find("location", index=2)
    planted = plant(curve, 12.4, 0.5)
    apply_take(obj, take, BakeSettings(gain=0.7))
    assert planted in keys_in(curves_of(obj).find("location", index=2))
    assert len(curves_of(obj).find("location", index=0).keyframe_points) == take.frame_count


def test_what_is_hand_made_is_known_after_saving_and_loading(tmp_path: Path) -> None:
    take = solved()
    apply_take(make_face(), take, STILL)
    planted = plant(curve_of(bpy.data.objects["Face"]), 12.4, 0.77)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    obj = bpy.data.objects["Face"]
    apply_take(obj, take, replace(STILL, gain=0.5))
    assert planted in keys_in(curve_of(obj)) and len(curve_of(obj).keyframe_points) == take.frame_count + 1


def test_an_action_of_an_earlier_version_knows_straight_keys_as_its_own() -> None:
    obj, take = make_face(), solved()
    action = apply_take(obj, take, STILL).action
    for name in [name for name in action.keys() if name.startswith("facecap_keys")]:  # noqa: SIM118
        del action[name]
    planted = plant(curve_of(obj), 12.4, 0.77)
    apply_take(obj, take, replace(STILL, mode="mix", gain=0.5))
    assert planted in keys_in(curve_of(obj))
    np.testing.assert_allclose(curve_of(obj).keyframe_points[2].co.y, take.weights[2, 0] * 0.5, atol=1e-6)


@pytest.mark.parametrize("mode", ["new", "mix"])
def test_hand_made_keys_survive_a_solve_a_filter_and_a_range_solved_into_the_take(tmp_path: Path, mode: str) -> None:
    settings = bpy.context.scene.facecap
    settings.character, settings.bake.head = obj, _ = make_face(), "none"
    first = make_take(40)
    remember(bpy.context.scene, written(tmp_path, first))
    assert bpy.ops.facecap.bake() == {"FINISHED"}
    action = obj.data.shape_keys.animation_data.action
    planted = [plant(curve_of(obj), frame, 0.6) for frame in (-5.0, 20.4, 77.0)]

    def survived() -> bool:
        held = obj.data.shape_keys.animation_data
        before = held.action, held.action_slot if SLOTTED else None
        held.action = action
        if SLOTTED:
            held.action_slot = action.slots[0]
        there = set(planted) <= set(keys_in(curve_of(obj)))
        held.action = before[0]
        if SLOTTED:
            held.action_slot = before[1]
        return there

    settings.bake.mode = mode
    settings.filter.filter = "median"
    assert bpy.ops.facecap.filter() == {"FINISHED"} and survived()
    remember(bpy.context.scene, written(tmp_path, make_take(40, seed=8)))
    assert bpy.ops.facecap.bake() == {"FINISHED"} and survived()
    base = load_take(Path(settings.result.take))
    part = rows_of(base, (np.arange(40) >= 15) & (np.arange(40) <= 25))
    remember(bpy.context.scene, written(tmp_path, merge_takes(base, replace(part, weights=1 - part.weights))))
    assert bpy.ops.facecap.bake() == {"FINISHED"} and survived()
    assert session.outcome.ok
    assert (obj.data.shape_keys.animation_data.action == action) == (mode == "mix")


def test_curves_are_grouped_by_region() -> None:
    obj, take = make_face(("jawOpen", "eyeBlinkLeft", "browInnerUp", "tailWag")), solved()
    take = replace(take, channels=("jawOpen", "tailWag", "mouthSmileLeft", "eyeBlinkLeft", "browInnerUp"))
    apply_take(obj, take)
    groups = {curve.data_path.split('"')[1]: curve.group.name for curve in curves_of(obj.data.shape_keys)}
    assert groups == {"jawOpen": "Jaw", "eyeBlinkLeft": "Eyes", "browInnerUp": "Brows", "tailWag": "Other Shapes"}
    assert {curve.group.name for curve in curves_of(obj)} == {"Head"}


def test_an_action_is_named_after_the_take_and_renamed_with_it(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    settings.character, settings.bake.head = obj, _ = make_face(), "none"
    remember(bpy.context.scene, written(tmp_path, make_take(30)))
    bpy.ops.facecap.bake()
    action = obj.data.shape_keys.animation_data.action
    assert action.name == "réplique 1"
    remember(bpy.context.scene, written(tmp_path, make_take(30, seed=6)))
    bpy.ops.facecap.bake()
    assert obj.data.shape_keys.animation_data.action.name == "réplique 1 2"
    settings.takes[0].name = "Angry, first"
    assert action.name == "Angry, first"
    action.name = "Mine"
    settings.takes[0].name = "Angry"
    assert action.name == "Mine"
    settings.takes[1].name = "Calm"
    assert settings.result.name == "Calm"
