"""Weights of a rig's channels whose sum comes nearest to how a mesh moves."""

from __future__ import annotations

import numpy as np

from ..arrays import F32
from .blendshapes import BlendshapeRig

_SWEEPS, _SETTLED = 400, 1e-5
_RIDGE = 1e-4


def fit_weights(rig: BlendshapeRig, motion: F32) -> F32:
    """Weights (F, K) float32 inside the channels' ranges, least squares over all vertices.

    Args:
        motion: (F, V, 3) float32 m, rig space, displacement from the rig's neutral without the head's own motion.
    """
    flat = rig.deltas.reshape(len(rig.channels), -1).astype(np.float64)
    gram = flat @ flat.T
    size = np.diag(gram).copy()
    gram[np.diag_indices_from(gram)] += _RIDGE * size
    towards = motion.reshape(len(motion), -1).astype(np.float64) @ flat.T
    low, high = rig.ranges.T.astype(np.float64)
    weights = np.clip(np.linalg.solve(gram, towards.T).T, low, high)
    for _ in range(_SWEEPS):  # one channel after the other, each to its own best inside its range
        before = weights.copy()
        for k in range(len(size)):
            gradient = towards[:, k] - weights @ gram[:, k]
            weights[:, k] = np.clip(weights[:, k] + gradient / gram[k, k], low[k], high[k])
        if float(np.abs(weights - before).max()) < _SETTLED:
            break
    return weights.astype(np.float32)
