"""Whether a mesh is the same on both sides, and where its middle is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

# A mesh counts as symmetric if most of its vertices have a twin within this part of the typical edge's length.
_TWIN_DISTANCE = 0.1
_TWIN_SHARE = 0.9
_SAMPLES = 4000
_TURNS = 12


def mirror_plane(
    points: NDArray[np.floating], edge_m: float, normal: NDArray[np.floating], guess: float
) -> float | None:
    """Find the plane in which points mirror onto each other, or None if they do not.

    Args:
        points: (N, 3) float, vertices.  edge_m: typical distance between neighbouring vertices.
        normal: (3,) unit normal of the plane.  guess: about where along the normal it is, m.
    Returns:
        Distance of the plane from the origin along the normal.
    """
    points = np.asarray(points, np.float64)
    if len(points) < 8:
        return None
    along = points @ normal
    tree = cKDTree(points)
    some = points[:: max(1, len(points) // _SAMPLES)]
    at = some @ normal
    candidates = (0.0, guess, 0.5 * float(along.min() + along.max()), float(along.mean()))
    for candidate in candidates:
        # One step of closest points corrects a guess that is a little off.
        for _ in range(4):
            twins = some + np.outer(2 * (candidate - at), normal)
            distance, index = tree.query(twins)
            if (distance < _TWIN_DISTANCE * edge_m).mean() >= _TWIN_SHARE:
                return float(candidate)
            candidate = float(np.median(0.5 * (at + along[index])))
    return None


def mirror_share(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    around: NDArray[np.floating],
    normal: NDArray[np.floating],
    reach: float,
) -> float:
    """How much of a mesh around a place has a twin on the other side of a plane through it, 0..1.

    Args:
        vertices: (V, 3) float.  triangles: (T, 3) int.  around: (3,) a place on the plane.  normal: (3,) unit.
        reach: how far around; twins lie within a sixteenth of it, or the mesh's own spacing.
    """
    near = np.linalg.norm(vertices[triangles[:, 0]] - around, axis=1) < reach
    points = np.asarray(vertices, np.float64)[np.unique(triangles[near])]
    if len(points) < 8:
        return 0.0
    edges = vertices[triangles[near, 0]] - vertices[triangles[near, 1]]
    some = points[:: max(1, len(points) // _SAMPLES)]
    twins = some + np.outer(2 * ((around - some) @ normal), normal)
    close = max(reach / 16, float(np.median(np.linalg.norm(edges, axis=1))))
    return float((cKDTree(points).query(twins, distance_upper_bound=close)[0] < close).mean())


def mirror_normal(
    points: NDArray[np.floating], edge_m: float, normal: NDArray[np.floating], guess: float
) -> NDArray[np.float64] | None:
    """The exact normal of the plane in which points mirror onto each other, or None if they do not.

    Args:
        points: (N, 3) float.  edge_m: typical distance of neighbours.  normal: (3,) unit, within a few degrees.
        guess: about where along it the plane is.
    """
    points = np.asarray(points, np.float64)
    if len(points) < 8:
        return None
    tree = cKDTree(points)
    some = points[:: max(1, len(points) // _SAMPLES)]
    axis, at = np.asarray(normal, np.float64), float(guess)
    for _ in range(_TURNS):
        distance, index = tree.query(some + np.outer(2 * (at - some @ axis), axis))
        close = distance <= max(2.0 * float(np.median(distance)), _TWIN_DISTANCE * edge_m)
        across, middle = (some - points[index])[close], 0.5 * (some + points[index])[close]
        # Closest points, again and again: pairs that lie far apart tell the direction best.
        axis = np.linalg.eigh(across.T @ across)[1][:, -1]
        axis *= 1.0 if axis @ normal >= 0 else -1.0
        at = float(np.median(middle @ axis))
    distance = tree.query(some + np.outer(2 * (at - some @ axis), axis))[0]
    return axis if (distance < _TWIN_DISTANCE * edge_m).mean() >= _TWIN_SHARE else None
