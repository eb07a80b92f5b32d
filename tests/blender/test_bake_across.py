"""A face's animation from bones to shape keys and back, judged by the evaluated mesh."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.animation.bake_across import bake_to_controls, bake_to_keys
from facecap_addon.blender.scene.controls.stored_mapping import store_mapping
from facecap_addon.errors import FacecapError
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from tests.blender.faces import coordinates, evaluated_world
from tests.blender.test_control_deltas import simple_face

FRAMES = range(1, 11)


def _mapped_face() -> tuple[bpy.types.Object, bpy.types.Object]:
    obj, armature = simple_face()
    jaw, chin = Target("bone", "Jaw", "rotation.x"), Target("bone", "Chin", "location.x")
    store_mapping(obj, Mapping("Simple", (Link("jawOpen", jaw, 0.3), Link("chin", chin, 0.005))))
    return obj, armature


def _animate(armature: bpy.types.Object) -> None:
    jaw, chin, head = (armature.pose.bones[name] for name in ("Jaw", "Chin", "Head"))
    for bone in (jaw, head):
        bone.rotation_mode = "XYZ"
    for frame in FRAMES:
        jaw.rotation_euler.x = 0.1 * (1 - np.cos(frame))
        chin.location.x = 0.004 * np.sin(frame)
        head.rotation_euler.y = 0.3 * np.sin(0.5 * frame)
        for bone, path in ((jaw, "rotation_euler"), (chin, "location"), (head, "rotation_euler")):
            bone.keyframe_insert(path, frame=frame)


def _far(one: bpy.types.Object, other: bpy.types.Object) -> float:
    """The largest distance of two meshes' vertices over all frames, m."""
    return max(float(np.linalg.norm(evaluated_world(one, f) - evaluated_world(other, f), axis=1).max()) for f in FRAMES)


def test_keys_do_what_bones_did_and_leave_the_bones_alone() -> None:
    obj, armature = _mapped_face()
    _animate(armature)
    rest = coordinates(obj.data.vertices).copy()
    before = [evaluated_world(obj, f) for f in FRAMES]
    baked = bake_to_keys(obj, FRAMES, bpy.context.scene)
    assert baked.obj != obj and baked.obj.data != obj.data
    assert obj.data.shape_keys is None and np.array_equal(coordinates(obj.data.vertices), rest)
    for frame, was in zip(FRAMES, before, strict=True):
        np.testing.assert_allclose(evaluated_world(obj, frame), was, atol=1e-6)
    moved = max(float(np.linalg.norm(after - before[0], axis=1).max()) for after in before)
    assert moved > 0.03  # the head turns, too
    # The chin, 13 cm from the hinge, goes along an arc; a key along its chord: 0.13 (1 - cos 0.3) / 4 = 1.5 mm at most.
    assert _far(baked.obj, obj) < 0.0015
    assert 0.0 < baked.rms_mm < 0.5


def test_controls_do_what_keys_did() -> None:
    obj, armature = _mapped_face()
    _animate(armature)
    baked = bake_to_keys(obj, FRAMES, bpy.context.scene)
    first = armature.animation_data.action
    back = bake_to_controls(obj, baked.obj, FRAMES, bpy.context.scene)
    assert {"Jaw", "Chin"} <= set(back.report.controls)
    assert armature.animation_data.action != first and first.name in bpy.data.actions
    # The controls' own action turns no head: it is compared where the head is at rest in both.
    armature.pose.bones["Head"].rotation_euler = (0, 0, 0)
    baked.obj.parent = None
    baked.obj.matrix_world = obj.matrix_world
    assert _far(baked.obj, obj) < 0.0015


def test_another_mesh_is_refused_and_nothing_is_keyed() -> None:
    obj, armature = simple_face()
    bpy.ops.mesh.primitive_uv_sphere_add()
    with pytest.raises(FacecapError, match="same mesh"):
        bake_to_controls(obj, bpy.context.object, FRAMES, bpy.context.scene)
    assert armature.animation_data is None


def test_the_buttons_bake_and_undo_leaves_nothing() -> None:
    obj, armature = _mapped_face()
    _animate(armature)
    scene = bpy.context.scene
    scene.facecap.character, scene.frame_start, scene.frame_end = obj, 1, 10
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.facecap.bake_to_keys() == {"FINISHED"}
    assert "Head keys" in bpy.data.objects
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert "Head keys" not in bpy.data.objects
    assert bpy.data.objects["Head"].data.shape_keys is None
