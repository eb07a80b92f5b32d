"""How much of the sky every vertex sees: mouths, nostrils and eye sockets are darker than a lamp alone makes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .fragments import rasterise

DIRECTIONS, SIZE_PX = 32, 160
# Share of light that skin throws back.
BOUNCED = 0.5
# A vertex counts as seen up to this part of the mesh's extent behind what is nearest: it is its own surface.
_OWN = 0.04


def measure_ambient_occlusion(
    points: Tensor, normals: Tensor, triangles: Tensor, directions: int = DIRECTIONS, size_px: int = SIZE_PX
) -> Tensor:
    """The share of the sky's light that reaches each vertex past the mesh itself, weighted as a matt surface sees it.

    The mesh is looked at from all around. There are no derivatives.

    Args:
        points: (V, 3) m.  normals: (V, 3) unit, outward.  triangles: (T, 3) int32.
        directions: how many views.  size_px: of each.
    Returns:
        (V,) 0..1; 1 for a vertex without a normal.
    """
    points, normals = points.detach(), normals.detach()
    low, high = points.amin(0), points.amax(0)
    radius = float((high - low).norm()) / 2 or 1.0
    centred = (points - (low + high) / 2) / radius
    axes = _views(directions, points)
    # So far away that perspective does not matter.
    depth = 1000.0 - centred @ axes[:, 2].T
    places = torch.einsum("vi,nji->nvj", centred, axes[:, :2]) * (size_px / 2) + (size_px - 1) / 2
    away = depth.T.contiguous()
    fragments = rasterise(places, away, triangles, size_px, size_px)
    nearest = 1 / fragments.inverse_depth.reshape(-1)
    cell = places.round().long().clamp(0, size_px - 1)
    frame = torch.arange(directions, device=points.device)[:, None] * size_px * size_px
    seen = nearest[frame + cell[..., 1] * size_px + cell[..., 0]] + _OWN > away
    towards = (normals @ axes[:, 2].T).T
    shares = []
    for cosine in (towards.clamp(min=0.0), (-towards).clamp(min=0.0)):
        total = cosine.sum(0)
        shares.append(torch.where(total > 0, (cosine * seen).sum(0) / total.clamp(min=1e-9), 1.0))
    # Parts of a mesh may be inside out: what sees more sky is the outside.
    open_sky = torch.maximum(*shares)
    # What is hidden is skin that is lit itself: light that bounces between two points brightens folds.
    return open_sky / (1 - BOUNCED * (1 - open_sky))


def _views(count: int, like: Tensor) -> Tensor:
    """(N, 3, 3): right, up and towards the viewer of views spread evenly over the sphere (a Fibonacci lattice)."""
    i = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * i / count), np.pi * (1 + 5**0.5) * i
    towards = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1)
    helper = np.where(np.abs(towards[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    right = np.cross(towards, helper)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return torch.tensor(np.stack([right, np.cross(towards, right), towards], 1), dtype=like.dtype, device=like.device)
