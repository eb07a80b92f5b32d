"""Vertices at the same place counted as one: meshes are cut along their texture's seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Vertices closer than this part of the mesh's extent are one.
_WELD = 1e-6


def welded(vertices: NDArray[np.floating]) -> NDArray[np.intp]:
    """(V,) the place of each vertex (V, 3), numbered from 0; vertices at the same place share a number."""
    extent = float(np.ptp(vertices, axis=0).max(initial=0.0)) or 1.0
    grid = np.round(np.asarray(vertices, np.float64) / (extent * _WELD)).astype(np.int64)
    return np.unique(grid, axis=0, return_inverse=True)[1].reshape(-1)
