"""The same place on the other side of a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..landmarks.layout import Layout
from .surface import find_nearest, place_points
from .symmetry import mirror_normal, mirror_plane

# Only this part of the face's size around the face is asked whether it is symmetrical.
_REACH = 1.0
# A twin that lies farther from the surface than this part of the face's size is none.
_ASTRAY = 0.05


def find_mirrored(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    landmarks: F64,
    layout: Layout,
    place: tuple[int, NDArray[np.floating]],
) -> tuple[int, F64] | None:
    """The place on the other side of a face, as triangle and barycentrics (3,); None where the mesh is not symmetrical.

    Args:
        vertices: (V, 3) of the neutral.  triangles: (T, 3).
        landmarks: (L, 3) places of all landmarks, which tell about where the middle is.
        place: triangle and barycentrics (3,).
    """
    mirror = layout.mirror
    across = (landmarks - landmarks[mirror])[list(layout.upper_lid_left)].mean(0)
    size = float(np.linalg.norm(landmarks[layout.upper_lid_left[0]] - landmarks[layout.upper_lid_right[0]]))
    if size <= 0 or np.linalg.norm(across) <= 0:
        return None
    guess_normal = across / np.linalg.norm(across)
    middle = landmarks.mean(0)
    near = np.flatnonzero(np.linalg.norm(vertices[triangles[:, 0]] - middle, axis=1) < 2 * _REACH * size)
    if not len(near):
        return None
    points = np.asarray(vertices, np.float64)[np.unique(triangles[near])]
    edge = float(np.median(np.linalg.norm(vertices[triangles[near, 0]] - vertices[triangles[near, 1]], axis=1)))
    guess = float((0.5 * (landmarks + landmarks[mirror])).mean(0) @ guess_normal)
    normal = mirror_normal(points, edge, guess_normal, guess)
    at = None if normal is None else mirror_plane(points, edge, normal, guess)
    if normal is None or at is None:
        return None
    one = place_points(vertices, triangles, np.array([place[0]], np.int32), np.asarray(place[1])[None])
    twin = one + np.outer(2 * (at - one @ normal), normal)
    triangle, barycentric, distance = find_nearest(twin, vertices, triangles, near)
    return (int(triangle[0]), barycentric[0]) if distance[0] <= _ASTRAY * size else None
