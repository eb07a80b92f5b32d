"""Recordings on their way to the disk: none is let go before it is safe."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import FacecapError
from ..takes.names import find_free_path
from ..takes.npz import save_take
from ..takes.take import Take

_ENDING = ".take.npz"
_AGAIN_S = 5.0


def list_other_folders() -> list[Path]:
    """Where recordings go when their own folder cannot be written."""
    return [Path.home() / "FaceCap recordings", Path(tempfile.gettempdir()) / "FaceCap recordings"]


class RecordingStore:
    """Writes recordings, and holds those that cannot be written until they can.

    Args:
        folder: where they belong.  write_beside: writes what goes with a take; its failure costs no take.

    Attributes:
        written: files, in order.
    """

    def __init__(self, folder: Path, write_beside: Callable[[Path, Take], None]) -> None:
        self.written: list[Path] = []
        self._folder, self._write_beside = folder, write_beside
        self._waiting: list[tuple[str, Take]] = []
        self._why: FacecapError | None = None
        self._again_s = 0.0

    def hold(self, take: Take) -> None:
        """Take a recording in, to be written by `write`."""
        self._waiting.append((time.strftime("live-%Y%m%d-%H%M%S"), take))

    def write(self) -> list[str]:
        """Write what waits, elsewhere if it must be; returns what there is to say."""
        said: list[str] = []
        while self._waiting:
            stem, take = self._waiting[0]
            path = self._save(stem, take)
            if path is None:
                self._again_s = time.monotonic() + _AGAIN_S
                assert self._why is not None
                return [*said, f"A recording is not on the disk yet, and is tried again: {self._why.what}"]
            self.written.append(path)
            del self._waiting[0]  # only now: an interrupt before leaves it to be written again
            elsewhere = "" if path.parent == self._folder or self._why is None else f" ({self._why.what})"
            said.append(f"Recorded {take.time_s[-1]:.1f} s: {path}{elsewhere}")
            try:
                self._write_beside(path, take)
            except (FacecapError, OSError) as error:
                said.append(f"Its Live Link CSV could not be written: {error}")
        return said

    def try_again(self) -> list[str]:
        """As `write`, where something waits and was not tried just now."""
        return self.write() if self._waiting and time.monotonic() > self._again_s else []

    def check(self) -> None:
        """Raises FacecapError if a recording is not on the disk."""
        if self._waiting and self._why is not None:
            lost_s = sum(float(take.time_s[-1]) for _, take in self._waiting)
            raise FacecapError(f"{lost_s:.1f} s of recording could not be written. {self._why.what}", self._why.way_out)

    def _save(self, stem: str, take: Take) -> Path | None:
        """Where a take was written; None: nowhere, and why is known."""
        self._why = None
        for folder in (self._folder, *list_other_folders()):
            path = find_free_path(folder / f"{stem}{_ENDING}", _ENDING)
            try:
                save_take(path, take)
                return path
            except FacecapError as error:
                self._why = self._why or error
            except OSError as error:
                self._why = self._why or FacecapError(
                    f"{path} cannot be written ({error.strerror or error}).", "Choose another folder."
                )
        return None
