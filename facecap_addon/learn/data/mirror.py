"""Left and right of a symmetric character: every picture of it is, mirrored, a picture of another face it can make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...rig.blendshapes import BlendshapeRig

_VERTEX_SHARE, _KEY_SHARE = 0.005, 0.1
_NOTHING_M = 1e-6


@dataclass(frozen=True)
class Mirror:
    """What lies where on the other side.

    Attributes:
        middle: m, x of the plane.  vertices: (V,) int.  channels: (K,) int.
    """

    middle: float
    vertices: NDArray[np.intp]
    channels: NDArray[np.intp]

    def mirror_positions(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(…, V, 3) m of the mirrored face."""
        out = points[..., self.vertices, :].copy()
        out[..., 0] = 2 * self.middle - out[..., 0]
        return out


def find_mirror(rig: BlendshapeRig) -> Mirror | None:
    """The mirror of a character whose mesh and keys are the same on both sides of x; None of any other."""
    rest = rig.neutral.astype(np.float64)
    middle = 0.5 * float(rest[:, 0].min() + rest[:, 0].max())
    found = KDTree(rest).query(_reflect(rest, middle))
    away, vertices = np.asarray(found[0]), np.asarray(found[1], np.intp)
    size = float(np.ptp(rest, axis=0).max())
    if not len(rest) or away.max() > _VERTEX_SHARE * size or not _is_swap(vertices):
        return None
    keys = rig.deltas.astype(np.float64)
    other = (keys[:, vertices] * (-1.0, 1.0, 1.0)).reshape(len(keys), -1)
    flat = keys.reshape(len(keys), -1)
    strength = np.linalg.norm(flat, axis=1)
    apart = np.sqrt(np.maximum(strength[:, None] ** 2 + strength[None] ** 2 - 2 * other @ flat.T, 0))
    channels = apart.argmin(1)
    still = strength <= _NOTHING_M
    channels[still] = np.flatnonzero(still)
    if np.any(apart[np.arange(len(keys)), channels] > _KEY_SHARE * strength + _NOTHING_M) or not _is_swap(channels):
        return None
    return Mirror(middle, vertices, channels.astype(np.intp))


def _reflect(points: NDArray[np.float64], middle: float) -> NDArray[np.float64]:
    out = points.copy()
    out[:, 0] = 2 * middle - out[:, 0]
    return out


def _is_swap(order: NDArray[np.integer]) -> bool:
    """Whether going over to the other side twice leads back."""
    return bool(np.all(order[order] == np.arange(len(order))))
