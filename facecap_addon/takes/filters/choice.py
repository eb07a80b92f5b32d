"""Which filter, and how strong: one choice for whole takes and for live curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from ...errors import FacecapError
from .hybrid import OnlineHybrid, hybrid
from .one_euro import OneEuro

F64 = NDArray[np.float64]
FILTERS = ("hybrid", "one-euro", "median", "none")


@dataclass(frozen=True)
class FilterChoice:
    """A filter.

    Attributes:
        kind: one of FILTERS.  cutoff_hz: what is slower stays.  radius: frames on each side of a window.
        order: degree of Savitzky-Golay's polynomial.  delay: frames that a live filter may wait.
    """

    kind: str = "hybrid"
    cutoff_hz: float = 4.0
    radius: int = 3
    order: int = 2
    delay: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FILTERS:
            raise FacecapError(f"There is no filter {self.kind!r}.", f"Choose one of {', '.join(FILTERS)}.")
        if not self.cutoff_hz > 0 or self.radius < 1 or not 0 <= self.order < 2 * self.radius + 1:
            raise FacecapError(
                "The filter's cut-off, radius and order do not fit.",
                "The cut-off is above 0 Hz, the radius at least 1, the order below the window of 2 × radius + 1.",
            )

    def delay_ms(self, fps: float) -> float:
        """How late a live value is because of the filter."""
        return 1000 * (min(self.delay, self.radius) if self.kind == "hybrid" else 0) / fps


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
