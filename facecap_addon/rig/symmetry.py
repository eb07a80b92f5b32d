"""Whether a mesh is the same on both sides, and where its middle is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

# A mesh counts as symmetric if most of its vertices have a twin within this part of the typical edge's length.
_TWIN_DISTANCE = 0.1
_TWIN_SHARE = 0.9
_SAMPLES = 4000


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
