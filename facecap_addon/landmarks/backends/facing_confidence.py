"""How far each mesh landmark can be trusted when the head turns: the far side of a face is guessed, not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..layout import MEDIAPIPE_478
from ..mesh_478 import NORMALS_468

_MESH_COUNT = 468
# Confidence rises from the floor to one while the surface turns from edge-on (0) towards the camera (1).
_EDGE_ON, _SEEN = -0.1, 0.4
_FLOOR = 0.1
# Landmarks that span the head: outer eye corners (right, left), top of the forehead and chin.
_RIGHT, _LEFT, _TOP, _CHIN = 33, 263, 10, 152


def _compute_normals() -> NDArray[np.float64]:
    normals = np.empty((478, 3))
    normals[:_MESH_COUNT] = NORMALS_468 / np.linalg.norm(NORMALS_468, axis=1, keepdims=True)
    layout = MEDIAPIPE_478
    eyes = (
        (layout.iris_right, layout.upper_lid_right, layout.lower_lid_right),
        (layout.iris_left, layout.upper_lid_left, layout.lower_lid_left),
    )
    for iris, upper, lower in eyes:
        mean = normals[list(upper + lower)].mean(axis=0)
        normals[list(iris)] = mean / np.linalg.norm(mean)
    return normals


# A calm face's normals turned with the head: expression changes them far less than the head's turn does.
_NORMALS = _compute_normals()


def facing_confidence(landmarks_px: NDArray[np.float32], depth_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Confidence of each landmark from the angle between the face's surface and the line of sight.

    Args:
        landmarks_px: (478, 2) float32.  depth_px: (478,) float32, smaller is nearer; pixels of the same picture.
    Returns:
        (478,) float32 in 0.1..1: 1 where the surface faces the camera; an iris takes the mean of its lids.
    """
    span = [_RIGHT, _LEFT, _TOP, _CHIN]
    (rx, ry), (lx, ly), (tx, ty), (cx, cy) = landmarks_px[span].tolist()
    rz, lz, tz, cz = depth_px[span].tolist()
    x = np.array([lx - rx, ly - ry, lz - rz])
    x /= max(float(np.sqrt(x @ x)), 1e-12)
    y = np.array([cx - tx, cy - ty, cz - tz])
    y -= x * (x @ y)
    y /= max(float(np.sqrt(y @ y)), 1e-12)
    # The line of sight in the head's axes: the third component of each axis.
    z_of_z = x[0] * y[1] - x[1] * y[0]
    towards = _NORMALS @ np.array([-x[2], -y[2], -z_of_z])
    rise = np.clip((towards - _EDGE_ON) / (_SEEN - _EDGE_ON), 0.0, 1.0)
    return (_FLOOR + (1.0 - _FLOOR) * rise).astype(np.float32)
