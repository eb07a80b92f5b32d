"""Targets brought to the times of the footage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...errors import FacecapError
from ...takes.take import usual_step_s

# Samples further apart than this many usual distances are a gap, across which nothing is made up.
_GAP = 3.5


def resample_targets(
    time_s: F64, source_time_s: F64, values: NDArray[np.floating], valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values at other times, linearly between their neighbours.

    Args:
        time_s: (F,) s wanted.  source_time_s: (S,) s, ascending.  values: (S, K).  valid: (S,) which count; None: all.
    Returns:
        (F, K) float32, and (F,) bool whether a value could be had: neither before the first, after the last, nor
        inside a gap.
    Raises:
        FacecapError: times run backwards, or values and times are not equally many.
    """
    if len(values) != len(source_time_s):
        raise FacecapError(
            f"There are {len(values)} targets for {len(source_time_s)} times.", "Check the target's frame rate."
        )
    if len(source_time_s) and (np.diff(source_time_s) < 0).any():
        raise FacecapError("The target's times run backwards.", "Export it again.")
    known = np.ones(len(values), bool) if valid is None else valid
    source, given = source_time_s[known], np.asarray(values[known], np.float64)
    if len(source) < 2:
        return np.zeros((len(time_s), values.shape[1]), np.float32), np.zeros(len(time_s), bool)
    apart = usual_step_s(source)
    after = np.clip(np.searchsorted(source, time_s), 1, len(source) - 1)
    before = after - 1
    span = np.maximum(source[after] - source[before], 1e-9)
    share = np.clip((time_s - source[before]) / span, 0.0, 1.0)
    found = given[before] * (1 - share)[:, None] + given[after] * share[:, None]
    inside = (time_s >= source[0] - 0.5 * apart) & (time_s <= source[-1] + 0.5 * apart)
    near_one = np.minimum(np.abs(time_s - source[before]), np.abs(source[after] - time_s)) <= 0.5 * apart
    return found.astype(np.float32), inside & ((span <= _GAP * apart) | near_one)


def find_nearest_rows(time_s: F64, source_time_s: F64) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(F,) the source row nearest to each time, and (F,) whether it is within a source's distance of it."""
    after = np.clip(np.searchsorted(source_time_s, time_s), 1, max(len(source_time_s) - 1, 1))
    before = after - 1
    if len(source_time_s) == 1:
        return np.zeros(len(time_s), np.intp), np.abs(time_s - source_time_s[0]) < 0.05
    nearer = np.abs(source_time_s[after] - time_s) < np.abs(time_s - source_time_s[before])
    row = np.where(nearer, after, before)
    apart = usual_step_s(source_time_s)
    return row, np.abs(source_time_s[row] - time_s) <= 0.75 * apart
