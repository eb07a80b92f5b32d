"""Rows of a Live Link Face CSV: which can be read, and at what times."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from .live_link_columns import LIVE_LINK_ANGLES, LIVE_LINK_SHAPES, TIMECODE_FPS
from .spreadsheet import Spreadsheet, numbers_of

_COMMON_RATES = (24, 25, 30, 48, 50, 60, 120, 240)
_TIMECODE = re.compile(r"(\d{1,9})[:;](\d{1,9})[:;](\d{1,9})([:;.,])(\d{1,9}(?:[.,]\d{1,9})?)")
_DROP_FRAME = ";"
"""What stands before the frames of a timecode that leaves out numbers to keep up with the clock."""
_FIRST_DROPPED = {30: 2, 60: 4}
"""Frame numbers that drop-frame timecode of a rate leaves out at the start of every minute but each tenth."""
_LEAST_SHAPES = 12
"""A table with fewer of the 52 columns is something else."""
_SHOWN = 6


@dataclass(frozen=True)
class Performance:
    """What rows say.

    Attributes:
        columns: (S,) indices into LIVE_LINK_SHAPES of the shapes that the file has.
        shapes: (F, S).  angles: (F, 9) rad.  time_s: (F,) s of the first row's day.  has_face: (F,) bool.
        first_timecode: as it stands in the file.  notes: what was left out, a sentence each.
    """

    columns: NDArray[np.intp]
    shapes: F64
    angles: F64
    time_s: F64
    has_face: NDArray[np.bool_]
    first_timecode: str
    notes: tuple[str, ...]


def performance_of(table: Spreadsheet, timecode_fps: float | None) -> Performance:
    """Read a table's rows. Raises ValueError, with the reason, if it is no recording or none of them can be read.

    Args:
        timecode_fps: see `read_live_link_csv`.
    """
    if not table.rows:
        raise ValueError("it is empty")
    names = [name.strip().lower() for name in table.rows[0]]
    header = {name: column for column, name in enumerate(names)}
    if "timecode" not in header:
        raise ValueError("it has no column Timecode")
    absent = [name for name in LIVE_LINK_SHAPES if name.lower() not in header]
    if len(LIVE_LINK_SHAPES) - len(absent) < _LEAST_SHAPES:
        raise ValueError(f"it has no column {absent[0]}")
    notes = [f"it has no column {', '.join(absent)}; what it drives is left alone."] if absent else []
    counts_at = header.get("blendshapecount", -1)
    rows, codes = _find_readable(table, header["timecode"], counts_at, notes)
    if not rows:
        raise ValueError("none of its rows can be read" if len(table.rows) > 1 else "it has no rows")
    time_s = _read_times(codes, timecode_fps)
    ascending = _find_ascending(table, rows, time_s, notes)
    rows, time_s = [rows[i] for i in ascending], time_s[ascending]
    columns = [header.get(name.lower(), -1) for name in (*LIVE_LINK_SHAPES, *LIVE_LINK_ANGLES)]
    values, has_face = _read_numbers(table, rows, columns, counts_at, notes)
    here = np.flatnonzero([name not in absent for name in LIVE_LINK_SHAPES])
    shapes, angles = values[:, : len(LIVE_LINK_SHAPES)], values[:, len(LIVE_LINK_SHAPES) :]
    first = table.rows[rows[0]][header["timecode"]]
    return Performance(here, shapes[:, here], angles, time_s, has_face, first, tuple(notes))


def _find_readable(
    table: Spreadsheet, at: int, counts_at: int, notes: list[str]
) -> tuple[list[int], list[list[float]]]:
    """Rows of full length with a timecode, those of one take, and the timecodes' numbers."""
    width = len(table.rows[0])
    parts: list[list[int]] = [[]]
    codes: dict[int, list[float]] = {}
    short, unread, headers = [], [], []
    for row, cells in enumerate(table.rows[1:], 1):
        if len(cells) > at and cells[at].strip().lower() == "timecode":
            headers.append(row)
            parts.append([])
            continue
        if len(cells) < width and _count(cells, counts_at) != 0:  # without a face there may be nothing more
            short.append(row)
            continue
        match = _TIMECODE.fullmatch(cells[at].strip())
        if match is None:
            unread.append(row)
            continue
        numbers = [float(group.replace(",", ".")) for group in match.group(1, 2, 3, 5)]
        codes[row] = [*numbers, float(match[4] == _DROP_FRAME)]
        parts[-1].append(row)
    notes += _note_left_out(table, short, "cut off")
    notes += _note_left_out(table, unread, "without a timecode")
    parts = [part for part in parts if part]
    if not parts:
        return [], []
    going_on = all(codes[a[-1]] < codes[b[0]] for a, b in itertools.pairwise(parts))
    chosen = [row for part in parts for row in part] if going_on else max(parts, key=len)
    if headers and going_on:
        notes.append(f"it holds {len(headers) + 1} recordings, which follow each other and were read as one.")
    elif headers:
        others = [row for part in parts if part is not chosen for row in part]
        notes.append(f"it holds {len(parts)} recordings; the longest was read.")
        notes += _note_left_out(table, others, "of the others")
    return chosen, [codes[row] for row in chosen]


