"""A short name for the content of footage, so that work done on it is found again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ..json_types import Json

# Files up to this size are read whole; of larger ones pieces spread over the file: an hour of 4K must not take minutes.
_WHOLE_BYTES = 64 << 20
_PIECES = 64
_PIECE_BYTES = 1 << 20


def content_key(paths: tuple[Path, ...], facts: Mapping[str, Json]) -> str:
    """Hash of the content of some files and of what else matters.

    Args:
        paths: a video, the pictures of a sequence, a character.  facts: JSON-able; whatever else changes the result.
    Returns:
        20 hexadecimal digits.
    Raises OSError if a file cannot be read.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    if len(paths) > 1:
        for path in paths:
            state = path.stat()
            digest.update(f"{path.name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    for path in paths[:1]:
        _add_file(digest.update, path)
    return digest.hexdigest()[:20]


def _add_file(add: Callable[[bytes], None], path: Path) -> None:
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        add(size.to_bytes(8, "little"))
        if size <= _WHOLE_BYTES:
            while block := stream.read(_PIECE_BYTES):
                add(block)
            return
        add(os.fstat(stream.fileno()).st_mtime_ns.to_bytes(16, "little", signed=True))
        for piece in range(_PIECES):
            stream.seek((size - _PIECE_BYTES) * piece // (_PIECES - 1))
            add(stream.read(_PIECE_BYTES))
