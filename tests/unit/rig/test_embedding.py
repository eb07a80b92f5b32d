"""Landmarks find their place on a character: the sample head, however it stands, and a head with known landmarks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.ict import ict_landmark_vertices, load_ict_rig
from facecap_addon.errors import FacecapError
from facecap_addon.landmarks.backends.model_files import MODELS_FOLDER
from facecap_addon.landmarks.layout import MEDIAPIPE_478, MEDIAPIPE_OF_IBUG
from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.embedding import (
    LandmarkEmbedding,
    find_embedding,
    landmark_geometry,
    load_embedding,
    save_embedding,
)
from facecap_addon.rig.placement import find_face

ICT = Path(__file__).resolve().parents[4] / "shared" / "data" / "rig"
L = MEDIAPIPE_478
MM = 1000.0
needs_models = pytest.mark.skipif(
    not (MODELS_FOLDER / "face_landmarks_attention.onnx").exists(), reason="the landmark networks are not built"
)


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return open_landmarker()


@pytest.fixture(scope="module")
def head() -> tuple[BlendshapeRig, dict[str, np.ndarray]]:
    arrays = pytest.importorskip("sample_scenes.head.arrays").build_head_arrays()
    triangles = [(f[0], f[i], f[i + 1]) for f in arrays.faces for i in range(1, len(f) - 1)]
    channels = tuple(arrays.deltas)
    rig = BlendshapeRig(
        arrays.neutral,
        np.array(triangles, np.int32),
        np.stack([arrays.deltas[c] for c in channels]),
        channels,
        np.tile(np.float32([0, 1]), (len(channels), 1)),
        arrays.colors,
    )
    return rig, arrays.parts


@pytest.fixture(scope="module")
def on_head(head: tuple[BlendshapeRig, dict], landmarker: Landmarker) -> LandmarkEmbedding:
    return find_embedding(head[0], landmarker)


def places(rig: BlendshapeRig, embedding: LandmarkEmbedding, vertices: np.ndarray | None = None) -> np.ndarray:
    corners = (rig.neutral if vertices is None else vertices)[rig.triangles[embedding.triangle]]
    return np.einsum("lc,lcd->ld", embedding.barycentric, corners)


@needs_models
def test_every_landmark_lies_on_the_part_it_belongs_to(head: tuple, on_head: LandmarkEmbedding) -> None:
    rig, parts = head
    part_of = np.zeros(rig.vertex_count, int)
    for number, name in enumerate(("skin", "eyeball_right", "eyeball_left"), 1):
        part_of[parts[name]] = number
    owner = part_of[rig.triangles[on_head.triangle][:, 0]]
    assert on_head.valid.mean() > 0.95
    assert (owner[:468] == 1).all()
    assert (owner[list(L.iris_right)] == 2).all() and (owner[list(L.iris_left)] == 3).all()
    assert_allclose(on_head.barycentric.sum(axis=1), 1.0, atol=1e-5)
    assert on_head.barycentric.min() >= -1e-6


@needs_models
def test_a_symmetric_head_gets_symmetric_landmarks(head: tuple, on_head: LandmarkEmbedding) -> None:
    points = places(head[0], on_head)
    assert_allclose(points * (-1, 1, 1), points[L.mirror], atol=1.5e-3)
    assert (points[list(L.iris_left)][:, 0] > 0.02).all()


@needs_models
def test_opening_the_jaw_parts_the_inner_lips(head: tuple, on_head: LandmarkEmbedding) -> None:
    rig = head[0]
    neutral, deltas = landmark_geometry(rig, on_head)
    upper, lower = list(L.lips_inner_upper[2:-2]), list(L.lips_inner_lower[2:-2])
    assert np.abs(neutral[upper, 2] - neutral[lower, 2]).max() * MM < 1.5
    opened = deltas[rig.channels.index("jawOpen")]
    assert (opened[lower, 2] < -0.008).all()
    assert np.abs(opened[upper, 2]).max() < 0.25 * np.abs(opened[lower, 2]).min()


@needs_models
def test_a_blink_closes_the_lids_and_leaves_the_irises(head: tuple, on_head: LandmarkEmbedding) -> None:
    rig = head[0]
    neutral, deltas = landmark_geometry(rig, on_head)
    closed = neutral + deltas[rig.channels.index("eyeBlinkLeft")]
    upper, lower = list(L.upper_lid_left[3:6]), list(L.lower_lid_left[3:6])
    assert (neutral[upper, 2] - neutral[lower, 2]).min() * MM > 6
    assert np.abs(closed[upper, 2] - closed[lower, 2]).max() * MM < 2
    assert np.abs(deltas[rig.channels.index("eyeBlinkLeft")][list(L.iris_left)]).max() * MM < 0.5
    assert np.abs(deltas[rig.channels.index("eyeBlinkLeft")][list(L.upper_lid_right)]).max() * MM < 0.5


@needs_models
def test_head_space_has_its_axes_and_origin_where_they_are_promised(head: tuple, on_head: LandmarkEmbedding) -> None:
    neutral, _ = landmark_geometry(head[0], on_head)
    rotation = on_head.head_from_rig[:3, :3]
    assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) > 0
    right, left = neutral[33], neutral[263]
    assert left[0] > 0.03 > -0.03 > right[0]
    assert_allclose(0.5 * (left + right), (0, -0.060 * on_head.rig_scale, 0), atol=1e-4)
    assert neutral[152, 2] < neutral[1, 2] < neutral[10, 2]
    assert neutral[[1, 4, 5], 1].min() == neutral[:, 1].min()
    assert 0.85 < on_head.rig_scale < 1.15


@needs_models
def test_a_giants_head_that_stands_y_up_gets_the_same_landmarks(
    head: tuple, on_head: LandmarkEmbedding, landmarker: Landmarker
) -> None:
    rig = head[0]
    other_axes = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)  # z up, looking along -y, to y up, along z
    moved = replace(
        rig,
        neutral=np.float32(10) * rig.neutral @ other_axes.T + np.float32([3, 1, -2]),
        deltas=np.float32(10) * rig.deltas @ other_axes.T,
        channels=tuple(f"Key {k}" for k in range(len(rig.channels))),
    )
    embedding = find_embedding(moved, landmarker)
    assert_allclose(embedding.rig_scale, 10 * on_head.rig_scale, rtol=0.03)
    apart = np.linalg.norm(places(rig, embedding) - places(rig, on_head), axis=1) * MM
    assert np.median(apart) < 0.8
    assert apart[list(L.lips_outer_lower + L.upper_lid_left)].max() < 2.5
    ours, theirs = landmark_geometry(rig, on_head)[0], landmark_geometry(moved, embedding)[0]
    assert np.median(np.linalg.norm(theirs / 10 - ours, axis=1)) * MM < 2


@needs_models
def test_a_ball_has_no_face(landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_face, "_DIRECTIONS", 8)  # a ball looks the same from everywhere
    polar, around = np.meshgrid(np.linspace(0.01, 3.13, 20), np.linspace(0, 6.28, 20), indexing="ij")
    ball = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1)
    i, j = (index.ravel() for index in np.mgrid[:19, :19])
    triangles = np.stack([i * 20 + j, i * 20 + j + 1, (i + 1) * 20 + j], axis=1).astype(np.int32)
    vertices = ball.reshape(-1, 3).astype(np.float32)
    rig = BlendshapeRig(vertices, triangles, 0.1 * vertices[None], ("grow",), np.array([[0, 1]], np.float32))
    with pytest.raises(FacecapError, match="No face was found on the character"):
        find_embedding(rig, landmarker)
    with pytest.raises(FacecapError, match="No face"):
        find_embedding(replace(rig, triangles=np.zeros((0, 3), np.int32)), landmarker)


def distance_to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(N,) distance of points from an open polygon."""
    start, along = line[:-1], np.diff(line, axis=0)
    offset = points[:, None] - start
    share = np.clip((offset * along).sum(-1) / (along**2).sum(-1), 0, 1)
    return np.linalg.norm(offset - share[..., None] * along, axis=-1).min(axis=1)


