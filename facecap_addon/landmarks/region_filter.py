"""Steadies the region of interest over time, so that its jitter does not move landmarks, without trailing fast motion.

Casiez, Roussel and Vogel, "1 € Filter", 2012: a low-pass whose cut-off rises with speed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .regions import Region

# Cut-off at rest, and its rise per unit of speed (sides per second, or radians per second).
_CUTOFF_AT_REST_HZ = 1.0
_CUTOFF_RISE = 8.0
_SPEED_CUTOFF_HZ = 2.0
_USUAL_STEP_S = 1.0 / 30.0
_LONGEST_STEP_S = 0.25


class RegionFilter:
    """A 1 € filter over a region's centre, the logarithm of its side, and its rotation."""

    def __init__(self, smoothing: float) -> None:
        """`smoothing` divides the cut-off at rest: 1 is the default steadiness, 0 switches the filter off."""
        self._smoothing = smoothing
        self._state: NDArray[np.float64] | None = None
        self._speed = np.zeros(4)
        self._time_s = 0.0

    def reset(self) -> None:
        """Forget the past: the next region is taken as it is."""
        self._state = None

    def step(self, region: Region, time_s: float) -> Region:
        """The steadied region after a measured one at `time_s`."""
        measured = np.array([*region.center_px, np.log(region.side_px), region.rotation_rad])
        step_s = time_s - self._time_s
        self._time_s = time_s
        if self._state is None or self._smoothing <= 0.0:
            self._state, self._speed = measured, np.zeros(4)
            return region
        step_s = min(step_s, _LONGEST_STEP_S) if step_s > 0.0 else _USUAL_STEP_S
        change = measured - self._state
        change[3] = (change[3] + np.pi) % (2 * np.pi) - np.pi
        # Centre in sides, so that one speed means the same for a near and a distant face.
        scale = np.array([region.side_px, region.side_px, 1.0, 1.0])
        speed_gain = _gain(np.array(_SPEED_CUTOFF_HZ), step_s)
        self._speed = self._speed + speed_gain * (change / scale / step_s - self._speed)
        cutoff = _CUTOFF_AT_REST_HZ / self._smoothing + _CUTOFF_RISE * np.abs(self._speed)
        self._state = self._state + _gain(cutoff, step_s) * change
        x, y, log_side, rotation = (float(v) for v in self._state)
        return Region((x, y), float(np.exp(log_side)), rotation)


def _gain(cutoff_hz: NDArray[np.float64], step_s: float) -> NDArray[np.float64]:
    """Share of the change that a first-order low-pass lets through in one step."""
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * np.maximum(cutoff_hz, 1e-6) * step_s))
