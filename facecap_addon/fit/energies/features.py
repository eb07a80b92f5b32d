"""Landmarks made comparable between people, cameras and head poses.

The network's x, y and depth hint are turned and scaled onto a fixed template with the landmarks that expression moves
least. What is left is shape: the person's own plus the expression's.
"""

from __future__ import annotations

import numpy as np

from ...arrays import F32, F64


def network_points(landmarks_px: F32, depth_px: F32) -> F64:
    """The network's landmarks as points with a depth axis: (F, L, 3) float64, picture pixels, x right, y down."""
    return np.concatenate([landmarks_px, depth_px[..., None]], axis=-1).astype(np.float64)


def align(points: F64, template: F64, weight: F64) -> tuple[F64, F64]:
    """Similarity-align every frame to a template (Kabsch with scale), leaving out what fits badly.

    Args:
        points: (F, L, 3) float64, any unit.
        template: (L, 3) float64, in units of the outer-eye-corner distance.
        weight: (L,) float64, non-negative: who takes part in the alignment.
    Returns:
        (F, L, 3) aligned points in template units, and (F, 3, 3) rotations that were undone (template from picture).
    """
    scaled_rotation, shift, rotation = alignment(points[:, weight > 0], template[weight > 0], weight[weight > 0])
    return points @ scaled_rotation.transpose(0, 2, 1) + shift, rotation


def alignment(points: F64, template: F64, weight: F64) -> tuple[F64, F64, F64]:
    """What aligns every frame to a template: aligned = scaled_rotation points + shift.

    A second round counts those landmarks of a frame less that were far off in the first.

    Args:
        points: (F, R, 3).  template: (R, 3).  weight: (R,) positive.
    Returns:
        (F, 3, 3) scaled rotations, (F, 1, 3) shifts, (F, 3, 3) rotations.
    """
    frame_weight = np.broadcast_to(weight, points.shape[:2])
    for last in (False, True):
        total = frame_weight.sum(1)[:, None]
        from_mean = ((points * frame_weight[..., None]).sum(1) / total)[:, None]
        to_mean = ((template * frame_weight[..., None]).sum(1) / total)[:, None]
        source, target = points - from_mean, template - to_mean
        covariance = (target * frame_weight[..., None]).transpose(0, 2, 1) @ source
        u, s, vt = np.linalg.svd(covariance)
        sign = np.sign(np.linalg.det(u @ vt))
        flip = np.stack([np.ones_like(sign), np.ones_like(sign), sign], axis=1)
        rotation = (u * flip[:, None]) @ vt
        scale = (s * flip).sum(1) / (frame_weight[..., None] * source**2).sum((1, 2))
        scaled = scale[:, None, None] * rotation
        if last:
            return scaled, to_mean - from_mean @ scaled.transpose(0, 2, 1), rotation
        error = ((source @ scaled.transpose(0, 2, 1) + to_mean - template) ** 2).sum(-1)
        frame_weight = weight / (1 + error / 0.03**2)
    raise AssertionError
