"""Coordinates that tell the sides of a mouth and of eyes apart.

Upper and lower lip touch, and a warp that knows only places would pull one with the other. Along the skin they are far
from each other: the way leads around the mouth's corner. The difference of the ways to either lip, as a coordinate
beside x, y and z, unfolds the mouth as if it stood open; the same goes for each eye's lids. Distances stay Euclidean,
so kernels keep the properties that make their systems solvable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..arrays import F64
from ..landmarks.layout import Layout
from .geodesic import measure_distance, smooth_values

_GENTLE = 0.08
_REACH = 0.6
"""How far a side counts, in distances of the outer eye corners."""


def lip_lid_coordinates(graph: csr_array, nearest: NDArray[np.integer], layout: Layout, eye_distance: float) -> F64:
    """(V, 3) float64, unit of the mesh: signed coordinates across the mouth, the right eye and the left eye.

    Args:
        graph: see `edge_graph`.  nearest: (L,) vertex nearest to each landmark; −1: not on this mesh.
        layout: of the landmarks.  eye_distance: between the outer eye corners, unit of the mesh.
    """
    gaps = (
        # The outer contour: on a closed mouth the inner ones lie on each other, and nobody knows which lip has which.
        (layout.lips_outer_upper, layout.lips_outer_lower),
        (layout.upper_lid_right, layout.lower_lid_right),
        (layout.upper_lid_left, layout.lower_lid_left),
    )
    out = np.zeros((len(graph.indptr) - 1, len(gaps)))
    limit = _REACH * eye_distance
    for column, (above, below) in enumerate(gaps):
        upper, lower = nearest[list(above[1:-1])], nearest[list(below[1:-1])]
        upper, lower = upper[upper >= 0], lower[lower >= 0]
        upper, lower = np.setdiff1d(upper, lower), np.setdiff1d(lower, upper)
        if not len(upper) or not len(lower):
            continue
        ways = [np.minimum(measure_distance(graph, side, limit=2 * limit), 2 * limit) for side in (lower, upper)]
        # Far away both ways are as good as equal; near, a path around the corner cannot be longer than the gap's rim.
        apart = smooth_values(graph, ways[0] - ways[1], rounds=16)
        # Around the corner, where one side turns into the other, it rises gently.
        apart = apart * np.abs(apart) / (np.abs(apart) + _GENTLE * eye_distance)
        out[:, column] = 0.5 * limit * np.tanh(apart / (0.5 * limit))
    return out
