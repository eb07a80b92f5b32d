"""Which Blender a kept job belongs to, and whether that Blender still runs: it holds a lock on a file of its own."""

from __future__ import annotations

import contextlib
import secrets
import sys
from pathlib import Path
from typing import IO

_NAME = secrets.token_hex(6)
_held: list[IO[bytes]] = []


def claim(folder: Path) -> str:
    """This Blender's name in a folder of kept jobs; its lock is taken if that was not done yet."""
    if not _held:
        stream = _path(folder, _NAME).open("a+b")
        _lock(stream)
        _held.append(stream)
    return _NAME


def is_alive(folder: Path, name: str) -> bool:
    """Whether the Blender of that name still runs."""
    if _held and name == _NAME:
        return True
    path = _path(folder, name)
    try:
        with path.open("r+b") as stream:
            if not _lock(stream):
                return True
    except FileNotFoundError:
        return False
    except OSError:  # on Windows, a file that is locked may not even be opened
        return True
    with contextlib.suppress(OSError):
        path.unlink()
    return False


def let_go(folder: Path) -> None:
    """Give the lock back, as when the add-on is disabled."""
    while _held:
        _held.pop().close()
        with contextlib.suppress(OSError):
            _path(folder, _NAME).unlink()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"


def _lock(stream: IO[bytes]) -> bool:
    """Lock the file until it is closed or the process ends; whether that could be done."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
