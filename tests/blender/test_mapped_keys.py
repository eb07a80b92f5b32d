"""Keys that a mapping wrote: reduced by the button wherever they lie, and laid on a library override."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender.operators.solve import remember
from facecap_addon.blender.scene.animation.bake import BakeSettings, apply_take
from facecap_addon.blender.scene.animation.curves import curves_of
from facecap_addon.blender.scene.controls.stored_mapping import mapping_of, store_mapping
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from tests.blender.control_rig import make_control_rig
from tests.blender.takes import make_take
from tests.blender.test_takes import written

OPEN, SMILE = "jawOpen", "mouthSmileLeft"


def with_board(head: bpy.types.Object) -> bpy.types.Object:
    """A face board: nothing hangs on it, the head's drivers read it."""
    board = bpy.data.objects.new("Board", bpy.data.armatures.new("Board"))
    bpy.context.collection.objects.link(board)
    bpy.context.view_layer.objects.active = board
    bpy.ops.object.mode_set(mode="EDIT")
    board.data.edit_bones.new("Slide").tail = (0, 0, 0.1)
    bpy.ops.object.mode_set(mode="OBJECT")
    driver = head.data.shape_keys.key_blocks["browInnerUp"].driver_add("value").driver
    variable = driver.variables.new()
    variable.type, variable.targets[0].id = "TRANSFORMS", board
    variable.targets[0].bone_target = "Slide"
    return board


def key_counts(*owners: bpy.types.Object) -> list[int]:
    return [sum(len(curve.keyframe_points) for curve in curves_of(owner)) for owner in owners]


def test_the_button_reduces_what_a_mapping_keyed_on_bones_and_on_a_face_board(tmp_path: Path) -> None:
    parts = make_control_rig()
    head, rig, board = parts["Head"], parts["Rig"], with_board(parts["Head"])
    slide, jaw = Target("bone", "Slide", "location.x", "Board"), Target("bone", "Jaw", "location.y")
    store_mapping(head, Mapping("Board", (Link(OPEN, slide, 0.01), Link(SMILE, jaw, 0.01))))
    settings = bpy.context.scene.facecap
    settings.character, settings.bake.head = head, "none"
    with pytest.raises(RuntimeError, match="no keys that FaceCap wrote"):
        bpy.ops.facecap.reduce_keys()
    remember(bpy.context.scene, written(tmp_path, make_take(30, seed=1)))
    bpy.ops.facecap.bake()
    before = key_counts(rig, board)
    courses = [(curve, [curve.evaluate(f) for f in range(1, 28)]) for one in (rig, board) for curve in curves_of(one)]
    settings.take_list.place_tolerance = 0.004
    assert bpy.ops.facecap.reduce_keys() == {"FINISHED"}
    after = key_counts(rig, board)
    assert all(0 < few < many for few, many in zip(after, before, strict=True)), (before, after)
    for curve, course in courses:
        np.testing.assert_allclose([curve.evaluate(f) for f in range(1, 28)], course, atol=0.004 + 1e-6)


def test_a_character_that_only_bones_move_can_be_reduced(tmp_path: Path) -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    head.shape_key_clear()
    settings = bpy.context.scene.facecap
    settings.character, settings.bake.head = head, "none"
    store_mapping(head, Mapping("Jaw", (Link(OPEN, Target("bone", "Jaw", "location.y"), 0.01),)))
    remember(bpy.context.scene, written(tmp_path, make_take(30, seed=1)))
    bpy.ops.facecap.bake()
    (before,) = key_counts(rig)
    settings.take_list.place_tolerance = 0.004
    assert bpy.ops.facecap.reduce_keys() == {"FINISHED"}
    assert 0 < key_counts(rig)[0] < before


def test_a_library_override_is_keyed_through_the_mapping_that_came_with_it_and_saved(tmp_path: Path) -> None:
    parts = make_control_rig()
    store_mapping(
        parts["Head"],
        Mapping(
            "Linked",
            (
                Link(OPEN, Target("bone", "Jaw", "rotation.x"), 0.5),
                Link(SMILE, Target("key", SMILE), 0.5),
                Link("browInnerUp", Target("property", "raise", "Brow"), 2.0),
            ),
        ),
    )
    avatar = bpy.data.collections.new("Avatar")
    bpy.context.scene.collection.children.link(avatar)
    for part in parts.values():
        avatar.objects.link(part)
        bpy.context.scene.collection.objects.unlink(part)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "avatar.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "avatar.blend"), link=True) as (_, data):
        data.collections = ["Avatar"]
    data.collections[0].override_hierarchy_create(bpy.context.scene, bpy.context.view_layer, do_fully_editable=True)
    take = make_take()
    head, rig = overridden("Head"), overridden("Rig")
    assert mapping_of(head) is not None
    report = apply_take(head, take, BakeSettings(head="none"))
    assert report.keyed == [SMILE] and set(report.controls) == {"Jaw", "Brow"}
    assert_moved(head, rig, take)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert_moved(overridden("Head"), overridden("Rig"), take)


def overridden(name: str) -> bpy.types.Object:
    (found,) = [one for one in bpy.data.objects if one.name == name and one.override_library is not None]
    return found


def assert_moved(head: bpy.types.Object, rig: bpy.types.Object, take) -> None:
    for row in (2, 17, 35):
        frame = 1 + take.time_s[row] * 24
        weights = dict(zip(take.channels, take.weights[row], strict=True))
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        graph = bpy.context.evaluated_depsgraph_get()
        bones = rig.evaluated_get(graph).pose.bones
        turn = Matrix.Rotation(0.5 * weights[OPEN], 3, "X")
        np.testing.assert_allclose(bones["Jaw"].matrix_basis.to_3x3(), turn, atol=2e-5)
        assert bones["Brow"]["raise"] == pytest.approx(2 * weights["browInnerUp"], abs=2e-5)
        shown = head.evaluated_get(graph).data.shape_keys.key_blocks[SMILE]
        assert shown.value == pytest.approx(0.5 * weights[SMILE], abs=2e-5)
