"""Targets of a mapping on a character: found, set, put back to the last bit, and checked before anything is keyed."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.controls.check import check_targets
from facecap_addon.blender.scene.controls.hold import held_controls, set_targets
from facecap_addon.blender.scene.controls.targets import read_targets
from facecap_addon.errors import FacecapError
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from tests.blender.control_rig import all_of, make_control_rig
from tests.blender.faces import evaluated
from tests.blender.takes import make_take

JAW_X = Target("bone", "Jaw", "rotation.x")
RAISE, PUFF = Target("property", "raise", "Brow"), Target("property", "puff", "", "Rig")


def mapping_to(*targets: Target) -> Mapping:
    return Mapping("Test", tuple(Link("jawOpen", target) for target in targets))


def test_all_that_a_character_could_be_moved_by_is_read() -> None:
    parts = make_control_rig()
    found = read_targets(parts["Head"])
    assert len(found) == len(set(found))
    assert {JAW_X, RAISE, PUFF, Target("key", "jawOpen"), Target("bone", "Spine", "scale.z")} <= set(found)
    assert sum(target.kind == "key" for target in found) == 52  # five meshes have them; each is one
    assert sum(target.kind == "bone" for target in found) == 9 * 6


def test_a_face_board_by_which_the_drivers_go_has_targets_too() -> None:
    parts = make_control_rig()
    board = parts["Rig"].copy()
    board.data, board.name = parts["Rig"].data.copy(), "Board"
    bpy.context.collection.objects.link(board)
    assert not any(target.owner == "Board" for target in read_targets(parts["Head"]))
    curve = parts["Head"].data.shape_keys.key_blocks["jawOpen"].driver_add("value")
    variable = curve.driver.variables.new()
    variable.type, variable.targets[0].id = "TRANSFORMS", board
    variable.targets[0].bone_target, variable.targets[0].transform_type = "Jaw", "LOC_Y"
    variable.targets[0].transform_space, curve.driver.expression = "LOCAL_SPACE", "var * 10"
    slider = Target("bone", "Jaw", "location.y", "Board")
    assert slider in read_targets(parts["Head"])
    before = evaluated(parts["Head"])
    with held_controls(parts["Head"]):
        set_targets(parts["Head"], {slider: 0.05})
        bpy.context.view_layer.update()
        shown = parts["Head"].evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert math.isclose(shown.data.shape_keys.key_blocks["jawOpen"].value, 0.5, abs_tol=1e-5)
        assert np.abs(evaluated(parts["Head"]) - before).max() > 1e-4
    np.testing.assert_array_equal(evaluated(parts["Head"]), before)


def test_values_move_keys_of_every_mesh_bones_and_properties_and_all_is_put_back() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    apply_take(head, make_take(), BakeSettings())
    bpy.context.scene.frame_set(7, subframe=0.25)
    rig.pose.bones["Jaw"].location.x = 0.3  # never keyed, not at rest
    rig.pose.bones["Brow"].rotation_mode = "YXZ"
    head.data.shape_keys.key_blocks["mouthSmileLeft"].value = 0.123  # not where its key has it
    before = all_of(parts)
    with pytest.raises(RuntimeError, match="in the middle"), held_controls(head):
        missing = set_targets(
            head, {JAW_X: 0.5, RAISE: 0.75, PUFF: 3.0, Target("key", "jawOpen"): 0.5, Target("key", "x"): 1}
        )
        assert missing == [Target("key", "x")]
        bpy.context.view_layer.update()
        assert all(
            parts[name].data.shape_keys.key_blocks["jawOpen"].value == 0.5 for name in ("Head", "EyeLeft", "Teeth")
        )
        turned = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["Jaw"].matrix_basis
        np.testing.assert_allclose(turned.to_3x3(), Matrix.Rotation(0.5, 3, "X"), atol=1e-6)
        assert rig.pose.bones["Brow"]["raise"] == 0.75 and rig["puff"] == 1.0  # its own limit
        bpy.context.scene.frame_set(20)
        rig.pose.bones["Jaw"].rotation_mode = "XYZ"
        raise RuntimeError("in the middle")
    assert all_of(parts) == before


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE"])
def test_a_rotation_vector_turns_a_bone_alike_in_every_rotation_mode(mode: str) -> None:
    parts = make_control_rig()
    jaw = parts["Rig"].pose.bones["Jaw"]
    jaw.rotation_mode = mode
    vector = np.array([0.4, -0.3, 0.2])
    set_targets(parts["Head"], {Target("bone", "Jaw", f"rotation.{a}"): v for a, v in zip("xyz", vector, strict=True)})
    bpy.context.view_layer.update()
    turn = Matrix.Rotation(float(np.linalg.norm(vector)), 3, vector.tolist())
    np.testing.assert_allclose(jaw.matrix_basis.to_3x3(), turn, atol=1e-6)


def test_locations_are_metres_on_an_armature_of_another_scale() -> None:
    parts = make_control_rig()
    parts["Rig"].scale = (0.01, 0.01, 0.01)
    bpy.context.view_layer.update()
    jaw, before = parts["Rig"].pose.bones["Jaw"], None
    before = parts["Rig"].matrix_world @ jaw.matrix.translation
    set_targets(parts["Head"], {Target("bone", "Jaw", "location.y"): 0.02})
    bpy.context.view_layer.update()
    assert math.isclose((parts["Rig"].matrix_world @ jaw.matrix.translation - before).length, 0.02, rel_tol=1e-5)


def test_everything_in_the_way_is_named_in_one_message() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    rig.pose.bones["Jaw"].lock_rotation[1] = True
    head.data.shape_keys.key_blocks["jawOpen"].driver_add("value").driver.expression = "0.3"
    other = bpy.data.objects.new("Twin", rig.data)
    bpy.context.collection.objects.link(other)
    wanted = mapping_to(
        Target("key", "gibt es nicht"),
        Target("bone", "Unterkiefer", "rotation.x"),
        Target("property", "none", "Brow"),
        Target("bone", "Jaw", "rotation.y"),
        Target("key", "jawOpen"),
        JAW_X,
    )
    before = all_of(parts)
    problems = check_targets(head, wanted)
    with pytest.raises(FacecapError) as error:
        problems.refuse(wanted.name)
    assert all(
        name in error.value.what for name in ("gibt es nicht", "Unterkiefer", "“none” of bone “Brow”", "rotation Y")
    )
    assert (
        "moved by drivers: shape key “jawOpen”" in error.value.what
        and "rotation X" not in error.value.what.split("locked")[1]
    )
    assert problems.targets == set(wanted.targets) - {JAW_X}
    assert all_of(parts) == before
    assert not check_targets(head, mapping_to(JAW_X, RAISE, PUFF))


def test_what_would_not_be_seen_is_a_note() -> None:
    parts = make_control_rig()
    parts["Head"].data.shape_keys.key_blocks["cheekPuff"].mute = True
    jaw = parts["Rig"].pose.bones["Jaw"]
    jaw.constraints.new("LIMIT_ROTATION").name = "Stop"
    copy = parts["Rig"].pose.bones["Brow"].constraints.new("COPY_TRANSFORMS")
    copy.name, copy.target, copy.subtarget = "Copy", parts["Rig"], "Neck"
    problems = check_targets(
        parts["Head"], mapping_to(JAW_X, Target("key", "cheekPuff"), Target("bone", "Brow", "location.x"))
    )
    assert not problems
    said = " ".join(problems.notes)
    assert "cheekPuff" in said and "“Jaw” by “Stop”" in said and "“Brow” by the constraint “Copy”" in said


def test_drivers_that_go_round_in_a_circle_are_named() -> None:
    parts = make_control_rig()
    blocks = parts["Head"].data.shape_keys.key_blocks
    for moved, read in (
        ("jawLeft", "jawRight"),
        ("jawRight", "jawLeft"),
        ("jawLeft", "jawForward"),
        ("noseSneerLeft", "cheekPuff"),
    ):
        existing = parts["Head"].data.shape_keys.animation_data
        path = blocks[moved].path_from_id("value")
        curve = existing.drivers.find(path) if existing else None
        curve = curve or blocks[moved].driver_add("value")
        variable = curve.driver.variables.new()
        variable.targets[0].id_type = "KEY"
        variable.targets[0].id = parts["Head"].data.shape_keys
        variable.targets[0].data_path = blocks[read].path_from_id("value")
    problems = check_targets(parts["Head"], mapping_to(Target("key", "jawForward"), Target("key", "cheekPuff")))
    assert problems.found == {"cyclic": [Target("key", "jawForward")]}


def test_two_armatures_of_one_name_are_not_guessed_between(tmp_path) -> None:
    parts = make_control_rig()
    path = tmp_path / "rig.blend"
    bpy.data.libraries.write(str(path), {parts["Rig"]})
    parts["Rig"].name = "Board"
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = ["Rig"]
    bpy.context.collection.objects.link(wanted.objects[0])
    linked = Target("bone", "Jaw", "rotation.x", "Rig")
    assert check_targets(parts["Head"], mapping_to(linked)).found == {"linked": [linked]}
    second = bpy.data.objects.new("Rig", parts["Rig"].data)
    bpy.context.collection.objects.link(second)
    bpy.context.view_layer.update()
    assert second.name == "Rig"  # Blender allows it beside a linked one
    assert check_targets(parts["Head"], mapping_to(linked)).found == {"ambiguous": [linked]}