@needs_models
def test_lids_and_lips_lie_on_the_known_borders_of_the_ict_head(landmarker: Landmarker) -> None:
    if not (ICT / "ict_facekit_arkit.npz").exists():
        pytest.skip("the ICT-FaceKit rig is not here")
    rig = load_ict_rig(ICT / "ict_facekit_arkit.npz")
    true = rig.neutral[ict_landmark_vertices(ICT / "ict_vertex_indices.json")].astype(float)
    points = places(rig, find_embedding(rig, landmarker)).astype(float)
    for mine, ibug, most_mm in (
        (L.lips_inner_upper, (60, 61, 62, 63, 64), 1.2),
        (L.lips_inner_lower, (60, 67, 66, 65, 64), 1.2),
        (L.lips_outer_lower, (48, 59, 58, 57, 56, 55, 54), 1.5),
        (L.lips_outer_upper, (48, 49, 50, 51, 52, 53, 54), 3.0),
        (L.upper_lid_right, (36, 37, 38, 39), 1.5),
        (L.lower_lid_left, (45, 46, 47, 42), 1.5),
    ):
        apart = distance_to_line(points[list(mine)], true[list(ibug)]).mean() * MM
        assert apart < most_mm, f"{mine[:3]}... is {apart:.2f} mm from its border"
    eyes = np.linalg.norm(points[list(MEDIAPIPE_OF_IBUG)] - true, axis=1)[36:48] * MM
    assert eyes.mean() < 1.5


