"""One affine transformation per shot that makes up for a mesh that was not held still (Laine et al. appendix A.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64

_SHARE, _ROUNDS, _LEAST_M = 0.5, 40, 1e-6


def fit_stabilisation(vertices: NDArray[np.floating], rest: NDArray[np.floating]) -> F64:
    """The affine transformation that brings a shot's calmest half nearest to the rest pose, distances unsquared.

    The paper descends the gradient; weights of one over the distance (Weiszfeld) find the same minimum in fewer steps.

    Args:
        vertices: (F, V, 3) m.  rest: (V, 3) m.
    Returns:
        (3, 4) float64: rest-like point = matrix (x, y, z, 1).
    """
    away = np.array([((frame - rest) ** 2).sum(1).mean() for frame in vertices])
    calm = np.sort(np.argsort(away)[: max(1, round(_SHARE * len(away)))])
    points = np.asarray(vertices[calm], np.float64).reshape(-1, 3)
    target = np.tile(np.asarray(rest, np.float64), (len(calm), 1))
    middle = target.mean(0)
    homogeneous = np.concatenate([points - middle, np.ones((len(points), 1))], 1)
    goal = target - middle
    weight = np.ones(len(points))
    matrix = np.eye(3, 4)
    for _ in range(_ROUNDS):
        weighted = homogeneous * weight[:, None]
        before = matrix
        matrix = np.linalg.solve(weighted.T @ homogeneous + 1e-12 * np.eye(4), weighted.T @ goal).T
        distance = np.linalg.norm(homogeneous @ matrix.T - goal, axis=1)
        weight = 1 / np.maximum(distance, _LEAST_M)
        weight /= weight.mean()
        if np.abs(matrix - before).max() < 1e-9:
            break
    out = matrix.copy()
    out[:, 3] += middle - matrix[:, :3] @ middle
    return out


def apply_stabilisation(vertices: NDArray[np.floating], matrix: F64) -> NDArray[np.float32]:
    """(F, V, 3) float32: points (F, V, 3) under a transformation (3, 4)."""
    return (np.asarray(vertices, np.float64) @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32)
