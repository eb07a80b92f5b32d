"""What keeps a head or a key from moving as keyed is said, before the solve and after the bake."""

from __future__ import annotations

import bpy
import pytest

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.head.character import character_notes
from tests.blender.faces import make_face
from tests.blender.takes import make_take
from tests.blender.test_head_pose import make_rigged


def said(obj: bpy.types.Object, settings: BakeSettings | None = None) -> str:
    return "\n".join(apply_take(obj, make_take(), settings).remarks)


@pytest.mark.parametrize("kind", ["COPY_TRANSFORMS", "COPY_ROTATION", "DAMPED_TRACK"])
def test_a_constraint_on_the_head_is_said(kind: str) -> None:
    obj, control = make_face(), bpy.data.objects.new("HeadCtrl", None)
    bpy.context.collection.objects.link(control)
    obj.constraints.new(kind).target = control
    bpy.context.view_layer.update()
    assert any("constraint" in note for note in character_notes(obj))
    assert "the head's pose is not seen" in said(obj)
    obj.constraints[0].mute = True
    bpy.context.view_layer.update()
    assert not character_notes(obj)
    assert not said(obj)


def test_a_constraint_on_the_head_bone_is_said() -> None:
    obj, armature = make_rigged()
    bone = armature.pose.bones["Head"]
    bone.constraints.new("COPY_ROTATION").target = armature
    bone.constraints[0].subtarget = "Neck"
    assert "the head's pose is not seen" in said(obj, BakeSettings(head="bone", bone="Head"))


def test_a_driver_on_the_heads_turn_is_said() -> None:
    obj = make_face()
    obj.driver_add("rotation_euler", 2).driver.expression = "0.3"
    assert any("driver on its rotation euler" in note for note in character_notes(obj))
    assert "a driver on its rotation euler" in said(obj)


def test_whatever_else_holds_the_head_is_said() -> None:
    obj, other = make_face(), make_face(name="Other")
    constraint = obj.constraints.new("CHILD_OF")
    constraint.target = other
    other.driver_add("rotation_euler", 2).driver.expression = "-frame * 0.2"  # turns on its own beneath the head
    assert "does not turn as the head does" in said(obj)


def test_locks_of_transforms_and_shapes_do_not_stop_keys() -> None:
    obj = make_face()
    obj.lock_rotation = obj.lock_location = (True, True, True)
    for block in obj.data.shape_keys.key_blocks:
        block.lock_shape = True
    assert not said(obj)


def test_a_key_that_stays_is_named() -> None:
    obj = make_face()
    apply_take(obj, make_take())
    keys = obj.data.shape_keys
    track = keys.animation_data.nla_tracks.new()
    strip = track.strips.new("pose", 1, bpy.data.actions[0])
    strip.mute = True
    track.is_solo = True
    assert "do not move as keyed (jawOpen" in said(obj)
