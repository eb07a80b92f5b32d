"""Kalman filter and Rauch-Tung-Striebel smoother of curves that move with nearly constant velocity
(FACEGOOD 2021, equations 3 and 4, without control: u = 0).

The only number to choose is a cut-off. Where a curve's acceleration is white noise of density q and its measurements
have noise of density r, the smoother's gain at the angular frequency ω is 1 / (1 + ω⁴ r/q): half at ω⁴ = q/r. The
causal filter of the same cut-off has no delay at low frequencies, since it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import F64

_START = 1e4
"""Variance of what is not known at the start, in measurements' variances."""


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


def smooth(time_s: F64, values: F64, cutoff_hz: F64 | float) -> F64:
    """Curves smoothed forth and back, without delay.

    Args:
        time_s: (F,) strictly ascending.  values: (F, D).  cutoff_hz: one, or (F, D): at which half is let through.
    Returns:
        (F, D).
    """
    if len(values) < 3:
        return values.astype(np.float64)
    step = np.diff(time_s)
    share = intervals(time_s)
    cutoff = np.asarray(cutoff_hz, np.float64)
    cutoff = np.broadcast_to(cutoff, (len(values), 1) if cutoff.ndim == 0 else values.shape)
    after = [begin(values[0].astype(np.float64), share[0])]
    before: list[State] = []
    for i in range(1, len(values)):
        before.append(predict(after[-1], step[i - 1], cutoff[i]))
        after.append(correct(before[-1], values[i], share[i]))
    out = np.empty(values.shape)
    mean = after[-1].mean
    out[-1] = mean[0]
    for i in range(len(values) - 2, -1, -1):
        mean = after[i].mean + _times(_smoother_gain(after[i], before[i], step[i]), mean - before[i].mean)
        out[i] = mean[0]
    return out


def intervals(time_s: F64) -> F64:
    """(F,) s: how much time each frame stands for."""
    step = np.diff(time_s)
    return 0.5 * (np.append(step, step[-1]) + np.insert(step, 0, step[0]))


def _smoother_gain(after: State, before: State, dt_s: float) -> tuple[F64, F64, F64, F64]:
    """P Fᵀ P'⁻¹, entries of a 2×2 matrix for each curve."""
    a, b, c = after.covariance
    cross = (a + dt_s * b, b, b + dt_s * c, c)  # P Fᵀ
    x, y, z = before.covariance
    scale = 1 / np.maximum(x * z - y * y, 1e-300)
    return (
        (cross[0] * z - cross[1] * y) * scale,
        (cross[1] * x - cross[0] * y) * scale,
        (cross[2] * z - cross[3] * y) * scale,
        (cross[3] * x - cross[2] * y) * scale,
    )


def _times(matrix: tuple[F64, F64, F64, F64], vector: F64) -> F64:
    return np.stack([matrix[0] * vector[0] + matrix[1] * vector[1], matrix[2] * vector[0] + matrix[3] * vector[1]])