def _read_times(codes: list[list[float]], timecode_fps: float | None) -> F64:
    """(F,) seconds since midnight of the first row's day, from timecodes; midnight may pass.

    Drop-frame timecode (29.97 and 59.94 frames per second) is counted as what it is.

    Args:
        codes: (F, 5) hours, minutes, seconds, frames, whether a semicolon stands before the frames.
    """
    table = np.array(codes, np.float64)
    parts = table[:, :4]
    if timecode_fps is None:
        whole_seconds = len(np.unique(parts[:, 2])) > 2
        highest = math.floor(float(parts[:, 3].max()))
        # A recording of under two seconds need not show its highest frame number; the app's own rate is 60.
        candidates = _COMMON_RATES if whole_seconds else (TIMECODE_FPS, *_COMMON_RATES)
        timecode_fps = next((rate for rate in candidates if highest < rate), highest + 1)
    time_s = parts @ np.array([3600.0, 60.0, 1.0, 1.0 / timecode_fps])
    if table[:, 4].all() and (drop := _count_drops(parts, round(timecode_fps))) is not None:
        time_s = (time_s * round(timecode_fps) - drop) * 1001 / (1000 * round(timecode_fps))
    days = np.cumsum(np.diff(time_s, prepend=time_s[0]) < -43_200.0)
    return np.asarray(time_s + days * 86_400.0, np.float64)


def _count_drops(parts: F64, rate: int) -> F64 | None:
    """(F,) frame numbers that drop-frame timecode left out since midnight; None where it is none.

    Args:
        parts: (F, 4) hours, minutes, seconds, frames.  rate: whole frames per second.
    """
    least = _FIRST_DROPPED.get(rate)
    if least is None:
        return None
    minutes = parts[:, 0] * 60 + parts[:, 1]
    never = (parts[:, 2] == 0) & (parts[:, 1] % 10 != 0) & (np.floor(parts[:, 3]) < least)
    return None if never.any() else np.asarray(least * (minutes - minutes // 10), np.float64)


def _find_ascending(table: Spreadsheet, rows: list[int], time_s: F64, notes: list[str]) -> list[int]:
    """As many rows as can be had whose times do not run backwards: one that jumps is left out, the others stay."""
    ends: list[float] = []  # of the best run of each length, its last time
    last: list[int] = []
    before = np.full(len(time_s), -1)
    for i, time in enumerate(time_s.tolist()):
        length = bisect.bisect_right(ends, time)
        before[i] = last[length - 1] if length else -1
        if length == len(ends):
            ends.append(time)
            last.append(i)
        else:
            ends[length], last[length] = time, i
    run = [last[-1]]
    while before[run[-1]] >= 0:
        run.append(int(before[run[-1]]))
    found = run[::-1]
    inside = set(found)
    notes += _note_left_out(
        table, [row for i, row in enumerate(rows) if i not in inside], "whose timecode runs backwards"
    )
    return found


def _read_numbers(
    table: Spreadsheet, rows: list[int], columns: list[int], count_column: int, notes: list[str]
) -> tuple[F64, NDArray[np.bool_]]:
    """(F, 61) shapes and angles, and (F,) whether there was a face."""
    present = np.array(columns) >= 0
    values = np.zeros((len(rows), len(columns)))
    has_face = np.ones(len(rows), np.bool_)
    blank: list[int] = []
    for i, row in enumerate(rows):
        cells = table.rows[row]
        if _count(cells, count_column) == 0:
            has_face[i] = False
            continue
        values[i, present] = numbers_of([cells[column] for column in columns if column >= 0])
        if np.isnan(values[i, : len(LIVE_LINK_SHAPES)][present[: len(LIVE_LINK_SHAPES)]]).all():
            has_face[i] = False
            blank.append(row)
    values[~has_face] = 0.0
    if not has_face.any() and blank:
        raise ValueError("none of its rows holds a number")
    if blank:
        notes.append(f"{_name_lines(table, blank)} of empty cells count as frames without a face.")
    gaps = np.isnan(values)
    if gaps.any():
        where = _name_lines(table, [rows[i] for i in np.flatnonzero(gaps.any(axis=1))])
        notes.append(f"{int(gaps.sum())} cells without a number in {where} were bent over from those around them.")
        frame = np.arange(len(values))
        for column in np.flatnonzero(gaps.any(axis=0)):
            known = has_face & ~gaps[:, column]
            values[:, column] = np.interp(frame, frame[known], values[known, column]) if known.any() else 0.0
        values[~has_face] = 0.0
    return values, has_face


def _count(cells: list[str], column: int) -> float:
    """How many shapes a row announces; NaN where it does not say."""
    return float(numbers_of([cells[column]])[0]) if 0 <= column < len(cells) else np.nan


def _note_left_out(table: Spreadsheet, rows: list[int], why: str) -> list[str]:
    was = "was" if len(rows) == 1 else "were"
    return [f"{_name_lines(table, rows)} {why} {was} left out."] if rows else []


def _name_lines(table: Spreadsheet, rows: list[int]) -> str:
    """ "3 rows (lines 7, 9-10)", as a text editor counts them."""
    lines = [table.lines[row] for row in rows]
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in spans[:_SHOWN]] + (["…"] if len(spans) > _SHOWN else [])
    many = len(lines) > 1
    return f"{len(lines)} row{'s' if many else ''} (line{'s' if many else ''} {', '.join(shown)})"
