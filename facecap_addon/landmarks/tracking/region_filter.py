"""Steadies the region of interest over time, so that its jitter does not move landmarks, without trailing fast motion.

Casiez, Roussel and Vogel, "1 € Filter", 2012: a low-pass whose cut-off rises with speed.
"""

from __future__ import annotations

import math

from ..regions import Region

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
        self._state: Region | None = None
        self._speed = [0.0, 0.0, 0.0, 0.0]
        self._time_s = 0.0

    def reset(self) -> None:
        """Forget the past: the next region is taken as it is."""
        self._state = None

    def step(self, measured: Region, time_s: float) -> Region:
        """The steadied region after a measured one at `time_s`."""
        step_s = time_s - self._time_s
        self._time_s = time_s
        past = self._state
        if past is None or self._smoothing <= 0.0:
            self._state, self._speed = measured, [0.0, 0.0, 0.0, 0.0]
            return measured
        step_s = min(step_s, _LONGEST_STEP_S) if step_s > 0.0 else _USUAL_STEP_S
        # Centre in sides, so that one speed means the same for a near and a distant face.
        side = measured.side_px
        change = (
            (measured.center_px[0] - past.center_px[0]) / side,
            (measured.center_px[1] - past.center_px[1]) / side,
            math.log(side / past.side_px),
            (measured.rotation_rad - past.rotation_rad + math.pi) % math.tau - math.pi,
        )
        speed_gain = _gain(_SPEED_CUTOFF_HZ, step_s)
        moved: list[float] = []
        for i, amount in enumerate(change):
            self._speed[i] += speed_gain * (amount / step_s - self._speed[i])
            cutoff_hz = _CUTOFF_AT_REST_HZ / self._smoothing + _CUTOFF_RISE * abs(self._speed[i])
            moved.append(_gain(cutoff_hz, step_s) * amount)
        self._state = Region(
            (past.center_px[0] + moved[0] * side, past.center_px[1] + moved[1] * side),
            past.side_px * math.exp(moved[2]),
            past.rotation_rad + moved[3],
        )
        return self._state


def _gain(cutoff_hz: float, step_s: float) -> float:
    """Share of the change that a first-order low-pass lets through in one step."""
    return 1.0 / (1.0 + 1.0 / (math.tau * cutoff_hz * step_s))
