"""A jaw bone: read as the Armature modifier has it, and keyed so that Blender shows what the solve meant."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Euler
from scipy.spatial.transform import Rotation

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.scene.head.jaw import jaw_bone
from facecap_addon.rig.blendshapes import BlendshapeRig
from tests.blender.faces import evaluated, make_face
from tests.blender.takes import expected_weights, make_take

STILL = BakeSettings(head="none")


def jawed_face(*, turned: bool = False) -> bpy.types.Object:
    """The ball, its lower half on a jaw bone that hangs on a head bone."""
    obj = make_face()
    data = bpy.data.armatures.new("Bones")
    armature = bpy.data.objects.new("Bones", data)
    bpy.context.scene.collection.objects.link(armature)
    if turned:
        armature.rotation_euler, armature.scale, armature.location = Euler((0.3, 0.2, 0.9)), (2.0,) * 3, (0.1, 0.2, 0.3)
    bpy.context.view_layer.update()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    undo = armature.matrix_world.inverted()
    for name, head, tail in (("head", (0, 0, -0.1), (0, 0, 0.1)), ("jaw", (0, 0.03, -0.01), (0, -0.08, -0.06))):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = undo @ type(armature.location)(head), undo @ type(armature.location)(tail)
    data.edit_bones["jaw"].parent = data.edit_bones["head"]
    bpy.ops.object.mode_set(mode="OBJECT")
    for name in ("head", "jaw"):
        obj.vertex_groups.new(name=name)
    for vertex in obj.data.vertices:
        share = float(np.clip(0.5 - vertex.co.z / 0.08, 0, 1))
        # Not normalised on purpose: Blender does that itself.
        obj.vertex_groups["jaw"].add([vertex.index], 0.6 * share, "REPLACE")
        obj.vertex_groups["head"].add([vertex.index], 0.6 * (1 - share), "REPLACE")
    obj.modifiers.new("Bones", "ARMATURE").object = armature
    return obj


def skinned(rig: BlendshapeRig, weights: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """What a solve takes the mesh to do."""
    assert rig.jaw is not None
    points = rig.vertices_at(weights)
    arm = points - rig.jaw.pivot
    moved = arm @ Rotation.from_rotvec(jaw[:3]).as_matrix().T + jaw[3:]
    return points + rig.jaw.weights[:, None] * (moved - arm)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("head", ["none", "bone"])
def test_blender_shows_the_jaw_as_it_was_solved(turned: bool, head: str) -> None:
    obj = jawed_face(turned=turned)
    rig, take = extract_rig(obj), make_take()
    jaw = np.zeros((take.frame_count, 6), np.float32)
    jaw[:, 0], jaw[:, 2], jaw[:, 4] = np.linspace(0, 0.4, len(jaw)), 0.1, np.linspace(0, -0.006, len(jaw))
    take = replace(take, jaw=jaw, provenance={})
    still = replace(take, head_rotation_wxyz=take.head_rotation_wxyz[:1].repeat(len(jaw), 0))
    still = replace(still, head_translation_m=take.head_translation_m[:1].repeat(len(jaw), 0))
    apply_take(obj, still, BakeSettings(head=head, bone="head", armature=bpy.data.objects["Bones"]))
    for frame in (0, 17, 39):
        shown = evaluated(obj, 1 + float(take.time_s[frame]) * 24)
        expected = skinned(rig, expected_weights(take, float(take.time_s[frame])), jaw[frame])
        np.testing.assert_allclose(shown, expected, atol=6e-5)


def test_a_mesh_without_a_jaw_bone_has_none_and_says_so() -> None:
    obj = make_face()
    assert jaw_bone(obj) is None and extract_rig(obj).jaw is None
    take = make_take()
    report = apply_take(obj, replace(take, jaw=np.full((take.frame_count, 6), 0.1, np.float32)), STILL)
    assert any("jaw bone" in remark for remark in report.remarks)


def test_jawline_bones_are_not_the_jaw() -> None:
    obj = jawed_face()
    bone = bpy.data.objects["Bones"].data.bones["jaw"]
    bone.name = "jawline.L"
    assert jaw_bone(obj) is None
