"""A chosen filter at work: over whole takes, and frame by frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.ndimage import median_filter

from ...arrays import F64
from .hybrid import OnlineHybrid, smooth_hybrid
from .kalman_sg import OnlineKalmanSg, smooth_kalman_sg
from .one_euro import OneEuro
from .options import FilterChoice


class OnlineFilter(Protocol):
    """A filter of D curves, frame by frame."""

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """The next frame's (D,) values; returns the time that the answer is of, and the answer (D,)."""
        ...


def apply_filter(choice: FilterChoice, time_s: F64, values: F64) -> F64:
    """Curves (F, D) of a whole take, filtered; time_s (F,) ascending.

    Frames that share a time, as timecodes of too low a rate give them, count as one: their mean, filtered, is the
    answer of each.
    """
    if len(values) < 2 or choice.kind == "none":
        return values.astype(np.float64)
    times, moment = np.unique(time_s, return_inverse=True)
    if len(times) < len(time_s):
        means = np.zeros((len(times), values.shape[1]))
        np.add.at(means, moment, values)
        means /= np.bincount(moment)[:, None]
        return apply_filter(choice, times, means)[moment]
    if choice.kind == "hybrid":
        return smooth_hybrid(time_s, values, choice.cutoff_hz, choice.radius, choice.order)
    if choice.kind == "kalman-sg":
        return smooth_kalman_sg(time_s, values, choice.cutoff_hz, choice.radius, choice.order)
    if choice.kind == "median":
        return median_filter(values.astype(np.float64), size=(2 * choice.radius + 1, 1), mode="nearest")
    online = OneEuro(choice.cutoff_hz)
    steps = np.diff(time_s, prepend=time_s[0] - (time_s[1] - time_s[0]))
    return np.stack([online.step(float(dt), row) for dt, row in zip(steps, values, strict=True)])


def make_online_filter(choice: FilterChoice) -> OnlineFilter:
    """A filter for live curves."""
    if choice.kind == "hybrid":
        return OnlineHybrid(choice.cutoff_hz, choice.radius, choice.order, choice.delay)
    if choice.kind == "kalman-sg":
        return OnlineKalmanSg(choice.cutoff_hz, choice.radius, choice.order, choice.delay)
    if choice.kind == "median":
        return _Median(choice.waits)
    return _Simple(choice)


class _Median:
    """A running median that is of the frame in the middle of its window, so late by as many frames as come after it.

    One that looks back only would be late by as much and claim to be of now.
    """

    def __init__(self, radius: int) -> None:
        self._radius = radius
        self._times: list[float] = []
        self._kept: list[F64] = []

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """As `OnlineFilter`."""
        self._times = [*self._times[-2 * self._radius :], time_s]
        self._kept = [*self._kept[-2 * self._radius :], values.astype(np.float64)]
        middle = max(0, len(self._kept) - 1 - self._radius)
        return self._times[middle], np.median(self._kept, axis=0)


class _Simple:
    """The 1€ filter live, or none."""

    def __init__(self, choice: FilterChoice) -> None:
        self._choice, self._euro = choice, OneEuro(choice.cutoff_hz)
        self._last: float | None = None

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """As `OnlineFilter`."""
        dt = 1 / 30 if self._last is None else time_s - self._last
        self._last = time_s
        if self._choice.kind == "one-euro":
            return time_s, self._euro.step(dt, values)
        return time_s, values.astype(np.float64)
