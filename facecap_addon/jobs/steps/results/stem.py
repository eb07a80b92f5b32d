"""What results of footage are called before their ending."""

from __future__ import annotations

import re
from pathlib import Path

from ....errors import FacecapError
from ....footage.footage import Footage
from ....takes.names import Origin, claim_stem


def claim_stem_of(video: Path, footage: Footage, out: Path, origin: Origin) -> tuple[str, str]:
    """Take the clip's name for its results in a folder, and a note where another clip has that name ("" if none).

    Raises:
        FacecapError: the folder is a file, or cannot be written.
    """
    wished = choose_stem(video, footage)
    try:
        stem, taken_by = claim_stem(out, wished, origin)
    except (FileExistsError, NotADirectoryError) as error:
        raise FacecapError(f"{out} is a file, not a folder.", "Name another folder with --out.") from error
    note = f"“{wished}” in this folder belongs to {taken_by}; this clip's results are called “{stem}”."
    return stem, note if taken_by else ""


def choose_stem(video: Path, footage: Footage) -> str:
    """The clip's name; of a picture or a pattern of a sequence, what stands before its numbers."""
    if footage.kind == "video" or video.is_dir():
        name = video.stem if footage.kind == "video" else video.resolve().name
    else:  # shot_0001.png, shot_%04d.png
        name = re.sub(r"[%#].*$", "", video.stem).rstrip("0123456789").rstrip("._- ")
    return name or "footage"
