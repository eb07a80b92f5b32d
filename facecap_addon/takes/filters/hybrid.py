"""FACEGOOD's hybrid filter: Kalman, then Savitzky-Golay (section 3.2), which here lets go where it would blunt a peak.

A slow chain smooths what stands still; where measurements lie to one side of it for longer than noise would, the curve
is moving, and a quick one takes over. So blinks keep their height and lips meet.
"""

from __future__ import annotations

import numpy as np

from ...arrays import F64
from ...geometry.easing import smoothstep
from .kalman import State, begin, correct, predict, smooth
from .savitzky_golay import fit_weights, savitzky_golay

_QUICKER = 6.0
# Residuals are noise below the first many standard deviations, motion above the second.
_NOISE, _MOTION = 1.5, 3.0
_THIRD_DIFFERENCE = 0.6745 * np.sqrt(20.0)
_LEAST_NOISE = 1e-4
_FORGETS_S = 1.0
_LETS_GO = 0.7


def smooth_hybrid(time_s: F64, values: F64, cutoff_hz: float, radius: int, order: int) -> F64:
    """Curves of a whole take, smoothed without delay.

    Args:
        time_s: (F,) strictly ascending.  values: (F, D).  cutoff_hz: at which the Kalman smoother lets half through.
        radius, order: of Savitzky-Golay, frames and degree.
    Returns:
        (F, D).
    """
    if len(values) < 4:
        return values.astype(np.float64)
    slow = savitzky_golay(time_s, smooth(time_s, values, cutoff_hz), radius, order)
    quick = smooth(time_s, values, _QUICKER * cutoff_hz)
    share = _rate_motion(_average_three(values - slow), noise_of(values), 3)
    share = _average_three(np.maximum(share, np.maximum(_shift_by_one(share), _shift_by_one(share[::-1])[::-1])))
    return slow + share * (quick - slow)


def noise_of(values: F64) -> F64:
    """(D,) deviation of the measurements' noise, from third differences: what moves smoothly has small ones."""
    third = np.abs(np.diff(values, 3, axis=0))
    return np.maximum(np.median(third, axis=0) / _THIRD_DIFFERENCE, _LEAST_NOISE)


class OnlineHybrid:
    """The same, frame by frame: causal, or late by as many frames as one likes to wait.

    Args:
        cutoff_hz, radius, order: as `smooth_hybrid`.  delay: frames to wait for before a value is given, 0 to radius.
    """

    def __init__(self, cutoff_hz: float, radius: int, order: int, delay: int = 0) -> None:
        self._cutoffs = (cutoff_hz, _QUICKER * cutoff_hz)
        self._window, self._order, self.delay = 2 * radius + 1, order, min(delay, radius)
        self._states: list[State] = []
        self._times: list[float] = []
        self._raw: list[F64] = []
        self._slow: list[F64] = []
        self._quick: list[F64] = []
        self._noise: F64 | None = None
        self._answer: tuple[float, F64] | None = None
        self._share: F64 | float = 0.0
        self._residual: F64 | float = 0.0

    def step(self, time_s: float, values: F64) -> tuple[float, F64]:
        """The next frame's (D,) values; returns the time that the answer is of, and the answer (D,).

        A frame that is not later than the last one changes nothing.
        """
        values = values.astype(np.float64)
        dt = time_s - self._times[-1] if self._times else 1 / 30
        if dt <= 0 and self._answer is not None:
            return self._answer
        if self._states:
            moved = [predict(state, dt, cutoff) for state, cutoff in zip(self._states, self._cutoffs, strict=True)]
            self._states = [correct(state, values, dt) for state in moved]
        else:
            self._states = [begin(values, dt) for _ in self._cutoffs]
        for kept, new in (
            (self._times, time_s),
            (self._raw, values),
            (self._slow, self._states[0].mean[0]),
            (self._quick, self._states[1].mean[0]),
        ):
            kept.append(new)  # pyright: ignore[reportArgumentType] (a list each of what it holds)
            del kept[: -self._window]
        self._learn_noise(dt)
        at = len(self._times) - 1 - min(self.delay, len(self._times) - 1)
        slow = self._smooth(at)
        if self._noise is not None:
            residual = self._raw[at] - slow
            mean = (residual + self._residual) / 2
            share = np.maximum(_rate_motion(residual, self._noise, 1), _rate_motion(mean, self._noise, 2))
            # One who lets go for a single frame at the turn of a blink would overshoot there.
            self._share = np.maximum(share, _LETS_GO * self._share)
            self._residual = residual
        self._answer = self._times[at], slow + self._share * (self._quick[at] - slow)
        return self._answer

    def _smooth(self, at: int) -> F64:
        known = np.array(self._slow)
        if len(known) <= self._order + 1:
            return known[at]
        times = np.array(self._times)
        return fit_weights((times - times[at])[None], self._order)[0] @ known

    def _learn_noise(self, dt_s: float) -> None:
        if len(self._raw) < 4:
            return
        third = np.abs(np.diff(np.array(self._raw[-4:]), 3, axis=0))[0] / np.sqrt(20.0)
        if self._noise is None:
            self._noise = np.maximum(third, _LEAST_NOISE)
            return
        # Motion is not noise: what is far above the usual counts little.
        seen = np.minimum(third, 2.5 * self._noise)
        self._noise = np.maximum(self._noise + min(1.0, dt_s / _FORGETS_S) * (1.25 * seen - self._noise), _LEAST_NOISE)


def _rate_motion(residual: F64, noise: F64, frames: int) -> F64:
    """0 where a mean residual of some frames is noise, 1 where it is motion, smoothly between."""
    return smoothstep((np.abs(residual) / (noise / np.sqrt(frames)) - _NOISE) / (_MOTION - _NOISE))


def _average_three(values: F64) -> F64:
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def _shift_by_one(values: F64) -> F64:
    return np.concatenate([values[:1], values[:-1]])
