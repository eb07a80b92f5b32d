"""Marks of a calibration: when an actor holds what, as the user says it in a small file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from ...errors import UNREADABLE, FacecapError

_MOST_BYTES = 1_000_000
_TIME, _NAME = "time", "name"


def read_marks(path: Path) -> list[tuple[float, str]]:
    """Times (s) and names of holds, in order of time.

    A .json holds a list of `[time, name]` or `{"time": …, "name": …}`; any other file lines of `time,name`, with or
    without a heading.

    Raises:
        FacecapError: the file is missing, or no marks.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        text = path.read_text(encoding="utf-8-sig")
        rows = _rows_of_json(text) if path.suffix.lower() == ".json" else _rows_of_csv(text)
        marks = sorted((float(time_s), name.strip()) for time_s, name in rows)
        if not marks:
            raise ValueError("it marks nothing")
        return marks
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file of marks {path}.", "Check the path.") from error
    except UNREADABLE as error:
        raise FacecapError(
            f"The marks in {path.name} cannot be read ({error}).",
            "Write one line for each hold: its time in seconds, a comma, and its name, such as 4.5,smile.",
        ) from error


def _rows_of_json(text: str) -> list[tuple[str, str]]:
    rows = [(one[_TIME], one[_NAME]) if isinstance(one, dict) else (one[0], one[1]) for one in json.loads(text)]
    return [(str(time_s), str(name)) for time_s, name in rows]


def _rows_of_csv(text: str) -> list[tuple[str, str]]:
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if rows and rows[0][0].strip().lower() == _TIME:
        rows = rows[1:]
    return [(row[0], row[1]) for row in rows]
