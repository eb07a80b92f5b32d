"""Take folders of Live Link Face: a video, facts beside it, and, unless it was recorded for MetaHuman, coefficients.

An ARKit take holds `SLATE_TAKE_SUBJECT.csv`, or, where the app was calibrated, `…_cal.csv` and `…_raw.csv`; one for
MetaHuman Animator holds depth, and `frame_log.csv`, which lists frames, not coefficients.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import FacecapError
from .spreadsheet import read_spreadsheet

FRAME_LOG = "frame_log.csv"
_VIDEOS = (".mov", ".mp4", ".m4v")


class NoCoefficientsError(FacecapError):
    """A take folder has no coefficients, but a video that can be solved.

    Attributes:
        video: it.
    """

    def __init__(self, folder: Path, video: Path) -> None:
        super().__init__(
            f"“{folder.name}” was recorded for MetaHuman Animator: it holds a video and depth, no coefficients.",
            f"Solve its video instead: {video}",
        )
        self.video = video


def find_coefficients(folder: Path) -> tuple[Path, list[str]]:
    """The CSV of coefficients in a take folder, and what there is to say of the choice.

    Raises:
        NoCoefficientsError: there is only a video.  FacecapError: it is no take folder, or holds several takes.
    """
    try:
        here = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise FacecapError(f"The folder {folder} cannot be read ({error.strerror}).", "Check the path.") from error
    found = [path for path in here if path.suffix.lower() == ".csv" and path.name != FRAME_LOG and _is_recording(path)]
    calibrated = [path for path in found if path.stem.endswith("_cal")]
    if len(calibrated) == 1 and all(path.stem.endswith(("_cal", "_raw")) for path in found):
        raw = len(found) > 1
        return calibrated[0], ["it is the calibrated one; the raw one lies beside it."] if raw else []
    if len(found) == 1:
        return found[0], []
    if found:
        names = ", ".join(path.name for path in found[:4])
        raise FacecapError(f"“{folder.name}” holds several recordings: {names}.", "Choose one of them.")
    videos = [path for path in here if path.suffix.lower() in _VIDEOS]
    if videos:
        raise NoCoefficientsError(folder, max(videos, key=lambda path: path.stat().st_size))
    raise FacecapError(
        f"“{folder.name}” is no take of Live Link Face: it holds neither coefficients nor a video.",
        "Choose the folder that the app exported.",
    )


def _is_recording(path: Path) -> bool:
    try:
        rows = read_spreadsheet(path).rows
    except (OSError, ValueError):
        return False
    return bool(rows) and "timecode" in {name.strip().lower() for name in rows[0]}
