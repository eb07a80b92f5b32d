"""Landmarks are put in their place on the mesh: mirrored, kept with the object, undone; the mesh is not touched."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender.operators.viewport.edit_landmarks import read_surface
from facecap_addon.blender.overlay.landmarks import landmark_positions
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.jobs.steps.character import find_stored_embedding
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.landmarks.registry import open_landmarker
from tests.blender.faces import snapshot
from tests.blender.test_operators import needs_models, open_sample_head

pytestmark = needs_models


@pytest.fixture
def head(tmp_path: Path) -> bpy.types.Object:
    """The sample head with its landmarks, as after a solve."""
    obj = open_sample_head(tmp_path)
    path = find_stored_embedding(extract_rig(obj), open_landmarker().model_version, CACHE)
    if path is None:
        pytest.skip("the sample head was not prepared (python -m tools.build_sample_cache)")
    settings = bpy.context.scene.facecap
    settings.character, settings.result.embedding = obj, str(path)
    return obj


def place(landmark: int, at: np.ndarray, **more: object) -> None:
    assert bpy.ops.facecap.place_landmark(landmark=landmark, location=at.tolist(), **more) == {"FINISHED"}


def test_a_landmark_and_its_twin_move_and_the_mesh_stays(head: bpy.types.Object) -> None:
    twin = int(MEDIAPIPE_478.mirror[105])
    before, mesh = read_surface(bpy.context).landmarks(), snapshot(head)
    wanted = before[105] + np.array([0.002, 0.0, -0.006])
    place(105, wanted)
    after = read_surface(bpy.context).landmarks()
    assert np.linalg.norm(after[105] - wanted) < 0.003  # the nearest place of the surface
    assert before[105, 2] - after[105, 2] > 0.003
    np.testing.assert_allclose(after[twin] * [-1, 1, 1], after[105], atol=5e-4)
    others = np.setdiff1d(np.arange(478), [105, twin])
    np.testing.assert_array_equal(after[others], before[others])
    assert snapshot(head) == mesh
    edits = extract_rig(head).edits  # what the worker gets
    assert edits is not None and edits.landmark.tolist() == sorted((105, twin))
    shown = landmark_positions(head, Path(bpy.context.scene.facecap.result.embedding))
    assert shown is not None and np.abs(shown - after[105]).sum(1).min() < 1e-4


def test_a_posed_head_keeps_the_place_on_its_skin(head: bpy.types.Object) -> None:
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.8
    bpy.context.view_layer.update()
    posed = read_surface(bpy.context).landmarks()
    place(17, posed[17] + np.array([0.0, 0.0, -0.008]), mirrored=False)
    assert posed[17, 2] - read_surface(bpy.context).landmarks()[17, 2] > 0.002
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.0
    bpy.context.view_layer.update()
    at_rest = read_surface(bpy.context).landmarks()
    assert at_rest[17, 2] - posed[17, 2] > 0.005  # it went up with the chin


def test_edits_are_saved_undone_and_reset(head: bpy.types.Object, tmp_path: Path) -> None:
    before = read_surface(bpy.context).landmarks()
    bpy.ops.ed.undo_push(message="before")
    place(105, before[105] + np.array([0.0, 0.0, -0.005]))
    bpy.ops.ed.undo_push(message="moved")
    bpy.ops.ed.undo()
    np.testing.assert_allclose(read_surface(bpy.context).landmarks(), before, atol=1e-6)
    bpy.ops.ed.redo()
    moved = read_surface(bpy.context).landmarks()
    assert before[105, 2] - moved[105, 2] > 0.002
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    np.testing.assert_allclose(read_surface(bpy.context).landmarks(), moved, atol=1e-6)
    assert bpy.ops.facecap.reset_landmarks() == {"FINISHED"}
    np.testing.assert_allclose(read_surface(bpy.context).landmarks(), before, atol=1e-6)
    with pytest.raises(RuntimeError, match="No landmark was moved"):
        bpy.ops.facecap.reset_landmarks()


def test_without_landmarks_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="No character"):
        bpy.ops.facecap.place_landmark(landmark=3, location=(0, 0, 0))
