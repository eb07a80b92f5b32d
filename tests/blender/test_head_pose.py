"""The head's pose: the camera of the solve must see the keyed head where the footage showed it."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender.scene.animation.bake import BakeSettings, apply_take, scene_frames
from facecap_addon.blender.scene.animation.head_pose import camera_from_rig
from facecap_addon.blender.scene.camera_setup import add_camera
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.errors import FacecapError
from facecap_addon.geometry.camera import centered_camera, project
from facecap_addon.takes.merge import reference_frame
from facecap_addon.takes.take import Take
from tests.blender.faces import evaluated_world, make_face
from tests.blender.takes import make_take


def seen_px(obj: bpy.types.Object, camera: bpy.types.Object, frame: float) -> np.ndarray:
    """(V, 2): pixels at which Blender's camera shows the mesh."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    points = evaluated_world(obj, frame)
    scene = bpy.context.scene
    width, height = scene.render.resolution_x, scene.render.resolution_y
    flat = np.array([world_to_camera_view(scene, camera, Vector(p)) for p in points])
    return np.stack([flat[:, 0] * width - 0.5, (1 - flat[:, 1]) * height - 0.5], axis=1)


def filmed_px(obj_rig, take: Take, index: int) -> np.ndarray:
    pose = camera_from_rig(take.head_rotation_wxyz, take.head_translation_m, None)[index]
    points = obj_rig.vertices_at(take.weights[index]) @ pose[:3, :3].T + pose[:3, 3]
    return project(points, centered_camera(*take.image_size, take.focal_px))


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "QUATERNION", "AXIS_ANGLE"])
def test_object_follows_the_head(mode: str) -> None:
    obj = make_face()
    obj.location, obj.rotation_euler, obj.scale = (3, 1, -2), (0.1, 0.2, 0.3), (1.5, 1.5, 1.5)
    obj.delta_location = (0.5, 0, 0)
    bpy.context.view_layer.update()
    obj.rotation_mode = mode
    if mode == "QUATERNION":
        obj.rotation_quaternion = (0.9, 0.1, -0.3, 0.2)
    bpy.context.scene.unit_settings.scale_length = 0.5
    bpy.context.scene.render.fps = 25
    bpy.context.view_layer.update()
    rig, take = extract_rig(obj), make_take()
    apply_take(obj, take, BakeSettings(start_frame=11))
    camera = add_camera(bpy.context.scene, obj, take, None, 11)
    frames = scene_frames(take, bpy.context.scene, 11)
    for index in (0, 9, 39):
        np.testing.assert_allclose(seen_px(obj, camera, frames[index]), filmed_px(rig, take, index), atol=0.05)


def test_rest_is_the_neutral_frame() -> None:
    obj = make_face()
    rest = obj.matrix_world.copy()
    take = make_take(neutral_index=20)
    bpy.context.scene.render.fps = 25
    apply_take(obj, take)
    frame = scene_frames(take, bpy.context.scene, 1)[20]
    bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
    np.testing.assert_allclose(np.array(obj.matrix_world), np.array(rest), atol=1e-5)


def test_rest_is_the_usual_pose_where_no_frame_is_named() -> None:
    take = make_take(missing=(0, 1, 2))
    turned = take.head_rotation_wxyz.copy()
    turned[3] = (0.5, 0.5, 0.5, -0.5)  # the first solved frame looks away by a right angle
    take = replace(take, head_rotation_wxyz=turned * np.where(np.arange(40) % 2, 1, -1)[:, None].astype(np.float32))
    assert 15 <= reference_frame(take) <= 25


def test_a_baked_head_is_read_as_it_stood_before() -> None:
    obj = make_face()
    obj.rotation_euler = (0, 0, 0.4)
    bpy.context.view_layer.update()
    plain = extract_rig(obj)
    apply_take(obj, make_take())
    bpy.context.scene.frame_set(35)
    assert abs(obj.matrix_world.to_euler().z - 0.4) > 0.1
    np.testing.assert_allclose(extract_rig(obj).neutral, plain.neutral, atol=1e-7)
    apply_take(obj, make_take(seed=9))
    np.testing.assert_allclose(extract_rig(obj).neutral, plain.neutral, atol=1e-7)


