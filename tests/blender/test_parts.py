"""Characters of several meshes: nothing of the head stays behind, and all of its meshes make the face."""

from __future__ import annotations

import json
from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.scene.head.parts import head_bone, parts_of
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.takes.take import Take
from tests.blender.avatars import make_avatar, make_part, still_apart
from tests.blender.faces import evaluated
from tests.blender.takes import make_take

FRAMES = (1.0, 9.0, 20.0, 33.0)


def stiff(take: Take) -> Take:
    """A head that turns without a word: what its parts do is then plain."""
    return replace(take, weights=np.zeros_like(take.weights))


@pytest.mark.parametrize("carrier", ["empty", "armature", "nothing"])
def test_eyes_and_teeth_stay_in_the_head_that_turns(carrier: str) -> None:
    meshes = make_avatar(carrier)
    report = apply_take(meshes["Head"], stiff(make_take(channels=ARKIT_CHANNELS)))
    assert meshes["Head"].evaluated_get(bpy.context.evaluated_depsgraph_get()) is not None
    for name in ("EyeLeft", "EyeRight", "Teeth"):
        assert still_apart(meshes["Head"], meshes[name], FRAMES) < 1e-4, report.remarks
    if carrier == "empty":
        assert still_apart(meshes["Head"], meshes["Body"], FRAMES) < 1e-4
    if carrier == "armature":
        assert meshes["Body"].evaluated_get(bpy.context.evaluated_depsgraph_get()) is not None
        assert bpy.data.objects["Rig"].animation_data.action is not None
        assert np.abs(evaluated(meshes["Body"], 1.0) - evaluated(meshes["Body"], 33.0)).max() < 1e-6
    if carrier == "nothing":
        assert any("nothing carries them" in remark for remark in report.remarks)


def test_the_head_turns_as_it_was_filmed_whatever_carries_it() -> None:
    """The same head on its own, and on what carries it, is in the same place at all times."""
    places: list[np.ndarray] = []
    for carrier in ("nothing", "armature"):
        bpy.ops.wm.read_homefile(use_empty=True)
        meshes = make_avatar(carrier)
        apply_take(meshes["Head"], stiff(make_take(channels=ARKIT_CHANNELS)))
        from tests.blender.faces import evaluated_world

        shift = (0.3, -0.2, 0.0) if carrier == "armature" else (0, 0, 0)
        places.append(evaluated_world(meshes["Head"], 30.0) - shift)
    np.testing.assert_allclose(places[0], places[1], atol=1e-5)


@pytest.mark.parametrize("carrier", ["empty", "armature", "nothing"])
def test_keys_of_the_same_names_are_keyed_on_all_meshes(carrier: str) -> None:
    meshes = make_avatar(carrier)
    take = make_take(channels=ARKIT_CHANNELS)
    rigs = {name: extract_rig(meshes[name]) for name in ("EyeLeft", "Teeth")}
    report = apply_take(meshes["Head"], take, BakeSettings(head="none"))
    assert sum("too, and they were keyed" in remark for remark in report.remarks) == 3
    bpy.context.scene.render.fps = 24
    for name, rig in rigs.items():
        columns = [take.channels.index(channel) for channel in rig.channels]
        shown = evaluated(meshes[name], 1 + float(take.time_s[12]) * 24)
        np.testing.assert_allclose(shown, rig.vertices_at(take.weights[12][columns]), atol=3e-5)


def test_another_character_beside_it_is_left_alone() -> None:
    meshes = make_avatar("empty")
    other = make_part("Other head", (2.0, 0, 0), 0.1, segments=24)
    copy = make_part("Head before", (0, 0, 0), 0.1, segments=32)
    hidden = make_part("Hidden teeth", (0, -0.07, -0.04), 0.02)
    hidden.parent = meshes["Avatar"]
    hidden.hide_viewport = True
    bpy.context.view_layer.update()
    parts = parts_of(meshes["Head"], bpy.context.scene)
    assert [part.name for part in parts] == ["Body", "EyeLeft", "EyeRight", "Teeth"]
    apply_take(meshes["Head"], make_take(channels=ARKIT_CHANNELS))
    for one in (other, copy, hidden):
        assert one.data.shape_keys.animation_data is None and one.animation_data is None


def test_what_carries_other_things_is_not_turned() -> None:
    meshes = make_avatar("empty")
    chair = make_part("Chair", (9.0, 0, 0), 0.5, channels=())
    chair.parent = meshes["Avatar"]
    bpy.context.view_layer.update()
    before = chair.matrix_world.copy()
    apply_take(meshes["Head"], stiff(make_take(channels=ARKIT_CHANNELS)))
    assert still_apart(meshes["Head"], meshes["EyeLeft"], FRAMES) < 1e-4
    assert chair.matrix_world == before


def test_the_head_bone_is_found_by_weights_and_names() -> None:
    meshes = make_avatar("armature")
    assert head_bone(meshes["Head"]).name == "Head"
    assert head_bone(meshes["EyeLeft"]).name == "Head"
    rig = meshes["Rig"]
    rig.data.bones["Head"].name = "DEF-head"
    assert head_bone(meshes["Head"]).name == "DEF-head"
    control = rig.pose.bones["Spine"]
    control.name = "head"
    rig.pose.bones["DEF-head"].constraints.new("COPY_TRANSFORMS").target = rig
    assert head_bone(meshes["Head"]) == control  # what moves the deforming bone


def test_a_mesh_that_hangs_on_a_bone_turns_with_it() -> None:
    meshes = make_avatar("armature")
    for name in ("Head", "EyeLeft"):
        obj = meshes[name]
        obj.modifiers.clear()
        obj.parent_type, obj.parent_bone = "BONE", "Head" if name == "Head" else "LeftEye"
        obj.matrix_parent_inverse = Matrix.Identity(4)
    bpy.context.view_layer.update()
    apply_take(meshes["Head"], stiff(make_take(channels=ARKIT_CHANNELS)))
    assert still_apart(meshes["Head"], meshes["EyeLeft"], FRAMES) < 1e-4


def test_the_actions_of_all_meshes_are_one_where_blender_has_slots() -> None:
    from facecap_addon.blender.scene.animation.curves import SLOTTED

    meshes = make_avatar("empty")
    report = apply_take(meshes["Head"], make_take(channels=ARKIT_CHANNELS))
    assert meshes["Avatar"] in report.animated and meshes["Teeth"].data.shape_keys in report.animated
    if SLOTTED:
        assert {thing.animation_data.action for thing in report.animated} == {report.action}
    assert json.loads(report.action["facecap_regions"])