def small_rig() -> BlendshapeRig:
    neutral = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1]], np.float32)
    deltas = np.zeros((2, 4, 3), np.float32)
    deltas[0, 1] = (0, 0, 0.5)
    deltas[1, :, 1] = 0.2
    ranges = np.array([[0, 1], [0, 1]], np.float32)
    return BlendshapeRig(neutral, np.array([[0, 1, 2], [1, 3, 2]], np.int32), deltas, ("a", "b"), ranges)


def small_embedding() -> LandmarkEmbedding:
    head_from_rig = np.array([[0, -1, 0, 0.1], [1, 0, 0, 0.2], [0, 0, 1, 0.3], [0, 0, 0, 1]], np.float64)
    barycentric = np.array([[0.5, 0.5, 0], [0, 0, 1]], np.float32)
    return LandmarkEmbedding(
        "test", np.array([0, 1], np.int32), barycentric, np.array([True, False]), head_from_rig, 2.0
    )


def test_landmark_geometry_is_in_head_space() -> None:
    neutral, deltas = landmark_geometry(small_rig(), small_embedding())
    assert_allclose(neutral, [[0.1, 0.7, 0.3], [0.1, 0.2, 1.3]], atol=1e-6)
    assert_allclose(deltas[0], [[0, 0, 0.25], [0, 0, 0]], atol=1e-6)
    assert_allclose(deltas[1], [[-0.2, 0, 0], [-0.2, 0, 0]], atol=1e-6)


def test_landmarks_of_another_mesh_are_refused() -> None:
    other = replace(small_rig(), triangles=np.array([[0, 1, 2]], np.int32))
    with pytest.raises(FacecapError, match="another mesh"):
        landmark_geometry(other, small_embedding())


def test_an_embedding_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "лицо.npz"
    save_embedding(path, small_embedding())
    loaded, saved = load_embedding(path), small_embedding()
    assert (loaded.scheme, loaded.rig_scale) == (saved.scheme, saved.rig_scale)
    for name in ("triangle", "barycentric", "valid", "head_from_rig"):
        assert (getattr(loaded, name) == getattr(saved, name)).all()
    assert loaded.triangle.dtype == np.int32 and loaded.head_from_rig.dtype == np.float64


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "face.npz"
    path.write_bytes(content)
    with pytest.raises(FacecapError, match=r"face\.npz cannot be read"):
        load_embedding(path)


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(FacecapError, match="do not fit together"):
        replace(small_embedding(), valid=np.array([True]))
