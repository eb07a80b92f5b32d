"""The errors a user may meet: each says what happened and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    UNREADABLE: tuple[type[Exception], ...]
    """What reading a damaged or foreign file can raise: zips with odd members raise NotImplementedError or
    RuntimeError, headers that announce absurd sizes MemoryError, text outside of Unicode SystemError, deep JSON
    RecursionError. Whoever reads a file from outside catches these and says which file it is."""


def __getattr__(name: str) -> tuple[type[Exception], ...]:
    """`UNREADABLE` when it is asked for: enabling the add-on reads no file, and need not import what does."""
    if name != "UNREADABLE":
        raise AttributeError(name)
    # Twelve modules, which enabling the add-on need not wait for.
    import struct
    import tokenize
    import zipfile
    import zlib

    unreadable: tuple[type[Exception], ...] = (
        *(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OverflowError),
        *(RecursionError, MemoryError, NotImplementedError, RuntimeError, SystemError, SyntaxError),
        *(tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error),
    )
    globals()[name] = unreadable
    return unreadable


class FacecapError(Exception):
    """Something the user can understand and mend.

    Args:
        what: what happened, one sentence, in an animator's words.
        way_out: what she can do about it, one sentence.
        exit_code: the command line's exit code (2 bad input, 3 no face found, 130 cancelled).
    """

    def __init__(self, what: str, way_out: str, *, exit_code: int = 2) -> None:
        super().__init__(f"{what} {way_out}".strip())
        self.what = what
        self.way_out = way_out
        self.exit_code = exit_code


class NoFaceError(FacecapError):
    """The footage decodes, but no frame of it shows a face."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what, way_out, exit_code=3)


class CancelledError(FacecapError):
    """The user stopped the job; what was finished so far is kept for a later run."""

    def __init__(self) -> None:
        super().__init__("Cancelled.", "Run it again to go on from where it stopped.", exit_code=130)
