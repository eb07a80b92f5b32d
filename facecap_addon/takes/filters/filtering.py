"""A chosen filter at work: over whole takes, and frame by frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from .choice import FilterChoice
from .hybrid import OnlineHybrid, hybrid
from .one_euro import OneEuro

F64 = NDArray[np.float64]


class OnlineFilter(Protocol):
    """A filter of D curves, frame by frame."""

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """The next frame's (D,) values; returns the time that the answer is of, and the answer (D,)."""
        ...


def filtered(choice: FilterChoice, time_s: F64, values: F64) -> F64:
    """Curves (F, D) of a whole take, filtered; time_s (F,) strictly ascending."""
    if len(values) < 2 or choice.kind == "none":
        return values.astype(np.float64)
    if choice.kind == "hybrid":
        return hybrid(time_s, values, choice.cutoff_hz, choice.radius, choice.order)
    if choice.kind == "median":
        return median_filter(values.astype(np.float64), size=(2 * choice.radius + 1, 1), mode="nearest")
    online = OneEuro(choice.cutoff_hz)
    steps = np.diff(time_s, prepend=time_s[0] - (time_s[1] - time_s[0]))
    return np.stack([online.step(float(dt), row) for dt, row in zip(steps, values, strict=True)])


def online(choice: FilterChoice) -> OnlineFilter:
    """A filter for live curves."""
    if choice.kind == "hybrid":
        return OnlineHybrid(choice.cutoff_hz, choice.radius, choice.order, choice.delay)
    return _Simple(choice)


class _Simple:
    """The other filters, live: a running median looks back only."""

    def __init__(self, choice: FilterChoice) -> None:
        self._choice, self._euro = choice, OneEuro(choice.cutoff_hz)
        self._last: float | None = None
        self._kept: list[F64] = []

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """As `OnlineFilter`."""
        dt = 1 / 30 if self._last is None else time_s - self._last
        self._last = time_s
        if self._choice.kind == "one-euro":
            return time_s, self._euro.step(dt, values)
        if self._choice.kind == "median":
            self._kept = [*self._kept[-2 * self._choice.radius :], values.astype(np.float64)]
            return time_s, np.median(self._kept, axis=0)
        return time_s, values.astype(np.float64)
