"""Shape-key weights of vertices: the nearest face that the character's keys can make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64

# Keys that look alike share what they do instead of fighting: a tenth of a millimetre per unit of weight.
_RIDGE_M = 1e-4
_SWEEPS = 60


class WeightFitter:
    """Fits weights within their ranges to vertices, all frames of a chunk at once.

    Args:
        neutral: (M, 3) m.  deltas: (K, M, 3) m.  ranges: (K, 2).
        ridge_m: what a unit of weight costs, as if all vertices were off by so much.
    """

    def __init__(self, neutral: F32, deltas: F32, ranges: F32, *, ridge_m: float = _RIDGE_M) -> None:
        self._neutral = neutral.reshape(-1).astype(np.float64)
        self._keys = deltas.reshape(len(deltas), -1).astype(np.float64)
        self._low, self._high = ranges.astype(np.float64).T
        count = neutral.shape[0]
        self._products = self._keys @ self._keys.T / count + ridge_m**2 * np.eye(len(deltas))
        self._count = count

    def fit(self, positions: NDArray[np.floating]) -> tuple[F32, F64]:
        """Weights of frames, and how far their faces are from what was wanted.

        Coordinate descent on the normal equations: exact for one key at a time, bounds included, and it converges
        since the equations are positive definite.

        Args:
            positions: (F, M, 3) m.
        Returns:
            (F, K) float32, and (F,) root-mean-square distance, mm.
        """
        away = positions.reshape(len(positions), -1).astype(np.float64) - self._neutral
        pull = away @ self._keys.T / self._count
        inside = np.linalg.solve(self._products, pull.T).T
        weights = np.clip(inside, self._low, self._high)
        if np.abs(weights - inside).max(initial=0.0) > 1e-9:
            gradient = weights @ self._products - pull
            for _ in range(_SWEEPS):
                largest = 0.0
                for k in range(len(self._products)):
                    moved = weights[:, k] - gradient[:, k] / self._products[k, k]
                    step = np.clip(moved, self._low[k], self._high[k]) - weights[:, k]
                    weights[:, k] += step
                    gradient += step[:, None] * self._products[k]
                    largest = max(largest, float(np.abs(step).max()))
                if largest < 1e-4:
                    break
        left = (away - weights @ self._keys).reshape(len(positions), -1, 3)
        return weights.astype(np.float32), 1000 * np.sqrt((left**2).sum(-1).mean(1))
