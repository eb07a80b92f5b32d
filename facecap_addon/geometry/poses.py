"""Poses as matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pose_matrices(rotation_wxyz: NDArray[np.floating], translation_m: NDArray[np.floating]) -> NDArray[np.float64]:
    """Matrices from poses; of a take's head: camera from head.

    Args:
        rotation_wxyz: (N, 4) quaternions, real part first, of any length but 0.  translation_m: (N, 3).
    Returns:
        (N, 4, 4) float64.
    """
    wxyz = np.asarray(rotation_wxyz, np.float64)
    w, x, y, z = wxyz.T / np.maximum(np.linalg.norm(wxyz, axis=1), 1e-12)
    pose = np.zeros((len(wxyz), 4, 4))
    pose[:, :3, :3] = np.moveaxis(
        np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        ),
        -1,
        0,
    )
    pose[:, :3, 3] = translation_m
    pose[:, 3, 3] = 1.0
    return pose
