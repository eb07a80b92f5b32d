"""Where finished parts of a long refinement are kept."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray


class ChunkStore(Protocol):
    """Keeps finished parts, so that a run that was stopped goes on."""

    def load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The arrays kept under a name, or None."""
        ...

    def save(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        """Keep arrays, completely or not at all."""
        ...
