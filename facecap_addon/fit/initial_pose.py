"""A first head pose for every frame, in closed form."""

from __future__ import annotations

import numpy as np

from ..arrays import F64

FOCAL_GUESS = 1.3
"""Focal length over the picture's longer side, as of a phone or a webcam at portrait distance."""


def weak_perspective_pose(head_points: F64, observed: F64, weight: F64) -> tuple[F64, F64]:
    """Pose under scaled orthography: the best affine camera by least squares, made orthonormal.

    Args:
        head_points: (L, 3) float64 m, head space.
        observed: (F, L, 2) float64, normalised image coordinates.
        weight: (L,) float64, non-negative.
    Returns:
        (F, 3, 3) rotations, camera space from head space, and (F, 3) translations, metres.
    """
    root = np.sqrt(weight)[:, None]
    centre = (head_points * root**2).sum(0) / (root**2).sum()
    design = (head_points - centre) * root
    middle = (observed * root**2).sum(1) / (root**2).sum()
    affine = np.linalg.pinv(design) @ ((observed - middle[:, None]) * root)  # (F, 3, 2)
    x_row, y_row = affine[..., 0], affine[..., 1]
    u, s, vt = np.linalg.svd(np.stack([x_row, y_row], axis=1), full_matrices=False)
    rows = u @ vt
    scale = s.mean(axis=1)  # 1 / depth
    rotation = np.stack([rows[:, 0], rows[:, 1], np.cross(rows[:, 0], rows[:, 1])], axis=1)
    depth = 1.0 / np.maximum(scale, 1e-6)
    translation = np.concatenate([middle * depth[:, None], depth[:, None]], axis=1)
    translation -= rotation @ centre
    return rotation, translation
