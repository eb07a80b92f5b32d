"""The dots on the character lie where the landmarks lie, also while it moves."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from facecap_addon.blender.overlay.landmarks import embedding_path, landmark_positions
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.rig.embedding import LandmarkEmbedding, save_embedding
from tests.blender.faces import ARKIT, make_face, set_weights


def test_dots_follow_the_mesh(tmp_path: Path, rng: np.random.Generator) -> None:
    obj = make_face()
    obj.location, obj.rotation_euler, obj.scale = (1, 2, 3), (0.1, 0.2, 0.3), (-1, 1.5, 1)
    bpy.context.view_layer.update()
    rig = extract_rig(obj)
    triangle = rng.integers(0, len(rig.triangles), 50).astype(np.int32)
    barycentric = rng.dirichlet((1, 1, 1), 50).astype(np.float32)
    valid = np.arange(50) % 5 != 0
    path = tmp_path / "x.embedding.npz"
    save_embedding(path, LandmarkEmbedding("test", triangle, barycentric, valid, np.eye(4)))
    weights = rng.uniform(0, 1, 5)
    set_weights(obj, ARKIT, weights)
    bpy.context.view_layer.update()
    vertices = rig.vertices_at(weights)
    expected = np.einsum("lc,lcd->ld", barycentric, vertices[rig.triangles[triangle]])[valid] + (1, 2, 3)
    np.testing.assert_allclose(landmark_positions(obj, path), expected, atol=1e-5)


def test_the_embedding_is_shown_as_long_as_it_is_there(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    assert embedding_path(bpy.context.scene) is None
    settings.result.embedding = str(tmp_path / "landmarks.npz")
    assert embedding_path(bpy.context.scene) is None
    (tmp_path / "landmarks.npz").write_bytes(b"damaged")
    assert embedding_path(bpy.context.scene) == tmp_path / "landmarks.npz"
