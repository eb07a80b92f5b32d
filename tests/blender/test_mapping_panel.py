"""The section Mapping: filled, tested without a trace, checked, cleaned, kept as presets and files."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender import session
from facecap_addon.blender.mapping import give_mapping
from facecap_addon.blender.operators.mapping import user_mappings
from facecap_addon.blender.present import WEIGHT
from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.controls.stored_mapping import group_of, mapping_of, read_mapping
from facecap_addon.rig.mapping.mapping import Link, Target
from tests.blender.control_rig import all_of, make_control_rig
from tests.blender.takes import make_take
from tests.blender.test_mapping import MAPPING


def with_character() -> dict[str, bpy.types.Object]:
    parts = make_control_rig()
    bpy.context.scene.facecap.character = parts["Head"]
    return parts


def slide(weight: float) -> None:
    setattr(bpy.context.window_manager, WEIGHT, weight)


def test_the_52_are_found_by_name_and_a_hand_on_a_guess_makes_it_sure() -> None:
    head = with_character()["Head"]
    bpy.ops.facecap.auto_fill_mapping()
    mapping = mapping_of(head)
    assert mapping is not None and len(mapping.links) == 52
    assert all(link.channel == link.target.name and link.target.kind == "key" for link in mapping.links)
    assert "52 of 52" in session.outcome.lines[0]
    link = group_of(head).links[0]
    link.sure = False
    link.factor = 0.5
    assert link.sure


def test_a_channel_is_tested_on_keys_and_bones_and_nothing_is_left() -> None:
    parts = with_character()
    head, rig = parts["Head"], parts["Rig"]
    apply_take(head, make_take(), BakeSettings(head="none"))
    bpy.context.scene.frame_set(9)
    give_mapping(head, MAPPING)
    head.data.shape_keys.key_blocks["mouthSmileLeft"].value = 0.77
    before = all_of(parts)
    slide(0.5)
    np.testing.assert_allclose(rig.pose.bones["Jaw"].matrix_basis.to_3x3(), Matrix.Rotation(0.35, 3, "X"), atol=1e-5)
    slide(1.0)
    np.testing.assert_allclose(rig.pose.bones["Jaw"].matrix_basis.to_3x3(), Matrix.Rotation(0.6, 3, "X"), atol=1e-5)
    assert parts["Head"].data.shape_keys.key_blocks["mouthSmileLeft"].value == pytest.approx(0.77)  # another channel's
    group_of(head).active = 2  # another link is chosen: the first one's test ends
    assert all_of(parts) == before and getattr(bpy.context.window_manager, WEIGHT) == 0.0
    slide(1.0)
    assert parts["Teeth"].data.shape_keys.key_blocks["mouthSmileLeft"].value == pytest.approx(0.5)
    slide(0.0)
    assert all_of(parts) == before and not group_of(head).tested


def test_a_test_is_neither_saved_nor_left_by_undo_and_redo(tmp_path: Path) -> None:
    parts = with_character()
    head = parts["Head"]
    give_mapping(head, MAPPING)
    bpy.ops.ed.undo_push(message="before")
    slide(1.0)
    bpy.ops.ed.undo_push(message="in the middle of a test")
    bpy.ops.ed.undo()
    rig = bpy.data.objects["Rig"]
    assert rig.pose.bones["Jaw"].matrix_basis == Matrix()
    bpy.ops.ed.redo()
    assert bpy.data.objects["Rig"].pose.bones["Jaw"].matrix_basis == Matrix()
    slide(0.0)
    slide(1.0)
    assert bpy.data.objects["Rig"].pose.bones["Jaw"].matrix_basis != Matrix()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "x.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "x.blend"))
    assert bpy.data.objects["Rig"].pose.bones["Jaw"].matrix_basis == Matrix()
    assert mapping_of(bpy.data.objects["Head"]) == MAPPING  # saved with the character


def test_undo_takes_a_mapping_back_and_redo_gives_it_again() -> None:
    with_character()
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.facecap.auto_fill_mapping()
    bpy.ops.ed.undo_push(message="Auto-Fill")
    bpy.ops.ed.undo()
    assert mapping_of(bpy.data.objects["Head"]) is None
    bpy.ops.ed.redo()
    assert len(read_mapping(bpy.data.objects["Head"]).links) == 52


def test_a_file_and_a_preset_hold_the_mapping(tmp_path: Path) -> None:
    head = with_character()["Head"]
    give_mapping(head, MAPPING)
    path = tmp_path / "hero.mapping.json"
    bpy.ops.facecap.save_mapping(filepath=str(path))
    bpy.ops.facecap.keep_mapping_preset(title="Héros: eins")
    bpy.ops.facecap.clear_mapping()
    assert mapping_of(head) is None
    bpy.ops.facecap.load_mapping(filepath=str(path))
    assert mapping_of(head) == MAPPING
    name, kept = next(iter(user_mappings().items()))
    bpy.ops.facecap.load_mapping(filepath=str(kept))
    assert read_mapping(head).name == name and read_mapping(head).links == MAPPING.links
    bpy.ops.facecap.remove_mapping_preset(title=name)
    assert not user_mappings()


def test_a_preset_for_another_rig_is_refused_and_what_does_not_fit_is_removed() -> None:
    from facecap_addon.rig.mapping.presets import shipped_presets

    head = with_character()["Head"]
    give_mapping(head, MAPPING)
    with pytest.raises(RuntimeError, match="another rig"):
        bpy.ops.facecap.load_mapping(filepath=str(shipped_presets()["VRoid"]))
    assert mapping_of(head) == MAPPING
    added = group_of(head).links.add()
    added.channel, added.kind, added.target = "jawOpen", "bone", "gone"
    with pytest.raises(RuntimeError, match="gone"):
        bpy.ops.facecap.check_mapping()
    bpy.ops.facecap.clean_mapping()
    assert mapping_of(head) == MAPPING
    bpy.ops.facecap.check_mapping()


def test_links_are_added_and_their_curves() -> None:
    head = with_character()["Head"]
    bpy.ops.facecap.add_link()
    group_of(head).links[0].channel, group_of(head).links[0].target = "jawOpen", "jawOpen"
    bpy.ops.facecap.add_link()
    group_of(head).links[1].target = "mouthClose"
    bpy.ops.facecap.link_point()
    bpy.ops.facecap.link_point()
    bpy.ops.facecap.link_point(remove=2)
    curve = ((0.0, 0.0), (1.0, 1.0))
    wanted = (
        Link("jawOpen", Target("key", "jawOpen")),
        Link("jawOpen", Target("key", "mouthClose"), curve=curve),
    )
    assert read_mapping(head).links == wanted
    bpy.ops.facecap.remove_link()
    assert read_mapping(head).links == wanted[:1]
