"""A take's values under the names of a rig's own controls, as a table or as JSON, for any other program."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...arrays import F32, F64, Bools
from ...atomic_file import atomic_path
from ...rig.mapping.mapping import Target

_DIGITS = 6


def name_column(target: Target) -> str:
    """How a target is called in a table: `jaw rotation.x` of a bone, `Head: smile` of one object among several."""
    axis = f" {target.axis}" if target.axis else ""
    return f"{target.owner}: {target.name}{axis}" if target.owner else f"{target.name}{axis}"


def write_mapped_csv(path: Path, time_s: F64, targets: Sequence[Target], values: F32, solved: Bools) -> None:
    """Write a row for each frame: its time in seconds and each target's value; frames that are missing are empty.

    Args:
        time_s: (F,).  values: (F, T), see `evaluate`.  solved: (F,) bool.
    Raises:
        FacecapError: the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["time_s", *(name_column(target) for target in targets)])
        for time, row, there in zip(time_s, values, solved, strict=True):
            cells = [f"{value:.{_DIGITS}f}" for value in row] if there else [""] * len(row)
            table.writerow([f"{time:.{_DIGITS}f}", *cells])


def write_mapped_json(path: Path, time_s: F64, targets: Sequence[Target], values: F32, solved: Bools) -> None:
    """Write `{"time_s": […], "targets": [{"kind", "name", "axis", "owner"}, …], "values": [[…], null, …]}`.

    Args and errors: as `write_mapped_csv`; a frame that is missing is null.
    """
    rounded = np.round(values.astype(np.float64), _DIGITS).tolist()
    facts = {
        "time_s": np.round(time_s, _DIGITS).tolist(),
        "targets": [{"kind": one.kind, "name": one.name, "axis": one.axis, "owner": one.owner} for one in targets],
        "values": [row if there else None for row, there in zip(rounded, solved, strict=True)],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
