"""FACEGOOD's filter as their paper has it (section 3.2): Kalman, then Savitzky-Golay, and nothing else.

The Kalman filter runs forth only, as it does live, and nothing looks after blinks and lips; `hybrid` does both.
"""

from __future__ import annotations

import numpy as np

from ...arrays import F64
from .kalman import State, begin, correct, predict
from .savitzky_golay import fit_weights, savitzky_golay


def smooth_kalman_sg(time_s: F64, values: F64, cutoff_hz: float, radius: int, order: int) -> F64:
    """Curves (F, D) of a whole take, filtered; arguments as `smooth_hybrid`."""
    kalman = _Kalman(cutoff_hz)
    followed = np.stack([kalman.step(float(t), row) for t, row in zip(time_s, values, strict=True)])
    return savitzky_golay(time_s, followed, radius, order)


class OnlineKalmanSg:
    """The same, frame by frame: at the newest one, or late by as many frames as one likes to wait.

    Args:
        cutoff_hz, radius, order: as `smooth_hybrid`.  delay: frames to wait for before a value is given, 0 to radius.
    """

    def __init__(self, cutoff_hz: float, radius: int, order: int, delay: int = 0) -> None:
        self._kalman, self._window, self._order = _Kalman(cutoff_hz), 2 * radius + 1, order
        self._delay = min(delay, radius)
        self._times: list[float] = []
        self._followed: list[F64] = []

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """The next frame's (D,) values, later than the last; returns the time that the answer is of, and that (D,)."""
        self._times = [*self._times[1 - self._window :], time_s]
        self._followed = [*self._followed[1 - self._window :], self._kalman.step(time_s, values)]
        at = max(0, len(self._times) - 1 - self._delay)
        if len(self._times) <= self._order:
            return self._times[at], self._followed[at]
        away = np.array(self._times) - self._times[at]
        return self._times[at], fit_weights(away[None], self._order)[0] @ np.array(self._followed)


class _Kalman:
    """The filter of `kalman`, forth."""

    def __init__(self, cutoff_hz: float) -> None:
        self._cutoff_hz = cutoff_hz
        self._state: State | None = None
        self._last_s = 0.0

    def step(self, time_s: float, values: F64) -> F64:
        """(D,) of the next frame."""
        values = values.astype(np.float64)
        dt = 1 / 30 if self._state is None else time_s - self._last_s
        self._last_s = time_s
        if self._state is None:
            self._state = begin(values, dt)
        else:
            self._state = correct(predict(self._state, dt, self._cutoff_hz), values, dt)
        return self._state.mean[0]
