"""Frames without a result of their own: which optical flow solves, which another camera sees, which are left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import F64, Bools
from ...takes.take import find_runs
from ..shots import Shot
from ..state import DeepState
from .infill import gaps_of, interpolate_gap

_NAMED_IN_NOTES = 10


@dataclass(frozen=True)
class Gaps:
    """What becomes of frames that optical flow should solve.

    Attributes:
        present: (F,) bool, rows that hold a result already.  filled: first and last row of each gap that it solves.
        left: why others are left, in words, and which, (F,) bool.
    """

    present: Bools
    filled: list[tuple[int, int]]
    left: dict[str, Bools]


def plan_gaps(wanted: Bools, present: Bools, inside: Bools, time_s: F64, longest_s: float) -> Gaps:
    """Find the gaps that optical flow can solve.

    Args:
        wanted: (F,) rows that it should solve.  present: (F,) rows that hold a result.
        inside: (F,) rows that may change.  time_s: (F,).  longest_s: from the frame before a gap to the frame after it.
    """
    closed = set(gaps_of(~present))
    gaps, left = Gaps(present, [], {}), np.zeros(len(wanted), bool)
    for first, last in find_runs(~present):
        rows = slice(first, last + 1)
        if not wanted[rows].any():
            continue
        if (first, last) not in closed:
            why = "at an end of the take, where no frame on the other side is solved"
        elif not inside[rows].all():
            why = "in gaps that reach beyond the frames to refine"
        elif time_s[last + 1] - time_s[first - 1] > longest_s:
            why = f"in gaps longer than {longest_s:g} s"
        else:
            gaps.filled.append((first, last))
            continue
        gaps.left.setdefault(why, left.copy())[rows] = wanted[rows]
    return gaps


def find_seen_aside(shots: list[Shot], solved: Bools) -> Bools:
    """(F,) rows between solved ones that the solve did not find, and a further camera sees."""
    out = np.zeros(len(solved), bool)
    for shot in shots[1:]:
        out |= shot.seen
    between = np.zeros(len(solved), bool)
    for first, last in gaps_of(~solved):
        between[first : last + 1] = True
    return out & between & ~solved


def start_between(state: DeepState, solved: Bools, time_s: F64) -> DeepState:
    """A state whose gaps between solved rows begin where interpolation puts them."""
    out = state.part(slice(None))
    for first, last in gaps_of(~solved):
        out.put(slice(first, last + 1), interpolate_gap(state, first - 1, last + 1, time_s))
    return out


def note_frames(bad: Bools, infilled: Bools, seen_aside: Bools, left: dict[str, Bools]) -> list[str]:
    """Sentences on frames that were not simply refined.

    Args:
        bad: (F,) rows that ended somewhere implausible.  infilled: (F,) that flow solved.
        seen_aside: (F,) that further cameras solved.  left: see `Gaps`.
    """
    notes: list[str] = []
    if bad.any():
        kept = name_rows(bad & ~infilled)
        how = f"{kept} keep the solve they started from" if kept else "optical flow solved them"
        notes.append(f"{int(bad.sum())} frames could not be refined ({name_rows(bad)}): {how}.")
    if infilled.any():
        notes.append(f"{int(infilled.sum())} frames were solved by optical flow from their neighbours.")
    if seen_aside.any():
        notes.append(f"{int(seen_aside.sum())} frames ({name_rows(seen_aside)}) were solved by further cameras alone.")
    for why, rows in left.items():
        notes.append(f"Optical flow could not solve {name_rows(rows)}: they lie {why}, and stay as they were.")
    return notes


def name_rows(rows: Bools) -> str:
    """Rows in words: "31-40, 77"."""
    runs = find_runs(rows)
    named = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:_NAMED_IN_NOTES])
    return named + (", …" if len(runs) > _NAMED_IN_NOTES else "")
