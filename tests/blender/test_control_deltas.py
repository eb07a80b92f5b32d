"""Faces that bones move: read by evaluating each control, with a mapping and without, and put back exactly."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.scene.head.control_deltas import measure_mapped
from facecap_addon.blender.scene.head.own_controls import find_own_controls
from facecap_addon.errors import FacecapError
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from tests.blender.faces import coordinates, evaluated
from tests.blender.rigs.rigify import rigify_head
from tests.blender.rigs.sample_skin import bind, sample_skin


def _bone(name: str, axis: str) -> Target:
    return Target("bone", name, axis)


def _state(armature: bpy.types.Object) -> list[list[float]]:
    return [[value for row in bone.matrix_basis for value in row] for bone in armature.pose.bones]


def simple_face() -> tuple[bpy.types.Object, bpy.types.Object]:
    """The sample head on three bones: Head, and on it Jaw, and Chin, whose height is limited by a constraint."""
    skin = sample_skin()
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for name, head, tail, parent in (
        ("Head", (0, 0, -0.1), (0, 0, 0.1), None),
        ("Jaw", (0, 0, -0.02), (0, -0.09, -0.06), "Head"),
        ("Chin", (0, -0.09, -0.06), (0, -0.12, -0.06), "Head"),
    ):
        bone = bones.new(name)
        bone.head, bone.tail, bone.parent = head, tail, bones[parent] if parent else None
        bone.use_connect = False
    bpy.ops.object.mode_set(mode="OBJECT")
    near = np.exp(-((np.linalg.norm(skin.rest - [0, -0.1, -0.07], axis=1) / 0.015) ** 2))
    bind(skin, armature, {"Head": 1 - np.maximum(skin.jaw, near) * 0.999, "Jaw": skin.jaw * (1 - near), "Chin": near})
    limit = armature.pose.bones["Chin"].constraints.new("LIMIT_LOCATION")
    limit.owner_space = "LOCAL"
    limit.use_max_z, limit.max_z = True, 0.002
    return skin.obj, armature


def test_a_channel_is_what_its_controls_do_to_the_evaluated_mesh() -> None:
    obj, armature = simple_face()
    mapping = Mapping(
        "", (Link("jawOpen", _bone("Jaw", "rotation.x"), 0.2), Link("jawOpen", _bone("Chin", "location.x"), 0.003))
    )
    measured = measure_mapped(obj, mapping)
    rest = evaluated(obj)
    jaw, chin = armature.pose.bones["Jaw"], armature.pose.bones["Chin"]
    jaw.rotation_mode = "XYZ"
    jaw.rotation_euler.x, chin.location.x = 0.2, 0.003
    moved = evaluated(obj) - rest
    assert np.abs(measured.rig.neutral - rest).max() < 2e-6
    assert np.abs(measured.rig.deltas[0] - moved).max() < 2e-6
    assert np.linalg.norm(moved, axis=1).max() > 0.005


def test_limits_count_and_what_is_out_of_proportion_is_said() -> None:
    obj, _ = simple_face()
    both = (Link("up", _bone("Chin", "location.z"), 0.008), Link("side", _bone("Chin", "location.x"), 0.008))
    measured = measure_mapped(obj, Mapping("", both))
    reach = np.linalg.norm(measured.rig.deltas, axis=2).max(axis=1)
    assert reach[0] == pytest.approx(0.002, abs=2e-4)  # the constraint stops it
    assert reach[1] == pytest.approx(0.008, abs=8e-4)
    assert measured.bent[0] > 0.4 > 0.01 > measured.bent[1]
    assert any("up" in note and "proportion" in note for note in measured.notes)
    assert measured.rig.ranges[:, 0].tolist() == [-1.0, -1.0]


def test_what_turns_the_whole_head_and_what_moves_nothing_is_left_out_and_said() -> None:
    obj, _ = simple_face()
    links = (
        Link("jawOpen", _bone("Jaw", "rotation.x"), 0.2),
        Link("headYaw", _bone("Head", "rotation.y"), 0.3),
        Link("tongueOut", _bone("Tongue", "rotation.x"), 0.3),
    )
    measured = measure_mapped(obj, Mapping("", links))
    assert measured.rig.channels == ("jawOpen",)
    assert any("tongueOut" in note for note in measured.notes)
    assert any("headYaw" in note and "whole head" in note for note in measured.notes)
    with pytest.raises(FacecapError, match="moves the face"):
        measure_mapped(obj, Mapping("", links[1:]))


def test_reading_leaves_pose_animation_and_modifiers_as_they_are() -> None:
    obj, armature = simple_face()
    jaw = armature.pose.bones["Jaw"]
    jaw.rotation_mode = "XYZ"
    jaw.rotation_euler.x = 0.1
    jaw.keyframe_insert("rotation_euler", frame=1)
    armature.pose.bones["Head"].location.x = 0.05
    smooth = obj.modifiers.new("Subdivision", "SUBSURF")
    bpy.context.view_layer.update()
    before, action = _state(armature), armature.animation_data.action
    measured = measure_mapped(obj, Mapping("", (Link("jawOpen", _bone("Jaw", "rotation.x"), 0.2),)))
    assert np.abs(measured.rig.neutral - coordinates(obj.data.vertices)).max() < 2e-6  # not the pose it stands in
    assert _state(armature) == before and armature.animation_data.action == action
    assert smooth.show_viewport


def test_a_hidden_head_is_refused_in_words() -> None:
    obj, _ = simple_face()
    obj.hide_set(True)
    with pytest.raises(FacecapError, match="hidden"):
        measure_mapped(obj, Mapping("", (Link("jawOpen", _bone("Jaw", "rotation.x"), 0.2),)))


@pytest.mark.parametrize("upgraded", [True, False], ids=["new", "old"])
def test_each_control_of_a_rigify_face_becomes_a_channel_that_can_be_keyed(upgraded: bool) -> None:
    rigged = rigify_head(upgraded=upgraded)
    before = _state(rigged.armature)
    rig = extract_rig(rigged.skin.obj)
    own = find_own_controls(rigged.skin.obj)
    assert _state(rigged.armature) == before
    assert rig.channels == tuple(link.channel for link in own.links)
    targets = {(link.target.name, link.target.axis.partition(".")[0]) for link in own.links}
    assert {"jaw_master", "lip.T", "lip.B"} <= {name for name, _ in targets}
    assert not {"head", "neck", "torso", "root"} & {name for name, _ in targets}
    assert 40 <= len(rig.channels) <= 160
    flat = rig.deltas.reshape(len(rig.channels), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    alike = np.abs(flat @ flat.T) - np.eye(len(flat))
    assert alike.max() < 0.95  # none does what another does


def test_a_head_that_nothing_moves_says_what_can_be_done() -> None:
    skin = sample_skin()
    with pytest.raises(FacecapError, match="no shape keys and no armature"):
        extract_rig(skin.obj)
