"""Presets of shape keys on rigs of their names: what they name moves, by evaluated vertices, and is put back."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.controls.check import check_targets
from facecap_addon.blender.scene.controls.hold import held_controls, set_targets
from facecap_addon.blender.scene.controls.targets import read_targets
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.evaluate import evaluate
from facecap_addon.rig.mapping.guess import guess_mapping
from facecap_addon.rig.mapping.mapping import Target
from facecap_addon.rig.mapping.mapping_file import load_mapping
from facecap_addon.rig.mapping.presets import keep_present, shipped_presets
from tests.blender.faces import coordinates, evaluated, make_face

MAPPINGS = {name: load_mapping(path) for name, path in shipped_presets().items()}
OF_KEYS = [name for name, mapping in MAPPINGS.items() if all(target.kind == "key" for target in mapping.targets)]


@pytest.mark.parametrize("name", OF_KEYS)
def test_a_preset_moves_what_it_names_and_leaves_nothing(name: str) -> None:
    mapping = MAPPINGS[name]
    names = tuple(target.name for target in mapping.targets)
    face = make_face((*names, "Fat"))
    kept, missing = keep_present(mapping, read_targets(face))
    assert (kept, missing) == (mapping, ())
    assert not check_targets(face, mapping)
    blocks = face.data.shape_keys.key_blocks
    rest = coordinates(blocks["Basis"].data)
    moves = {key: coordinates(blocks[key].data) - rest for key in names}
    before = evaluated(face)
    weights = np.eye(len(ARKIT_CHANNELS), dtype=np.float32)
    targets, values = evaluate(mapping, ARKIT_CHANNELS, weights)
    for row, channel in enumerate(ARKIT_CHANNELS):
        links = [link for link in mapping.links if link.channel == channel]
        with held_controls(face):
            assert set_targets(face, dict(zip(targets, values[row].tolist(), strict=True))) == []
            moved = evaluated(face) - before
        wanted = sum((link.factor * moves[link.target.name] for link in links), np.zeros_like(rest))
        np.testing.assert_allclose(moved, wanted, atol=1e-5)
    np.testing.assert_array_equal(evaluated(face), before)


def test_what_blender_reads_of_a_character_is_guessed_by_its_names() -> None:
    face = make_face(("Mouth_Smile_L", "Jaw_Open", "Brow_Raise_Inner_L", "Brow_Raise_Inner_R", "Fat"))
    found = guess_mapping(face.name, read_targets(face))
    assert [(link.channel, link.target) for link in found.mapping.links] == [
        ("jawOpen", Target("key", "Jaw_Open")),
        ("mouthSmileLeft", Target("key", "Mouth_Smile_L")),
        ("browInnerUp", Target("key", "Brow_Raise_Inner_L")),
        ("browInnerUp", Target("key", "Brow_Raise_Inner_R")),
    ]
    assert bpy.data.objects[face.name] is face