def test_parented_object_follows_the_head() -> None:
    obj = make_face()
    rig, take = extract_rig(obj), make_take()
    parent = bpy.data.objects.new("Body", None)
    bpy.context.collection.objects.link(parent)
    parent.matrix_world = Matrix.Rotation(0.0, 4, "X") @ Matrix.Translation((1, 2, 3)) @ Matrix.Scale(2, 4)
    obj.parent = parent
    bpy.context.view_layer.update()
    rig = extract_rig(obj)
    apply_take(obj, take)
    camera = add_camera(bpy.context.scene, obj, take, None, 1)
    frame = scene_frames(take, bpy.context.scene, 1)[30]
    np.testing.assert_allclose(seen_px(obj, camera, frame), filmed_px(rig, take, 30), atol=0.05)


def make_rigged() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A face bound to the bone "Head" of a two-bone armature that is itself turned and moved."""
    obj = make_face()
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.collection.objects.link(armature)
    armature.matrix_world = Matrix.Translation((0.3, -0.2, 0.1)) @ Matrix.Rotation(0.7, 4, "Z")
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    neck = armature.data.edit_bones.new("Neck")
    neck.head, neck.tail = (0, 0, -0.4), (0, 0.05, -0.1)
    head = armature.data.edit_bones.new("Head")
    head.head, head.tail, head.parent = (0, 0.05, -0.1), (0.02, 0, 0.2), neck
    bpy.ops.object.mode_set(mode="OBJECT")
    group = obj.vertex_groups.new(name="Head")
    group.add(list(range(len(obj.data.vertices))), 1.0, "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    armature.pose.bones["Neck"].rotation_mode = "XYZ"
    bpy.context.view_layer.update()
    return obj, armature


@pytest.mark.parametrize("mode", ["QUATERNION", "XZY"])
def test_bone_carries_the_head(mode: str) -> None:
    obj, armature = make_rigged()
    armature.pose.bones["Head"].rotation_mode = mode
    rig, take = extract_rig(obj), make_take()
    bpy.context.scene.render.fps = 25
    apply_take(obj, take, BakeSettings(head="bone", bone="Head"))
    camera = add_camera(bpy.context.scene, obj, take, None, 1)
    frames = scene_frames(take, bpy.context.scene, 1)
    for index in (0, 15, 39):
        np.testing.assert_allclose(seen_px(obj, camera, frames[index]), filmed_px(rig, take, index), atol=0.05)


def test_rotation_alone_keys_no_location() -> None:
    obj = make_face()
    obj.location = (1, 2, 3)
    bpy.context.view_layer.update()
    apply_take(obj, make_take(), BakeSettings(head_location=False))
    bpy.context.scene.frame_set(30)
    np.testing.assert_allclose(obj.location, (1, 2, 3))
    assert abs(obj.rotation_euler.z) > 0.05


def test_none_leaves_the_object_where_it_is() -> None:
    obj = make_face()
    apply_take(obj, make_take(), BakeSettings(head="none"))
    assert obj.animation_data is None


def test_missing_bone_or_armature_is_said_before_anything_is_keyed() -> None:
    obj = make_face()
    with pytest.raises(FacecapError, match="No armature"):
        apply_take(obj, make_take(), BakeSettings(head="bone", bone="Head"))
    obj, _ = make_rigged()
    with pytest.raises(FacecapError, match="no bone called “Skull”"):
        apply_take(obj, make_take(), BakeSettings(head="bone", bone="Skull"))
    assert obj.data.shape_keys.animation_data is None


def test_mixing_a_head_pose_keeps_keys_outside() -> None:
    obj = make_face()
    for frame in (-20, 100):
        obj.location = (frame, 0, 0)
        obj.keyframe_insert("location", frame=frame)
    obj.location = (0, 0, 0)
    bpy.context.scene.render.fps = 25
    apply_take(obj, make_take(), BakeSettings(mode="mix"))
    bpy.context.scene.frame_set(100)
    np.testing.assert_allclose(obj.location.x, 100, atol=1e-4)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_the_camera_shows_a_dolls_head_and_a_giants(size: float) -> None:
    obj = make_face()
    obj.scale = (size, size, size)
    bpy.context.view_layer.update()
    take = make_take()
    take = replace(take, head_translation_m=take.head_translation_m * np.float32(size))
    camera = add_camera(bpy.context.scene, obj, take, None, 1)
    bpy.context.view_layer.update()
    away = [-(camera.matrix_world.inverted() @ obj.matrix_world @ v.co).z for v in obj.data.vertices]
    assert camera.data.clip_start < min(away) and max(away) < camera.data.clip_end
