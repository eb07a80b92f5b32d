"""The holds of a calibration: where in a clip an actor holds each of the expressions she was asked for.

The guide asks for them in an order of its own; between them she may rest. A hold is a stretch in which the face is
nearly still away from rest. Stretches are matched to expressions in order, so that none is mistaken for one that was
asked for elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from ...arrays import F64
from ...errors import FacecapError
from ...rig.channels import columns_by_name
from ...takes.take import Take, find_runs, usual_step_s
from .guide import GUIDE, NEUTRAL, expression_named

# A still face changes by less than this many times what the calmer quarter of the clip does, within limits (1/s, over
# all channels); a hold lasts that long at least.
_STILL_TIMES, _STILL_LIMITS_PER_S, _SHORTEST_S = 3.0, (0.8, 2.0), 0.35
# A face at rest is no further from rest than so many times what that quarter is, within limits.
_CALM_TIMES, _CALM_LIMITS, _CALM_PERCENTILE = 2.0, (0.06, 0.3), 25
_JITTER_S = 0.3
_STEP_S, _BLINK_S, _ALIKE = 0.1, 0.6, 0.35
_REST_PERCENTILE = 20
# The main channels of an expression have to stand out by this much of what they do in any stretch, and at all.
_SHARE, _LEAST = 0.4, 0.05
_AROUND_MARK_S = 0.25
_MIDDLE = 0.6


@dataclass(frozen=True)
class Hold:
    """Where an expression is held.

    Attributes:
        name: of the expression.  first, last: rows of the take that are in it.
    """

    name: str
    first: int
    last: int

    @property
    def middle(self) -> int:
        return (self.first + self.last) // 2

    @property
    def rows(self) -> slice:
        """Its calmer part, without the way there and back."""
        trim = round(0.5 * (1 - _MIDDLE) * (self.last - self.first))
        return slice(self.first + trim, self.last - trim + 1)


def find_holds(take: Take) -> tuple[Hold, ...]:
    """The holds of a calibration, found by themselves, in order of time; what is not found is left out.

    Raises FacecapError if there is none, or no neutral face.
    """
    weights, names = _known(take)
    speed = _speed(take.time_s, weights)
    rest = np.percentile(weights[take.solved], _REST_PERCENTILE, axis=0)
    above = weights - rest
    away = np.linalg.norm(np.maximum(above, 0), axis=1)
    calm_speed = np.percentile(speed[take.solved], _CALM_PERCENTILE)
    still = take.solved & (speed < np.clip(_STILL_TIMES * calm_speed, *_STILL_LIMITS_PER_S))
    at_rest = np.clip(_CALM_TIMES * np.percentile(away[take.solved], _CALM_PERCENTILE), *_CALM_LIMITS)
    matched = _match(_join_over_blinks(take, weights, find_runs(still & (away > at_rest))), above, names)
    calm = [run for run in find_runs(still & (away <= at_rest)) if _seconds(take, run) >= _SHORTEST_S]
    if not calm or not matched:
        raise FacecapError(
            "No holds were found in this clip: a neutral face and at least one expression, each held still.",
            "Hold each expression for about two seconds and rest in between, or name times in a file of marks.",
        )
    neutral = Hold(NEUTRAL, *min(calm, key=lambda run: float(np.median(away[run[0] : run[1] + 1]))))
    return tuple(sorted((neutral, *matched), key=lambda hold: hold.first))


def holds_at(take: Take, marks: Sequence[tuple[float, str]]) -> tuple[Hold, ...]:
    """The holds at times (s) and under names that the user gives.

    Raises FacecapError if a name is not known, no face is seen at a time, or none is the neutral face.
    """
    holds = []
    for time_s, name in marks:
        near = np.flatnonzero(take.solved & (np.abs(take.time_s - time_s) <= _AROUND_MARK_S))
        if not len(near):
            raise FacecapError(f"No face is seen at {time_s:.2f} s, where “{name}” is marked.", "Correct the marks.")
        holds.append(Hold(expression_named(name).name, int(near[0]), int(near[-1])))
    if not any(hold.name == NEUTRAL for hold in holds):
        raise FacecapError("The marks name no neutral face.", "Add a line such as “0.5,neutral”.")
    return tuple(sorted(holds, key=lambda hold: hold.first))


def _known(take: Take) -> tuple[F64, tuple[str, ...]]:
    """(F, K) weights of the channels with ARKit's names, but gaze, without jitter, and their names.

    Pairs of keys for one channel count as one. Raises FacecapError if there are none.
    """
    columns = {name: at for name, at in columns_by_name(take.channels).items() if not name.startswith("eyeLook")}
    if not columns:
        raise FacecapError("The character has no keys with ARKit's names.", "Calibrate on a head that has them.")
    weights = np.stack([take.weights[:, at].mean(1) for at in columns.values()], axis=1).astype(np.float64)
    frames = 2 * round(0.5 * _JITTER_S / max(usual_step_s(take.time_s), 1e-3)) + 1
    return median_filter(weights, (frames, 1), mode="nearest"), tuple(columns)


def _speed(time_s: F64, weights: F64) -> F64:
    """(F,) how fast all weights change together, 1/s, over about a fifth of a second."""
    ahead = np.clip(np.searchsorted(time_s, time_s + _STEP_S), 0, len(time_s) - 1)
    behind = np.clip(np.searchsorted(time_s, time_s - _STEP_S), 0, len(time_s) - 1)
    seconds = np.maximum(time_s[ahead] - time_s[behind], 1e-3)
    return np.linalg.norm(weights[ahead] - weights[behind], axis=1) / seconds


def _seconds(take: Take, run: tuple[int, int]) -> float:
    return float(take.time_s[run[1]] - take.time_s[run[0]])


def _join_over_blinks(take: Take, weights: F64, runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches that go on after a blink as they were before are one; short ones are left out."""
    joined: list[tuple[int, int]] = []
    for run in runs:
        if joined:
            before = joined[-1]
            apart = float(take.time_s[run[0]] - take.time_s[before[1]])
            middle, other = (np.median(weights[one[0] : one[1] + 1], axis=0) for one in (before, run))
            if apart < _BLINK_S and np.linalg.norm(middle - other) < _ALIKE:
                joined[-1] = (before[0], run[1])
                continue
        joined.append(run)
    return [run for run in joined if _seconds(take, run) >= _SHORTEST_S]


