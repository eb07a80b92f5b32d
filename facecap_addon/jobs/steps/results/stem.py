"""What results of footage are called before their ending."""

from __future__ import annotations

import re
from pathlib import Path

from ....footage.footage import Footage


def choose_stem(video: Path, footage: Footage) -> str:
    """The clip's name; of a picture or a pattern of a sequence, what stands before its numbers."""
    if footage.kind == "video" or video.is_dir():
        name = video.stem if footage.kind == "video" else video.resolve().name
    else:  # shot_0001.png, shot_%04d.png
        name = re.sub(r"[%#].*$", "", video.stem).rstrip("0123456789").rstrip("._- ")
    return name or "footage"
