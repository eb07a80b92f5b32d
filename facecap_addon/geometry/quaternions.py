"""Quaternions, real part first as in takes and in Blender, and the rotations that they stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F64

FRONT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Camera from head, of a head that looks into the camera: its left is on the right, its top at the top."""
HEAD_FRONT_WXYZ = (0.7071068, 0.7071068, 0.0, 0.0)
"""The same as a quaternion."""


def rotation_of(wxyz: NDArray[np.floating] | tuple[float, ...]) -> Rotation:
    """Rotations from quaternions (4,) or (N, 4)."""
    return Rotation.from_quat(np.asarray(wxyz)[..., [1, 2, 3, 0]])


def wxyz_of(rotation: Rotation) -> F64:
    """Quaternions of rotations, (4,) or (N, 4) float64."""
    return rotation.as_quat()[..., [3, 0, 1, 2]]
