"""Ids, not names: earlier bakes are found and taken off whatever things are called by now, and copies do not mix."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender import session
from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.scene.head.rest import rest_matrix
from tests.blender.avatars import make_avatar
from tests.blender.faces import evaluated_world, make_face
from tests.blender.takes import make_take
from tests.blender.test_head_pose import make_rigged

REST = Matrix.Translation((0.2, 0.1, 0.4)) @ Matrix.Rotation(0.3, 4, "Z")


def placed_face(name: str = "Face") -> bpy.types.Object:
    obj = make_face(name=name)
    obj.matrix_world = REST
    bpy.context.view_layer.update()
    return obj


def test_head_pose_none_leaves_no_head_moving() -> None:
    obj = placed_face()
    apply_take(obj, make_take())
    bpy.context.scene.frame_set(30)
    apply_take(obj, make_take(), BakeSettings(head="none"))
    for frame in (1, 20, 35):
        bpy.context.scene.frame_set(frame)
        np.testing.assert_allclose(np.array(obj.matrix_world), np.array(REST), atol=1e-6)
    assert all(action.use_fake_user or action.users for action in bpy.data.actions)  # nothing is lost


def test_from_object_to_bone_only_the_bone_moves_and_back() -> None:
    obj, armature = make_rigged()
    before = obj.matrix_world.copy()
    take = make_take()
    for head in ("object", "bone", "object"):
        apply_take(obj, take, BakeSettings(head=head, bone="Head"))
        bpy.context.scene.frame_set(33)
        shown = evaluated_world(obj, 33)
        moved = np.abs(np.array(obj.matrix_world) - np.array(before)).max() > 1e-3
        assert moved == (head == "object")
        turned = armature.pose.bones["Head"].matrix_basis.to_quaternion().angle > 0.05
        assert turned == (head == "bone")
        if head == "object":
            first = shown
    np.testing.assert_allclose(shown, first, atol=1e-5)


@pytest.mark.parametrize("renamed", ["Renamed", "x" * 60])
def test_a_baked_head_is_read_as_it_stood_whatever_it_is_called(renamed: str) -> None:
    obj = placed_face("y" * 62)
    plain = extract_rig(obj)
    apply_take(obj, make_take())
    obj.name = renamed
    bpy.context.scene.frame_set(35)
    np.testing.assert_allclose(extract_rig(obj).neutral, plain.neutral, atol=1e-6)
    copy = obj.copy()
    copy.data, copy.animation_data.action = obj.data.copy(), obj.animation_data.action.copy()
    bpy.context.collection.objects.link(copy)
    bpy.context.scene.frame_set(20)
    np.testing.assert_allclose(np.array(rest_matrix(copy)), np.array(REST), atol=1e-6)


def test_what_hangs_on_a_turned_bone_rests_where_it_was() -> None:
    meshes = make_avatar("armature")
    for name, bone in (("Head", "Head"), ("EyeLeft", "LeftEye")):
        meshes[name].modifiers.clear()
        meshes[name].parent_type, meshes[name].parent_bone = "BONE", bone
    bpy.context.view_layer.update()
    before = {name: meshes[name].matrix_world.copy() for name in ("Head", "EyeLeft", "Body")}
    apply_take(meshes["Head"], make_take())
    bpy.context.scene.frame_set(36)
    assert meshes["EyeLeft"].matrix_world != before["EyeLeft"]
    for name, rest in before.items():
        np.testing.assert_allclose(np.array(rest_matrix(meshes[name])), np.array(rest), atol=1e-5)


def test_a_job_finds_its_character_and_scene_under_other_names() -> None:
    obj = make_face(name="Head")
    scene = bpy.context.scene
    handles = session.Handle.of(scene), session.Handle.of(obj)
    obj.name, scene.name = "Hero", "Shot 2"
    stranger = make_face(name="Head")
    other = bpy.data.scenes.new("Scene")
    assert handles[0].find(bpy.data.scenes) == scene != other
    assert handles[1].find(bpy.data.objects) == obj != stranger
    bpy.data.objects.remove(obj)
    assert handles[1].find(bpy.data.objects) is None
    assert session.Handle.of(None).find(bpy.data.objects) is None


def test_a_duplicated_sample_head_keeps_its_mouth_where_it_is() -> None:
    bpy.ops.facecap.add_sample_head()
    head = bpy.context.scene.facecap.character
    plain = evaluated_world(head, 1)
    bpy.ops.object.select_all(action="DESELECT")
    head.select_set(True)
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    copy.location.x += 0.5
    assert np.abs(evaluated_world(copy, 1) - (0.5, 0, 0) - plain).max() > 0.05  # stretched to the other's jaw
    bpy.ops.facecap.use_active()
    assert bpy.context.scene.facecap.character == copy
    np.testing.assert_allclose(evaluated_world(copy, 1), plain + np.array((0.5, 0, 0)), atol=1e-5)
    np.testing.assert_allclose(evaluated_world(head, 1), plain, atol=1e-6)
    jaw = next(m.object for m in copy.modifiers if m.type == "HOOK")
    jaw.rotation_euler.x += 0.3
    assert np.abs(evaluated_world(copy, 1) - (0.5, 0, 0) - plain).max() > 0.005
    np.testing.assert_allclose(evaluated_world(head, 1), plain, atol=1e-6)
