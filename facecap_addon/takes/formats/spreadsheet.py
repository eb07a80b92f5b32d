"""Text tables as people's programs leave them: any usual encoding and separator, decimal commas, rows cut short."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATORS = ",;\t"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Spreadsheet:
    """Cells of a table.

    Attributes:
        rows: of text, those that hold anything.  lines: for each, its line in the file, counted from 1.
    """

    rows: list[list[str]]
    lines: list[int]


def read_spreadsheet(path: Path) -> Spreadsheet:
    """Read a table of text.

    Raises:
        OSError: the file cannot be read.  ValueError: it is no text, or too long.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too long")
    text = _decode(path.read_bytes())
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows, lines = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"it is no table: {error}") from error
    return Spreadsheet(rows, lines)


def numbers_of(cells: list[str]) -> NDArray[np.float64]:
    """(N,) float64: cells as numbers, with a point or a comma; NaN where a cell holds none."""
    return np.array([_parse_number(cell) for cell in cells], np.float64)


def _parse_number(cell: str) -> float:
    try:
        found = float(cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell)
    except ValueError:
        return np.nan
    return found if np.isfinite(found) else np.nan


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace" if encoding == "utf-16" else "strict")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le", errors="replace")
    if data[:1] == b"\0":
        return data.decode("utf-16-be", errors="replace")
    return data.decode("utf-8")
