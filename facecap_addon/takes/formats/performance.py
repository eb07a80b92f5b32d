"""Any file of a performance, whoever wrote it, as a take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import FacecapError
from ..npz import load_take
from ..take import Take
from .arkit_json import read_arkit_json
from .json_file import read_json_file
from .live_link import read_live_link_csv
from .recording import notes_of
from .spreadsheet import read_spreadsheet
from .take_folder import FRAME_LOG, find_coefficients
from .unreal_curves import is_curve_sheet, is_curve_table, read_curve_json, read_curve_sheet

CURVE_FILES = (".npz", ".csv", ".json", ".txt", ".tsv")
VERTEX_FILES = (".pc2", ".mdd", ".abc", ".usd", ".usda", ".usdc", ".usdz")


def read_performance(path: Path, *, fps: float | None = None) -> Take:
    """Read a take, or what another program recorded: a Live Link Face CSV or take folder, ARKit JSON, Unreal's curves.

    Args:
        fps: of files that count frames; None: what their program is known for.
    Raises:
        NoCoefficientsError: a take folder holds a video alone.
        FacecapError: there is no such file, or nobody knows what it holds.
    """
    if path.is_dir() or path.name == FRAME_LOG:
        chosen, notes = find_coefficients(path if path.is_dir() else path.parent)
        take = read_live_link_csv(chosen)
        said = [*notes_of(take), *(f"{chosen.name}: {note}" for note in notes)]
        return replace(take, provenance={**take.provenance, "notes": said})
    ending = path.suffix.lower()
    if not path.is_file():
        raise FacecapError(f"There is no file {path}.", "Check the path.")
    if ending == ".npz":
        return load_take(path)
    if ending == ".json":
        is_table = is_curve_table(read_json_file(path, "recording"))
        return read_curve_json(path) if is_table else read_arkit_json(path, fps=fps)
    if ending in VERTEX_FILES:
        raise FacecapError(
            f"{path.name} holds moving vertices, not weights.",
            "Import it with the character that moves in it: facecap import FILE --character CHARACTER.",
        )
    if ending not in CURVE_FILES:
        raise FacecapError(
            f"{path.name} is no recording that FaceCap can read.",
            f"It reads {', '.join((*CURVE_FILES, *VERTEX_FILES))} and take folders of Live Link Face.",
        )
    return read_curve_sheet(path, fps=fps) if _is_curves(path) else read_live_link_csv(path)


def _is_curves(path: Path) -> bool:
    """Whether a table is one of curves and no recording of Live Link Face."""
    try:
        table = read_spreadsheet(path)
    except (OSError, ValueError):
        return False  # the reader of recordings says what is wrong with it
    names = {name.strip().lower() for name in table.rows[0]} if table.rows else set()
    return "timecode" not in names and is_curve_sheet(table)
