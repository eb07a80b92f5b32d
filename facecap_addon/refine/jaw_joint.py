"""A jaw joint with six degrees of freedom: linear blend skinning over the shape keys (Bao et al. section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class JawJoint:
    """Which part of the face follows the jaw.

    Attributes:
        weights: (V,) float32 in 0..1.
        pivot: (3,) float32 m, head space, what the jaw turns about.
    """

    weights: Tensor
    pivot: Tensor


def rotation_matrices(vectors: Tensor) -> Tensor:
    """(N, 3, 3) rotations from rotation vectors (N, 3) rad, differentiable everywhere (Rodrigues)."""
    squared = (vectors * vectors).sum(-1)
    small = squared < 1e-8
    angle = torch.where(small, 1.0, squared).sqrt()
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / (angle * angle))
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    eye = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    return eye + sine[:, None, None] * cross + cosine[:, None, None] * (cross @ cross)


def skin_jaw(points: Tensor, jaw: Tensor, joint: JawJoint) -> Tensor:
    """Points after the jaw has moved.

    Args:
        points: (N, V, 3) m, head space.  jaw: (N, 6): rotation vector (rad) about the pivot, translation (m).
    """
    arm = points - joint.pivot
    moved = arm @ rotation_matrices(jaw[:, :3]).transpose(1, 2) + jaw[:, None, 3:]
    return points + joint.weights[:, None] * (moved - arm)
