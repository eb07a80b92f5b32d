"""Which frames ended somewhere implausible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F64
from .energies.deep_energy import Comparison
from .state import DeepState

# Landmarks this far off on average, and by this factor more than is usual in the take.
_OFF_MM, _OFF_FACTOR = 2.5, 3.0
# Weights this unlikely (squared standard deviations per key), heads this far from where the solve had them.
_UNLIKELY = 6.0
_TURN_RAD, _SHIFT_M = 0.35, 0.10


def measure_landmark_error(compared: Comparison) -> F64:
    """(N,) root-mean-square distance of what the network sees of the render from what it sees of the footage, mm."""
    squared = (compared.landmark_mm**2).sum(-1)
    return np.sqrt(squared.mean(axis=(1, 2)))


def find_failed(
    error_mm: F64, energy: F64, state: DeepState, start: DeepState, expected: F64, precision: F64
) -> NDArray[np.bool_]:
    """Frames not to be believed.

    Args:
        error_mm: (F,), see `measure_landmark_error`.  energy: (F,).
        state: where frames ended.  start: where they began.  expected: (F, K) weights.  precision: (K, K).
    Returns:
        (F,) bool.
    """
    usual = float(np.median(error_mm[np.isfinite(error_mm)])) if np.isfinite(error_mm).any() else np.inf
    off = state.weights - expected
    unlikely = (off * (off @ precision)).sum(1) / max(1, off.shape[1])
    turn = Rotation.from_matrix(state.rotation @ start.rotation.transpose(0, 2, 1)).magnitude()
    shift = np.linalg.norm(state.translation - start.translation, axis=1)
    bad = ~np.isfinite(energy) | ~np.isfinite(error_mm) | (error_mm > max(_OFF_MM, _OFF_FACTOR * usual))
    return bad | (unlikely > _UNLIKELY) | (turn > _TURN_RAD) | (shift > _SHIFT_M)
