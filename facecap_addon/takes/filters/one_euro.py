"""The 1€ filter (Casiez et al. 2012): a causal low-pass whose cut-off rises with speed."""

from __future__ import annotations

import numpy as np

from ...arrays import F64

_SPEED_CUTOFF_HZ = 1.0


class OneEuro:
    """The filter of D curves, frame by frame.

    Args:
        cutoff_hz: at rest.  per_speed: Hz that the cut-off rises per unit of speed (units of the curve per second).
    """

    def __init__(self, cutoff_hz: float, per_speed: float = 6.0) -> None:
        self._cutoff, self._per_speed = cutoff_hz, per_speed
        self._value: F64 | None = None
        self._speed: F64 | None = None

    def step(self, dt_s: float, values: F64) -> F64:
        """The next frame's (D,) values, `dt_s` after the last one; where no time has passed, nothing moves."""
        if self._value is None or self._speed is None:
            self._value, self._speed = values.astype(np.float64), np.zeros(len(values))
            return self._value
        if dt_s <= 0:
            return self._value
        speed = (values - self._value) / dt_s
        self._speed = self._speed + _share(dt_s, _SPEED_CUTOFF_HZ) * (speed - self._speed)
        cutoff = self._cutoff + self._per_speed * np.abs(self._speed)
        self._value = self._value + _share(dt_s, cutoff) * (values - self._value)
        return self._value


def _share(dt_s: float, cutoff_hz: F64 | float) -> F64:
    """How far a low-pass goes towards a new value."""
    turn = 2 * np.pi * np.asarray(cutoff_hz) * dt_s
    return turn / (turn + 1)
