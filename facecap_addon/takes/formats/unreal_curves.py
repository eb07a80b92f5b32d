"""Curves as Unreal keeps them: curve tables, CSV and JSON, which MetaHuman's and any others' animation goes by.

A curve table has a row per curve and a column per key: `---,0,0.0333,…` over `CTRL_expressions_jawOpen,0.1,…`; as JSON
`[{"Name": "CTRL_expressions_jawOpen", "0": 0.1, …}, …]`. Sheets that scripts write the other way round, a row per frame
under names of curves, are read, too. Names of MetaHuman's controls stay as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import F64
from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError
from ...rig.channels import arkit_name
from ..take import Take
from .curves import Curves
from .json_file import read_json_file
from .recording import Recording, make_take
from .spreadsheet import Spreadsheet, numbers_of, read_spreadsheet

KIND = "Unreal curves"
METAHUMAN = "ctrl_"
_TIME_COLUMNS = ("time", "time_s", "seconds", "timestamp", "t")
_FRAME_COLUMNS = ("frame", "frames", "framenumber", "frame number", "frame_number", "index")
_DEFAULT_FPS = 30.0
_MOST_CURVES, _LEAST_ARKIT = 4096, 4


def write_curve_table(path: Path, curves: Curves) -> int:
    """Write curves as a curve table that Unreal imports (a row per curve, times in seconds).

    Returns:
        keys per curve.
    Raises:
        FacecapError: no frame shows a face; the disk is full or the folder cannot be written.
    """
    seen = curves.seen
    if not len(seen.time_s):
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        # Unreal refuses a table in which two columns have the same time as float32.
        stream.write(",".join(["---", *(f"{time:.7f}" for time in seen.time_s)]) + "\r\n")
        for k, name in enumerate(seen.names):
            stream.write(",".join([name, *(f"{value:.9g}" for value in seen.values[:, k])]) + "\r\n")
    return len(seen.time_s)


def is_curve_sheet(table: Spreadsheet) -> bool:
    """Whether a table may be curves of either way round."""
    if len(table.rows) < 2:
        return False
    first = table.rows[0]
    times = numbers_of(first[1:])
    wide = len(first) > 1 and bool(np.isfinite(times).all())
    names = {name.strip().lower() for name in first}
    return (
        wide
        or bool(names & {*_TIME_COLUMNS, *_FRAME_COLUMNS})
        or sum(arkit_name(name) is not None for name in first) > 3
    )


def read_curve_sheet(path: Path, *, fps: float | None = None) -> Take:
    """Read a curve table, or a sheet of a row per frame.

    Args:
        fps: of sheets that count frames; None: 30.
    Raises:
        FacecapError: it is neither.
    """
    try:
        table = read_spreadsheet(path)
        if not is_curve_sheet(table):
            raise ValueError("its first line is neither times nor names of curves")
        notes: list[str] = []
        wide = np.isfinite(numbers_of(table.rows[0][1:])).all()
        names, values, time_s = _read_wide(table) if wide else _read_long(table, fps, notes)
        return _make_take(path, names, values, time_s, notes)
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file {path}.", "Check the path.") from error
    except UNREADABLE as error:
        raise _unknown(path, error) from error


def is_curve_table(data: Any) -> bool:
    """Whether JSON that was read is a curve table."""
    return isinstance(data, list) and bool(data) and all(isinstance(row, dict) and "Name" in row for row in data)


def read_curve_json(path: Path) -> Take:
    """Read a curve table that Unreal wrote as JSON. Raises FacecapError if it is none."""
    data = read_json_file(path, KIND)
    try:
        if not is_curve_table(data):
            raise ValueError("it is no list of rows with names")
        keys = [{float(time): float(value) for time, value in row.items() if time != "Name"} for row in data]
        time_s = np.array(sorted({time for row in keys for time in row}), np.float64)
        if len(time_s) * len(keys) > 1 << 28:
            raise ValueError("it is too large")
        values = np.stack([np.interp(time_s, list(row), list(row.values())) for row in keys if row], axis=1)
        return _make_take(path, [str(row["Name"]) for row in data if len(row) > 1], values, time_s, [])
    except UNREADABLE as error:
        raise _unknown(path, error) from error


def _read_wide(table: Spreadsheet) -> tuple[list[str], F64, F64]:
    time_s = numbers_of(table.rows[0][1:])
    names, curves = [], []
    for row in table.rows[1:]:
        keys = numbers_of(row[1 : 1 + len(time_s)])
        known = np.isfinite(keys)
        if not row[0].strip() or not known.any():
            continue
        names.append(row[0].strip())
        curves.append(np.interp(time_s, time_s[: len(keys)][known], keys[known]))
    if not names:
        raise ValueError("no row holds a curve")
    return names, np.stack(curves, axis=1), time_s


def _read_long(table: Spreadsheet, fps: float | None, notes: list[str]) -> tuple[list[str], F64, F64]:
    header = [name.strip() for name in table.rows[0]]
    lower = [name.lower() for name in header]
    at_time = next((lower.index(name) for name in _TIME_COLUMNS if name in lower), None)
    at_frame = next((lower.index(name) for name in _FRAME_COLUMNS if name in lower), None)
    rows = [row for row in table.rows[1:] if len(row) >= len(header)]
    if len(rows) < len(table.rows) - 1:
        notes.append(f"{len(table.rows) - 1 - len(rows)} rows that are cut off were left out.")
    numbers = np.array([numbers_of(row[: len(header)]) for row in rows], np.float64).reshape(-1, len(header))
    if at_time is not None:
        time_s = numbers[:, at_time]
    else:
        if fps is None:
            notes.append(f"it has no times; {_DEFAULT_FPS:g} frames per second were taken.")
        counted = np.arange(len(rows), dtype=np.float64) if at_frame is None else numbers[:, at_frame]
        time_s = counted / (fps or _DEFAULT_FPS)
    columns = [
        k for k in range(len(header)) if k not in (at_time, at_frame) and header[k] and np.isfinite(numbers[:, k]).any()
    ]
    good = np.isfinite(time_s)
    values = numbers[good][:, columns]
    time_s = time_s[good]
    gaps = int(np.isnan(values).sum())
    if gaps:
        notes.append(f"{gaps} cells without a number were bent over from those around them.")
        for k in range(values.shape[1]):
            known = np.isfinite(values[:, k])
            values[:, k] = np.interp(time_s, time_s[known], values[known, k]) if known.any() else 0.0
    return [header[k] for k in columns], values, time_s


def _make_take(path: Path, names: list[str], values: F64, time_s: F64, notes: list[str]) -> Take:
    if not names or not len(time_s):
        raise ValueError("it holds no curves")
    if len(names) > _MOST_CURVES:
        raise ValueError(f"it holds {len(names)} curves")
    if not (np.isfinite(time_s).all() and np.isfinite(values).all()):
        raise ValueError("it holds what is no number")
    if (np.diff(time_s) <= 0).any():
        raise ValueError("its times do not ascend")
    called = [name if name.lower().startswith(METAHUMAN) else arkit_name(name) or name for name in names]
    if len(set(called)) < len(called):
        called = names
    if len(set(called)) < len(called):
        raise ValueError("two of its curves have one name")
    return make_take(Recording(path, KIND, tuple(called), values, time_s - time_s[0], notes=notes))


def _unknown(path: Path, error: Exception) -> FacecapError:
    return FacecapError(
        f"{path.name} holds no curves that FaceCap knows: {error}.",
        "Choose a CSV of Live Link Face, or a curve table that Unreal exported.",
    )
