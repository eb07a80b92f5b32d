"""Losses: mean squared distance, its affine-invariant form, and triplets."""

from __future__ import annotations

import torch
from torch import Tensor

CM = 100.0
"""Vertices are in metres; Laine et al. measure their loss in square centimetres."""


def mse_cm2(found: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared difference of coordinates, cm²; found, target (B, N) m; weights (N,), of mean one, of each."""
    squared = ((found - target) * CM).square()
    return squared.mean() if weights is None else (squared * weights).mean()


def rmse_mm(found: Tensor, target: Tensor) -> Tensor:
    """(B,) root-mean-square distance of vertices, mm; found, target (B, 3 V) m, a vertex's coordinates together."""
    apart = (found - target).unflatten(1, (-1, 3)).square().sum(-1)
    return 1000.0 * apart.mean(1).sqrt()


def affine_invariant_mse_cm2(found: Tensor, target: Tensor) -> Tensor:
    """`mse_cm2` after the affine transformation of `found` that brings it nearest to `target` (appendix A.1).

    P' = P ((Qᵀ P)(Pᵀ P)⁻¹)ᵀ with rows (x, y, z, 1). Found from the prediction to the target: the other way round, a
    small mesh would have a small loss. Only with a fixed output layer does it keep the mesh in place.
    """
    p, q = ((x.unflatten(1, (-1, 3)) * CM).double() for x in (found, target))
    one = torch.ones_like(p[..., :1])
    middle = q.mean(1, keepdim=True)  # about the middle, the products stay well conditioned
    p1 = torch.cat([p - middle, one], -1)
    q1 = q - middle
    products = p1.transpose(1, 2) @ p1 + 1e-9 * torch.eye(4, dtype=p1.dtype, device=p1.device)
    matrix = torch.linalg.solve(products, p1.transpose(1, 2) @ q1)
    return (p1 @ matrix - q1).square().mean().to(found.dtype)


def triplet_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Meng and Wen's equation 4, hinged as in FaceNet: max(|a - p|² - |a - n|² + margin, 0), mean over triplets.

    Args:
        anchor, positive, negative: (B, D) embeddings.
    """
    near = (anchor - positive).square().sum(1)
    far = (anchor - negative).square().sum(1)
    return torch.relu(near - far + margin).mean()


def mine_semi_hard(embeddings: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """For each pair of the same class in a batch, the nearest of the negatives a little further than the positive.

    These FaceNet (section 3.2) calls semi-hard: within the margin. Where there is none, the furthest of those that are
    nearer than the positive.

    Args:
        embeddings: (B, D).  labels: (B,) int.
    Returns:
        indices of anchors, positives and negatives, (T,) int64 each; pairs whose negatives are all beyond the margin
        are left out, since they teach nothing.
    """
    with torch.no_grad():
        squared = torch.cdist(embeddings, embeddings).square()
        same = labels[:, None] == labels[None]
        pairs = torch.nonzero(same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device))
        anchor, positive = pairs[:, 0], pairs[:, 1]
        near = squared[anchor, positive][:, None]
        away, other = squared[anchor], ~same[anchor]
        within = torch.where(other & (away > near) & (away < near + margin), away, torch.inf)
        nearer = torch.where(other & (away <= near), away, -torch.inf)
        semi, hard = torch.isfinite(within).any(1), torch.isfinite(nearer).any(1)
        negative = torch.where(semi, within.argmin(1), nearer.argmax(1))
        teaches = semi | hard
    return anchor[teaches], positive[teaches], negative[teaches]
