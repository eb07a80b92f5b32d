"""Where finished parts of a long refinement are kept."""

from __future__ import annotations

from typing import Protocol

from ..arrays import Arrays


class ChunkStore(Protocol):
    """Keeps finished parts, so that a run that was stopped goes on."""

    def load(self, name: str) -> Arrays | None:
        """The arrays kept under a name, or None."""
        ...

    def save(self, name: str, arrays: Arrays) -> None:
        """Keep arrays, completely or not at all."""
        ...
