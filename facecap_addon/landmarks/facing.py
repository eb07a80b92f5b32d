"""How far each mesh landmark can be trusted when the head turns: the far side of a face is guessed, not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .layout import MEDIAPIPE_478
from .mesh_478 import TRIANGLES_468

_MESH_COUNT = 468
# Confidence rises from the floor to one while the surface turns from edge-on (0) towards the camera (1).
_EDGE_ON, _SEEN = -0.1, 0.4
_FLOOR = 0.1
_CORNERS = np.ascontiguousarray(TRIANGLES_468.T)


def _sum_per_landmark() -> sparse.csr_array:
    rows = TRIANGLES_468.reshape(-1)
    columns = np.repeat(np.arange(len(TRIANGLES_468)), 3)
    return sparse.csr_array((np.ones(rows.size, dtype=np.float32), (rows, columns)), (_MESH_COUNT, len(TRIANGLES_468)))


_SUM_PER_LANDMARK = _sum_per_landmark()


def facing_confidence(landmarks_px: NDArray[np.float32], depth_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Confidence of each landmark from the angle between the face's surface and the line of sight.

    Args:
        landmarks_px: (478, 2) float32.  depth_px: (478,) float32, smaller is nearer; pixels of the same picture.
    Returns:
        (478,) float32 in 0.1..1: 1 where the surface faces the camera; an iris takes the mean of its lids.
    """
    points = np.empty((3, _MESH_COUNT), dtype=np.float32)
    points[:2] = landmarks_px[:_MESH_COUNT].T
    points[2] = depth_px[:_MESH_COUNT]
    first = points[:, _CORNERS[0]]
    a, b = points[:, _CORNERS[1]] - first, points[:, _CORNERS[2]] - first
    normals = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], axis=1)
    summed = _SUM_PER_LANDMARK @ normals
    length = np.sqrt((summed * summed).sum(axis=1))
    towards = _TOWARDS_CAMERA * summed[:, 2] / np.maximum(length, 1e-12)
    rise = np.clip((towards - _EDGE_ON) / (_SEEN - _EDGE_ON), 0.0, 1.0)
    confidence = np.empty(478, dtype=np.float32)
    confidence[:_MESH_COUNT] = _FLOOR + (1.0 - _FLOOR) * rise
    for iris, lids in _IRIS_LIDS:
        confidence[iris] = confidence[lids].mean()
    return confidence


_IRIS_LIDS = tuple(
    (np.array(iris), np.array(upper + lower))
    for iris, upper, lower in (
        (MEDIAPIPE_478.iris_right, MEDIAPIPE_478.upper_lid_right, MEDIAPIPE_478.lower_lid_right),
        (MEDIAPIPE_478.iris_left, MEDIAPIPE_478.upper_lid_left, MEDIAPIPE_478.lower_lid_left),
    )
)
# Sign of the triangles' winding in a picture whose y axis points down.
_TOWARDS_CAMERA = -1.0
