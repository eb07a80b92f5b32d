"""Fewer keys for the same curve: a curve with a key on every frame as few smooth stretches, within a tolerance.

Every key that stays lies on the curve as it was. Between two of them it is a cubic in time whose slopes are found by
least squares, shared by the stretches on both sides, so that nothing kinks; where a stretch is off by more than the
tolerance it is split where it is worst, and all slopes are found anew (after P. J. Schneider, An Algorithm for
Automatically Fitting Digitized Curves, Graphics Gems, 1990, with the curve's own time as the parameter). What is
compared is all of the curve, not its keys alone: the largest distance of a cubic from the straight line between two
frames has a closed form.

With handles at a third of the way to the neighbouring key, Blender's Bézier curve is such a cubic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from ..arrays import F64

_MARGIN = 0.97
"""Of the tolerance, what the fit may use: Blender keeps frames and values in single precision."""
_OUTLINE = 20.0
"""How far the lines of the first outline may be off, in tolerances."""
_PASSES = 6
"""How often needless keys are looked for."""
_RIDGE = 1e-9
"""How firmly slopes that nothing else decides are held at those of the curve itself."""


@dataclass(frozen=True)
class ReducedCurve:
    """What stays of a curve.

    Attributes:
        rows: (N,) ascending: which of its keys.
        slopes: (N,) float64, value per frame, of the curve at those keys.
        straight: (N,) bool: whether the stretch after a key is a straight line; the last says nothing.
    """

    rows: NDArray[np.intp]
    slopes: F64
    straight: NDArray[np.bool_]


def reduce_curves(
    frames: NDArray[np.floating],
    values: NDArray[np.floating],
    tolerance: float | NDArray[np.floating],
    *,
    linear: bool = False,
    pinned: NDArray[np.bool_] | None = None,
) -> list[ReducedCurve]:
    """Find the keys that describe curves of straight lines within a tolerance, everywhere from first to last key.

    Args:
        frames: (F,) ascending.  values: (F, C), a column for every curve.
        tolerance: how far a curve may be off, in its own unit; one for all or (C,).
        linear: straight lines between the keys, instead of cubics.
        pinned: (F, C), keys that stay in any case.
    """
    times = np.asarray(frames, np.float64)
    columns = np.asarray(values, np.float64)
    rows, count = columns.shape
    if rows < 3:
        return [ReducedCurve(np.arange(rows), np.zeros(rows), np.ones(rows, bool)) for _ in range(count)]
    fixed = np.zeros((count, rows), bool) if pinned is None else np.asarray(pinned, bool).T.copy()
    fixed[:, [0, -1]] = True
    allowed = _MARGIN * np.broadcast_to(tolerance, count)
    lines = np.ones((count, rows), bool)
    if linear:
        keys, straight = _split(times, columns.T, allowed, fixed, lines)
    else:  # from a coarse outline: it costs no slopes
        outline, _ = _split(times, columns.T, _OUTLINE * allowed, fixed, lines)
        keys, straight = _split(times, columns.T, allowed, outline, ~lines)
    keys, straight = _thin_out(times, columns.T, allowed, keys, straight, fixed, linear=linear)
    curves = _Curves(times, columns.T, allowed)
    slopes = np.zeros(int(keys.sum())) if linear else curves.find_slopes(keys, straight)
    slopes_of = np.split(slopes, np.cumsum(keys.sum(1))[:-1])
    return [
        ReducedCurve(np.flatnonzero(own), slope, lines[own])
        for own, slope, lines in zip(keys, slopes_of, straight, strict=True)
    ]


def _split(
    times: F64, values: F64, allowed: F64, keys: NDArray[np.bool_], straight: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Add keys where curves are off by more than they may be, until none is.

    Args:
        times: (F,).  values: (C, F).  allowed: (C,).  keys: (C, F), present ones.
        straight: (C, F), whether the stretch from a frame on is a straight line.
    """
    keys, straight = keys.copy(), straight.copy()
    open_ = np.arange(len(values))
    while len(open_):
        curves = _Curves(times, values[open_], allowed[open_])
        own, lines = keys[open_], straight[open_]
        slopes = np.zeros(int(own.sum())) if lines.all() else curves.find_slopes(own, lines)
        split, bent = curves.find_faults(own, slopes, lines)
        keys[open_] |= split
        straight[open_] |= bent
        open_ = open_[(split | bent).any(1)]
    return keys, straight


