"""Which frames ended somewhere implausible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F64, Bools
from .state import DeepState

# Landmarks this far off on average, and by this factor more than is usual in the take, or than where it began.
_OFF_MM, _OFF_FACTOR, _WORSE_FACTOR = 2.5, 3.0, 1.25
# What is further off than this is wrong, whatever is usual.
_FAR_MM = 6.0
# Weights this unlikely (squared standard deviations per key), heads this far from where the solve had them.
_UNLIKELY = 6.0
_TURN_RAD, _SHIFT_M = 0.35, 0.10


def measure_landmark_error(landmark_mm: F64, seen: Bools) -> F64:
    """(N,) root-mean-square distance of what the network sees of the render from what it sees of the footage, mm.

    Args:
        landmark_mm: (N, C, L, 2).  seen: (N, C), whether a camera shows the face: others do not count.
    Returns:
        NaN where no camera shows the face.
    """
    squared = (landmark_mm**2).sum(-1).mean(2)
    cameras = seen.sum(1)
    total = np.where(seen, squared, 0.0).sum(1)
    return np.sqrt(np.where(cameras > 0, total / np.maximum(cameras, 1), np.nan))


def find_failed(
    error_mm: F64, begun_mm: F64, energy: F64, state: DeepState, start: DeepState, expected: F64, precision: F64
) -> NDArray[np.bool_]:
    """Frames not to be believed.

    Args:
        error_mm: (F,), see `measure_landmark_error`.  begun_mm: (F,) the same at the start; NaN: not known.
        energy: (F,).  state: where frames ended.  start: where they began.
        expected: (F, K) weights.  precision: (K, K) of them as recorded faces have it, whatever the user trusts.
    Returns:
        (F,) bool.
    """
    usual = float(np.median(error_mm[np.isfinite(error_mm)])) if np.isfinite(error_mm).any() else np.inf
    away = state.weights - expected
    unlikely = (away * (away @ precision)).sum(1) / max(1, away.shape[1])
    turn = Rotation.from_matrix(state.rotation @ start.rotation.transpose(0, 2, 1)).magnitude()
    shift = np.linalg.norm(state.translation - start.translation, axis=1)
    worse = error_mm > _WORSE_FACTOR * np.where(np.isfinite(begun_mm), begun_mm, np.inf)
    off = (error_mm > _OFF_MM) & (worse | (error_mm > _OFF_FACTOR * usual))
    bad = ~np.isfinite(energy) | ~np.isfinite(error_mm) | off | (error_mm > _FAR_MM)
    return bad | (unlikely > _UNLIKELY) | (turn > _TURN_RAD) | (shift > _SHIFT_M)
