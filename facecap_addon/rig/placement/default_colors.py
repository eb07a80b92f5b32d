"""Colours for a mesh that has none: skin, and eyeballs with irises that look straight ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SKIN, _WHITE = (0.72, 0.52, 0.43), (0.85, 0.83, 0.81)
_IRIS, _PUPIL = (0.16, 0.10, 0.06), (0.015, 0.015, 0.015)
# Radii of irises and pupils in distances of the outer eye corners (5.9 and 2 of 90 mm).
_IRIS_RADIUS, _PUPIL_RADIUS = 0.065, 0.022


def paint_eyes(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    eyes: NDArray[np.bool_],
    rotation: NDArray[np.float64],
    corners_m: float,
) -> NDArray[np.float32]:
    """Colours that give the landmark network an iris to look at.

    Args:
        vertices: (V, 3) float m.  triangles: (T, 3) int.  eyes: (T,) bool, triangles of the eyeballs.
        rotation: (3, 3), rows are right, down and into the picture as seen from the front.
        corners_m: distance of the outer eye corners.
    Returns:
        (V, 3) float32, linear.
    """
    colors = np.tile(np.array(_SKIN, np.float32), (len(vertices), 1))
    number = np.unique(triangles[eyes])
    if not len(number):
        return colors
    seen = np.asarray(vertices, np.float64)[number] @ rotation.T
    side = seen[:, 0] > 0.5 * (seen[:, 0].min() + seen[:, 0].max())
    for eye in (side, ~side):
        if not eye.any():
            continue
        ball = seen[eye]
        from_centre = ball - 0.5 * (ball.min(axis=0) + ball.max(axis=0))
        aside = np.hypot(from_centre[:, 0], from_centre[:, 1])
        aside[from_centre[:, 2] > 0] = np.inf
        colors[number[eye]] = _WHITE
        colors[number[eye][aside < _IRIS_RADIUS * corners_m]] = _IRIS
        colors[number[eye][aside < _PUPIL_RADIUS * corners_m]] = _PUPIL
    return colors
