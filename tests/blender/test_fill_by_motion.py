"""A mapping filled by what moves: from the panel's button to the table, on a head whose keys have foreign names."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.mapping import give_mapping
from facecap_addon.blender.operators.fill_by_motion import FACECAP_OT_fill_by_motion
from facecap_addon.blender.scene.controls.stored_mapping import read_mapping
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.rig.mapping.mapping_file import save_mapping
from tests.blender.faces import make_face

HEAD = Path(__file__).resolve().parents[2] / "sample_scenes" / "head.blend"
MINE = Link("jawOpen", Target("key", "Key 1"), 0.5)


def test_what_is_there_stays_and_the_rest_is_filled(tmp_path: Path) -> None:
    face = make_face(("Key 1", "Key 2", "Key 3"))
    give_mapping(face, Mapping("mine", (MINE,)))
    guessed = (
        Link("jawOpen", Target("key", "Key 3"), sure=False),
        Link("mouthLeft", Target("key", "Key 1"), sure=False),
        Link("mouthRight", Target("key", "Key 2"), sure=False),
    )
    save_mapping(tmp_path / "a.mapping.json", Mapping("guessed", guessed))
    facts = {"mapping": str(tmp_path / "a.mapping.json")}
    said = FACECAP_OT_fill_by_motion.apply(session.Job, facts, bpy.context.scene, face)  # pyright: ignore
    assert read_mapping(face).links == (MINE, guessed[2])
    assert "2 of 52" in said.lines[0] and "1 " in said.lines[1]


def test_it_wants_shape_keys() -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.scene.facecap.character = bpy.context.object
    with pytest.raises(RuntimeError, match="no character with shape keys"):
        bpy.ops.facecap.fill_mapping_by_motion()


@pytest.mark.slow  # it places landmarks
def test_keys_with_japanese_names_are_found_from_the_panel() -> None:
    bpy.ops.wm.open_mainfile(filepath=str(HEAD))
    head = next(obj for obj in bpy.data.objects if obj.type == "MESH" and obj.data.shape_keys)
    truth = {}
    for number, block in enumerate(head.data.shape_keys.key_blocks[1:]):
        name = f"キー {number * 7 % 52}"
        truth[name], block.name = block.name, name
    bpy.context.scene.facecap.character = head
    bpy.ops.facecap.fill_mapping_by_motion()
    links = read_mapping(head).links
    assert {link.target.name: link.channel for link in links} == truth
    assert "52 of 52" in session.outcome.lines[0]
