"""Places on a mesh: loose parts, nearest points, symmetry, framed views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.errors import FacecapError
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig, save_rig
from facecap_addon.rig.placement.mesh_view import Mesh, frame_view, render_view, turn_view
from facecap_addon.rig.surface import find_nearest, loose_parts, place_points
from facecap_addon.rig.symmetry import mirror_plane


def grid(columns: int, rows: int, size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A flat sheet in the xz plane."""
    x, z = np.meshgrid(np.linspace(0, size, columns + 1), np.linspace(0, size, rows + 1))
    vertices = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], axis=1)
    i, j = (index.ravel() for index in np.mgrid[:rows, :columns])
    corner = i * (columns + 1) + j
    lower = np.stack([corner, corner + 1, corner + columns + 1], axis=1)
    upper = np.stack([corner + 1, corner + columns + 2, corner + columns + 1], axis=1)
    return vertices, np.concatenate([lower, upper])


def test_parts_that_touch_at_a_seam_are_one_and_parts_apart_are_two() -> None:
    vertices, triangles = grid(3, 3)
    count = len(vertices)
    seam = np.concatenate([vertices, vertices + np.array([1.0, 0, 0]), vertices + np.array([0, 2.0, 0])])
    part = loose_parts(seam, np.concatenate([triangles, triangles + count, triangles + 2 * count]))
    first, second, third = np.split(part, 3)
    assert (first == second[0]).all() and (second == second[0]).all()
    assert (third == third[0]).all() and third[0] != first[0]


def test_the_nearest_place_on_a_sheet_is_straight_above_or_on_its_border() -> None:
    vertices, triangles = grid(5, 7)
    points = np.array([[0.31, 0.4, 0.62], [1.5, 0.0, 0.5], [-1.0, 0.3, 2.0], [0.2, -0.1, 0.4]])
    triangle, barycentric, distance = find_nearest(points, vertices, triangles, np.arange(len(triangles)))
    expected = np.array([[0.31, 0, 0.62], [1.0, 0, 0.5], [0.0, 0, 1.0], [0.2, 0, 0.4]])
    assert_allclose(place_points(vertices, triangles, triangle, barycentric), expected, atol=1e-12)
    assert_allclose(distance, np.linalg.norm(points - expected, axis=1), atol=1e-12)
    assert barycentric.min() >= 0


def test_only_the_triangles_asked_for_are_considered() -> None:
    vertices, triangles = grid(4, 4)
    far = np.flatnonzero(vertices[triangles].mean(axis=1)[:, 0] > 0.75)
    triangle, _, distance = find_nearest(np.zeros((1, 3)), vertices, triangles, far)
    assert triangle[0] in far
    assert_allclose(distance, 0.75)


def test_a_mirrored_cloud_is_found_symmetric_wherever_its_plane_is() -> None:
    half = np.random.default_rng(0).uniform(0.01, 1, (2000, 3))
    cloud = np.concatenate([half, half * (-1, 1, 1)])
    normal = np.array([1.0, 0, 0])
    assert mirror_plane(cloud, 0.05, normal, 0.01) == 0.0
    moved = mirror_plane(cloud + np.array([0.4, 0, 0]), 0.05, normal, 0.39)
    assert moved is not None
    assert_allclose(moved, 0.4, atol=1e-3)
    assert mirror_plane(half, 0.05, normal, 0.5) is None


def test_a_framed_view_shows_the_points_and_gives_them_back() -> None:
    vertices, triangles = grid(6, 6, 0.2)
    front = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    view = frame_view(vertices, turn_view(front, 0.3, -0.2), 0.5, 200)
    fragments = render_view(Mesh(vertices.astype(np.float32), triangles.astype(np.int32), None), view).fragments
    rows, columns = np.nonzero(fragments.triangle >= 0)
    assert 90 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 102
    assert_allclose(view.rig_space(view.camera_space(vertices)), vertices, atol=1e-12)


def test_a_rig_survives_its_file_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    vertices, triangles = grid(2, 2)
    deltas = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
    ranges = np.array([[0, 1], [-1, 2]], np.float32)
    rig = BlendshapeRig(
        vertices.astype(np.float32), triangles.astype(np.int32), deltas, ("jawOpen", "Öffnen"), ranges, name="Grüße"
    )
    save_rig(tmp_path / "rig.npz", rig)
    loaded = load_rig(tmp_path / "rig.npz")
    assert (loaded.channels, loaded.name, loaded.colors) == (rig.channels, rig.name, None)
    assert_allclose(
        loaded.vertices_at(np.array([0.5, 0.25])), rig.neutral + 0.5 * deltas[0] + 0.25 * deltas[1], atol=1e-6
    )
    content = (tmp_path / "rig.npz").read_bytes()
    for cut in (0, 3, len(content) // 2):
        (tmp_path / "cut.npz").write_bytes(content[:cut])
        with pytest.raises(FacecapError, match="not a FaceCap character"):
            load_rig(tmp_path / "cut.npz")
