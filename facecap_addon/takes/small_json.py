"""Small JSON files that FaceCap keeps beside takes: read with their limits, in words where they are damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import UNREADABLE, FacecapError

_Thing = TypeVar("_Thing")


def load_json(
    path: Path, read: Callable[[object], _Thing], most_bytes: int, *, missing: FacecapError, what: str, ending: str
) -> _Thing:
    """What a small JSON file holds.

    Args:
        read: makes it of the JSON; raises one of UNREADABLE, or FacecapError if a newer FaceCap wrote it.
        missing: what is said where there is no such file.
        what: what is said of one that cannot be read: "is not a FaceCap actor".  ending: of the names of such files.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise ValueError("it is too large")
        return read(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise missing from error
    except UNREADABLE as error:
        raise FacecapError(
            f"{path.name} {what}, or it is damaged ({error}).", f"Choose a file NAME{ending} that FaceCap saved."
        ) from error
