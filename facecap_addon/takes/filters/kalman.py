"""Kalman filter and Rauch-Tung-Striebel smoother of curves that move with nearly constant velocity
(FACEGOOD 2021, equations 3 and 4, without control: u = 0).

The only number to choose is a cut-off. Where a curve's acceleration is white noise of density q and its measurements
have noise of density r, the smoother's gain at the angular frequency ω is 1 / (1 + ω⁴ r/q): half at ω⁴ = q/r. The
causal filter of the same cut-off has no delay at low frequencies, since it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from ...arrays import F64

_START = 1e4
"""Variance of what is not known at the start, in measurements' variances."""
_LEAST_STEP_S = 1e-5


@dataclass
class State:
    """Value and velocity of D curves.

    Attributes:
        mean: (2, D).  covariance: (3, D), or (3, 1) where it is the same for all: of the value, between value and
            velocity, of the velocity.
    """

    mean: F64
    covariance: F64


def begin(values: F64, dt_s: float) -> State:
    """The state after a first measurement (D,)."""
    return State(np.array([values, np.zeros_like(values)]), np.array([[1 / dt_s], [0.0], [_START / dt_s]]))


def predict(state: State, dt_s: float, cutoff_hz: F64 | float) -> State:
    """The state a moment later; cutoff_hz: one, or one for each curve (D,)."""
    q = (2 * np.pi * np.asarray(cutoff_hz, np.float64)) ** 4
    mean = state.mean.copy()
    mean[0] += dt_s * mean[1]
    a, b, c = state.covariance
    return State(
        mean,
        np.array([a + 2 * dt_s * b + dt_s**2 * c + q * dt_s**3 / 3, b + dt_s * c + q * dt_s**2 / 2, c + q * dt_s]),
    )


def correct(state: State, values: F64, dt_s: float) -> State:
    """The state after a measurement (D,) that stands for `dt_s` of time: its variance is 1 / dt_s."""
    a, b, c = state.covariance
    total = a + 1 / dt_s
    gain_value, gain_velocity = a / total, b / total
    mean = state.mean + np.array([gain_value, gain_velocity]) * (values - state.mean[0])
    return State(mean, np.array([a - gain_value * a, b - gain_value * b, c - gain_velocity * b]))


def smooth(time_s: F64, values: F64, cutoff_hz: float) -> F64:
    """Curves smoothed forth and back, without delay.

    What filter and Rauch-Tung-Striebel smoother find frame by frame is the least of a sum of squares whose matrix has
    seven bands, that of a beam on springs: it is solved at once for all curves.

    Args:
        time_s: (F,) strictly ascending.  values: (F, D).  cutoff_hz: at which half is let through.
    Returns:
        (F, D).
    """
    count = len(values)
    if count < 3:
        return values.astype(np.float64)
    share, step = intervals(time_s), np.maximum(np.diff(time_s), _LEAST_STEP_S)
    density, unit = (2 * np.pi * cutoff_hz) ** 4, float(np.median(step))
    # A frame's unknowns are its value and its velocity, the latter per usual step: so they are of one size.
    stiff, turn, bend = 12 / step**3 / density, 6 / step**2 / density / unit, 4 / step / density / unit**2
    bands = np.zeros((4, 2 * count))
    bands[3, 0::2] = share
    bands[3, 1] = share[0] / _START / unit**2
    bands[3, 0:-2:2] += stiff
    bands[3, 2::2] += stiff
    bands[3, 1:-2:2] += bend
    bands[3, 3::2] += bend
    bands[2, 1:-2:2] += turn
    bands[2, 3::2] -= turn
    bands[2, 2::2] = -turn
    bands[1, 2::2] = -stiff
    bands[1, 3::2] = bend / 2
    bands[0, 3::2] = turn
    right = np.zeros((2 * count, values.shape[1]))
    right[0::2] = share[:, None] * values
    return solveh_banded(bands, right, overwrite_ab=True, overwrite_b=True, check_finite=False)[0::2]


def intervals(time_s: F64) -> F64:
    """(F,) s: how much time each frame stands for."""
    step = np.diff(time_s)
    return 0.5 * (np.append(step, step[-1]) + np.insert(step, 0, step[0]))