def _thin_out(
    times: F64,
    values: F64,
    allowed: F64,
    keys: NDArray[np.bool_],
    straight: NDArray[np.bool_],
    fixed: NDArray[np.bool_],
    *,
    linear: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Take away every other key, for later ones may have made it needless, while that makes them fewer."""
    keys, straight = keys.copy(), straight.copy()
    helped = np.zeros(len(values), np.intp)  # the latest pass that did
    for number in range(_PASSES):
        open_ = np.flatnonzero(number - helped < 3)
        if not len(open_):
            break
        free = keys[open_] & ~fixed[open_]
        fewer = keys[open_] & ~(free & (np.cumsum(free, 1) % 2 == number % 2))
        # A line between neighbouring frames stays one only while both are keys.
        still = straight[open_] & fewer & np.roll(fewer, -1, 1)
        fewer, lines = _split(times, values[open_], allowed[open_], fewer, np.ones_like(still) if linear else still)
        better = fewer.sum(1) < keys[open_].sum(1)
        keys[open_[better]], straight[open_[better]] = fewer[better], lines[better]
        helped[open_[better]] = number
    return keys, straight


class _Curves:
    """Curves at the same frames: what a set of keys makes of them."""

    def __init__(self, times: F64, values: F64, allowed: F64) -> None:
        """Args: times: (F,).  values: (C, F).  allowed: (C,), how far each may be off."""
        count, self.rows = values.shape
        self.times, self.values = np.tile(times, count), values.ravel()
        self.allowed = np.repeat(allowed, self.rows)
        index = np.arange(count * self.rows)
        self.begin = index[index % self.rows != self.rows - 1]  # every frame that has a next

    def find_slopes(self, keys: NDArray[np.bool_], straight: NDArray[np.bool_]) -> F64:
        """The slope at every key with which the cubics are nearest to the curves; of straight stretches none asks."""
        at, stretch = np.flatnonzero(keys), np.cumsum(keys) - 1
        size = len(at)
        times, values = self.times[at], self.values[at]
        begin = self.begin[~straight.ravel()[at][stretch[self.begin]]]
        part = np.tile(stretch[begin], 2)
        # At the frames, and half way to the next.
        when = np.concatenate([self.times[begin], 0.5 * (self.times[begin] + self.times[begin + 1])])
        value = np.concatenate([self.values[begin], 0.5 * (self.values[begin] + self.values[begin + 1])])
        long = times[part + 1] - times[part]
        s = (when - times[part]) / long
        left, right = long * s * (1 - s) ** 2, -long * s**2 * (1 - s)
        rest = value - values[part] - (values[part + 1] - values[part]) * s**2 * (3 - 2 * s)

        def total(terms: F64) -> F64:
            return np.bincount(part, terms, minlength=size).astype(np.float64)

        def shifted(terms: F64) -> F64:
            return np.concatenate([[0.0], terms[:-1]])

        diagonal = total(left * left) + shifted(total(right * right))
        ridge = _RIDGE * (1.0 + diagonal)
        before = np.where(at % self.rows == 0, at, at - 1)
        after = np.where(at % self.rows == self.rows - 1, at, at + 1)
        own = (self.values[after] - self.values[before]) / (self.times[after] - self.times[before])
        wanted = total(left * rest) + shifted(total(right * rest)) + ridge * own
        return solveh_banded(np.stack([diagonal + ridge, total(left * right)]), wanted, lower=True)

    def find_faults(
        self, keys: NDArray[np.bool_], slopes: F64, straight: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where the curves are off by more than they may be, each (C, F).

        Returns:
            the frame to split at of every stretch that is off; and where a stretch is off between neighbouring frames,
            which has to be a line, as it was.
        """
        at, stretch = np.flatnonzero(keys), np.cumsum(keys) - 1
        excess = self._measure(at, stretch, slopes, straight.ravel()[at]) - self.allowed
        bent = keys.ravel() & np.append(keys.ravel()[1:], True) & (excess > 0)
        # A frame is as bad as what lies on both sides of it; keys cannot be split at.
        bad = np.maximum(excess, np.append(-np.inf, excess[:-1]))
        bad[keys.ravel()] = -np.inf
        worst = np.maximum.reduceat(bad, at)
        hit = np.flatnonzero((bad > 0) & (bad == worst[stretch]))
        _, once = np.unique(stretch[hit], return_index=True)
        split = np.zeros(keys.size, bool)
        split[hit[once]] = True
        return split.reshape(keys.shape), bent.reshape(keys.shape)

    def _measure(self, at: NDArray[np.intp], stretch: NDArray[np.intp], slopes: F64, line: NDArray[np.bool_]) -> F64:
        """(C · F,): the largest distance between each frame and the next; 0 for the last of a curve."""
        begin = self.begin
        part = stretch[begin]
        start, end = at[:-1], at[1:]
        long, rise = self.times[end] - self.times[start], self.values[end] - self.values[start]
        found = np.zeros(len(self.values))
        if line.all():  # lines are farthest apart at the frames, and every frame begins an interval
            before = self.times[begin] - self.times[start][part]
            found[begin] = np.abs(self.values[start][part] + (rise / long)[part] * before - self.values[begin])
            return found
        from_slope, to_slope = long * slopes[:-1], long * slopes[1:]
        # The cubic by powers of the share s of the stretch; less the line between two frames, it is a cubic again.
        line = line[:-1]
        first: F64 = np.where(line, rise, from_slope)[part]
        second: F64 = np.where(line, 0.0, 3 * rise - 2 * from_slope - to_slope)[part]
        third: F64 = np.where(line, 0.0, from_slope + to_slope - 2 * rise)[part]
        start, long = start[part], long[part]
        s_0 = (self.times[begin] - self.times[start]) / long
        s_1 = (self.times[begin + 1] - self.times[start]) / long
        incline = (self.values[begin + 1] - self.values[begin]) / (s_1 - s_0)
        first -= incline
        above = self.values[start] - self.values[begin] + incline * s_0

        def distance(s: F64) -> F64:
            return np.abs(above + s * (first + s * (second + s * third)))

        worst = np.maximum(distance(s_0), distance(s_1))
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(np.maximum(second**2 - 3 * third * first, 0.0))
            q = -(second + np.copysign(root, second))
            for turn in (q / (3 * third), first / q):
                worst = np.fmax(worst, distance(np.clip(turn, s_0, s_1)))  # without turns they are no numbers
        found[begin] = worst
        return found
