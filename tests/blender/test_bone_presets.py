"""Presets for faces that bones move, on the rigs that they name; and a solve on bones alone."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from benchmarks.bone_rig import score, shown
from facecap_addon.blender.headless.requests import give_mapping
from facecap_addon.blender.scene.controls.check import check_targets
from facecap_addon.blender.scene.controls.stored_mapping import mapping_of, read_mapping
from facecap_addon.blender.scene.controls.targets import read_targets
from facecap_addon.blender.scene.head.control_deltas import measure_mapped
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.embedding import landmark_geometry
from facecap_addon.rig.mapping.evaluate import evaluate
from facecap_addon.rig.mapping.mapping_file import load_mapping, mapping_facts
from facecap_addon.rig.mapping.presets import keep_present, shipped_presets
from tests.blender.rigs.rigify import rigify_head
from tests.unit.sample import FOCAL_PX, sample, seen

# Lips that roll in or press together have no bone of their own, and lids slide over the eye, which bones do not.
_ROUGHLY = ("mouthRoll", "mouthPress", "eyeBlink")


@pytest.mark.parametrize("upgraded", [True, False], ids=["new", "old"])
def test_rigifys_presets_do_what_arkits_channels_do(upgraded: bool) -> None:
    rigged = rigify_head(upgraded=upgraded)
    mapping = load_mapping(shipped_presets()["Rigify new face" if upgraded else "Rigify old face"])
    _, missing = keep_present(mapping, read_targets(rigged.skin.obj))
    assert not missing
    measured = measure_mapped(rigged.skin.obj, mapping)
    assert set(measured.rig.channels) == set(ARKIT_CHANNELS)
    for channel, delta in zip(measured.rig.channels, measured.rig.deltas, strict=True):
        wanted = rigged.skin.arkit[channel]
        left = ((delta - wanted) ** 2).sum() / (wanted**2).sum()
        assert left < (0.45 if channel.startswith(_ROUGHLY) else 0.35), channel
    assert np.median(measured.bent) < 0.06  # near enough to linear for the fit


def test_a_preset_does_the_same_on_a_face_of_another_size() -> None:
    """Locations grow with the face, once, however the preset comes to the character and however often."""
    rigged = rigify_head()
    obj, path = rigged.skin.obj, shipped_presets()["Rigify new face"]
    bpy.context.scene.facecap.character = obj
    bpy.ops.facecap.load_mapping(filepath=str(path))
    small = measure_mapped(obj, read_mapping(obj)).rig
    rigged.armature.scale = (1.7, 1.7, 1.7)
    bpy.context.view_layer.update()
    bpy.ops.facecap.load_mapping(filepath=str(path))
    loaded = read_mapping(obj)
    assert loaded.face_size_m == pytest.approx(1.7 * load_mapping(path).face_size_m, rel=1e-4)
    give_mapping(obj, {"mapping": mapping_facts(load_mapping(path))})
    assert mapping_of(obj) == loaded
    give_mapping(obj, {"mapping": mapping_facts(loaded)})
    again = read_mapping(obj)
    np.testing.assert_allclose([x.factor for x in again.links], [x.factor for x in loaded.links], rtol=1e-5)
    large = measure_mapped(obj, again).rig
    assert large.channels == small.channels
    size = float(np.ptp(large.neutral, axis=0).max() / np.ptp(small.neutral, axis=0).max())
    assert size == pytest.approx(1.7, rel=1e-4)
    np.testing.assert_allclose(large.deltas / 1.7, small.deltas, atol=1e-4)  # of some centimetres


@pytest.mark.parametrize("upgraded", [True, False], ids=["new", "old"])
def test_bones_whose_constraints_only_add_are_not_said_to_be_held(upgraded: bool) -> None:
    rigged = rigify_head(upgraded=upgraded)
    mapping = load_mapping(shipped_presets()["Rigify new face" if upgraded else "Rigify old face"])
    assert not any("Held" in note for note in check_targets(rigged.skin.obj, mapping).notes)
    name = "brow.B.L.002"
    bone = rigged.armature.pose.bones[name]
    bone.location.x = 0.003
    bone.constraints.new("COPY_TRANSFORMS").target = rigged.armature
    bone.constraints[-1].subtarget = "brow.T.L"
    # Rigify's drivers move bones that it hides: those are none of the animator's.
    controls = [one for one in rigged.armature.pose.bones if one.custom_shape]
    before = [np.array(one.matrix_basis).tolist() for one in controls]
    held = [note for note in check_targets(rigged.skin.obj, mapping).notes if note.startswith("Held")]
    assert len(held) == 1 and name in held[0] and held[0].count("“brow") == 1 and "and" not in held[0].split("seen:")[1]
    assert before == [np.array(one.matrix_basis).tolist() for one in controls]


def test_a_face_of_bones_alone_follows_controls_that_are_known() -> None:
    """The CI's size of `benchmarks/bone_rig.py`: landmarks are projected from the mesh that Blender evaluates."""
    rigged = rigify_head()
    mapping = load_mapping(shipped_presets()["Rigify new face"])
    rig = measure_mapped(rigged.skin.obj, mapping).rig
    frames = 40
    time = np.linspace(0, 2 * np.pi, frames)
    weights = np.zeros((frames, len(ARKIT_CHANNELS)), np.float32)
    for i, name in enumerate(("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "mouthPucker")):
        weights[:, ARKIT_CHANNELS.index(name)] = 0.35 * (1 - np.cos((1 + i % 3) * time + i))
    targets, values = evaluate(mapping, ARKIT_CHANNELS, weights)
    truth = shown(rigged, targets, values)
    # Each frame as a key of its own: landmarks of the mesh as it was evaluated, not as the channels add up.
    posed = replace(
        rig,
        deltas=truth - rig.neutral,
        channels=tuple(f"frame {f}" for f in range(frames)),
        ranges=np.tile(np.float32([0, 1]), (frames, 1)),
    )
    rest, moved = landmark_geometry(posed, sample().embedding)
    turn = np.stack([0.1 * np.sin(time), 0.2 * np.sin(time + 1), 0.05 * np.cos(time)], axis=1)
    shift = np.tile([0.0, 0.0, 0.6], (frames, 1))
    observations = seen(rest, moved, np.eye(frames), turn, shift)
    take = solve_take(observations, rig, sample().embedding, FitSettings(focal_px=FOCAL_PX))
    scores = score(rigged, mapping, rig, take, truth, values)
    assert scores.still_mm > 2.0
    assert scores.rmse_mm < 2.0
    assert np.median(scores.correlation) > 0.8
    jaw = next(k for k, t in enumerate(scores.controls) if (t.name, t.axis) == ("jaw_master", "rotation.x"))
    assert scores.correlation[jaw] > 0.9