def _match(stretches: list[tuple[int, int]], above: F64, names: tuple[str, ...]) -> list[Hold]:
    """The best way to give expressions to stretches, both in order; either may be left out."""
    asked = [one for one in GUIDE if one.meant and any(name in names for name in one.meant)]
    if not stretches:
        return []
    level = np.array([np.median(above[first : last + 1], axis=0) for first, last in stretches])
    shown = np.stack(
        [level[:, [names.index(name) for name in one.meant if name in names]].mean(1) for one in asked], axis=1
    )
    most = np.maximum(shown.max(0), 1e-9)
    # How clearly each stretch shows each expression: against all others, and against what else moves in it.
    rest = np.maximum(np.linalg.norm(np.maximum(level, 0), axis=1), 1e-9)[:, None]
    score = np.where((most >= _LEAST) & (shown > 0), shown / most - _SHARE + 0.5 * shown / rest, -np.inf)
    return [Hold(asked[expression].name, *stretches[stretch]) for stretch, expression in _best_in_order(score)]


def _best_in_order(score: F64) -> list[tuple[int, int]]:
    """Pairs (row, column), both ascending, of the largest sum of scores; only what adds to it is paired."""
    rows, columns = score.shape
    best = np.zeros((rows + 1, columns + 1))
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            best[i, j] = max(best[i - 1, j], best[i, j - 1], best[i - 1, j - 1] + score[i - 1, j - 1])
    pairs: list[tuple[int, int]] = []
    i, j = rows, columns
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
    return pairs[::-1]
