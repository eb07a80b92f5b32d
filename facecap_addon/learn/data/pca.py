"""Principal components of target meshes: what output layers begin with (Laine et al. section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_COMPONENTS = 160


@dataclass(frozen=True)
class PcaBasis:
    """Principal components of the target meshes.

    Attributes:
        mean: (N,) float32 m.  components: (M, N) float32 m, each scaled by its standard deviation over the targets.
        explained: share of the targets' variance that the components hold.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    explained: float


def fit_pca(targets: NDArray[np.floating], most: int = MOST_COMPONENTS) -> PcaBasis:
    """Principal components of targets (F, N), as many as there are up to `most`; constant targets have none.

    What 32 bits round, more of a head that stands far from its origin, is none.
    """
    count = len(targets)
    mean = targets.mean(0, dtype=np.float64)
    away = np.asarray(targets, np.float64) - mean
    # F is far smaller than N: the eigenvectors of the frames' products give the components.
    value, vector = np.linalg.eigh(away @ away.T / count)
    order = np.argsort(-value)[:most]
    bits = np.finfo(targets.dtype).eps if np.issubdtype(targets.dtype, np.floating) else 0.0
    rounding = away.shape[1] * float(bits * np.abs(targets).max(initial=0.0)) ** 2
    kept = order[value[order] > max(1e-12 * value.max(initial=0.0), rounding, 1e-42)]
    components = vector[:, kept].T @ away / np.sqrt(count)  # rows of length √value: one standard deviation
    total = float(np.maximum(value, 0).sum())
    explained = float(np.maximum(value[kept], 0).sum()) / total if total > 0 else 1.0
    return PcaBasis(mean.astype(np.float32), components.astype(np.float32), explained)


def fit_pca_from_weights(
    weights: NDArray[np.floating], deltas: NDArray[np.floating], rest: NDArray[np.floating], most: int = MOST_COMPONENTS
) -> PcaBasis:
    """The same for meshes that are blends: the components lie in the span of the keys, so nothing large is formed.

    Args:
        weights: (F, K).  deltas: (K, N) m.  rest: (N,) m.
    """
    mean_weight = weights.mean(0, dtype=np.float64)
    away = np.asarray(weights, np.float64) - mean_weight
    keys = np.asarray(deltas, np.float64)
    # With A = away/√F and D = keys, the components are the right singular vectors of A D, through the K × K products.
    covariance = away.T @ away / len(away)
    products = keys @ keys.T
    root = _take_root(covariance)
    value, vector = np.linalg.eigh(root @ products @ root)
    order = np.argsort(-value)[:most]
    kept = order[value[order] > 1e-10 * max(value.max(initial=0.0), 1e-30)]
    total = float(np.maximum(value, 0).sum())
    explained = float(value[kept].sum()) / total if total > 0 else 1.0
    components = (vector[:, kept].T @ root) @ keys
    mean = rest.astype(np.float64) + mean_weight @ keys
    return PcaBasis(mean.astype(np.float32), components.astype(np.float32), explained)


def _take_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    value, vector = np.linalg.eigh(matrix)
    return np.asarray((vector * np.sqrt(np.maximum(value, 0))) @ vector.T, np.float64)
