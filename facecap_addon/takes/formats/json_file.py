"""JSON that other programs wrote, read with its size checked first."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from ...errors import UNREADABLE, FacecapError

MOST_BYTES = 1 << 29


def read_json_file(path: Path, what: str) -> Any:
    """What a JSON file holds.

    Args:
        what: it should be, for people: "ARKit recording".
    Raises:
        FacecapError: there is no such file, it is too large, or no JSON.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FacecapError(
                f"{path.name} is larger than {MOST_BYTES >> 20} MiB.", "Export a shorter part, or as CSV."
            )
        data = path.read_bytes()
        encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        return json.loads(data.decode(encoding), parse_constant=_refuse)
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file {path}.", "Check the path.") from error
    except UNREADABLE as error:
        raise FacecapError(
            f"{path.name} is no {what}: it cannot be read as JSON ({error}).", "Export it again."
        ) from error


def _refuse(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")
