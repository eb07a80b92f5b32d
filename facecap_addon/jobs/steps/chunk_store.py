"""Finished parts of a refinement on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ...arrays import Arrays
from ...atomic_file import atomic_path
from ...errors import UNREADABLE


class ChunkFolder:
    """Finished parts of a refinement, one file each; a `refine.chunk_store.ChunkStore`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, name: str) -> Arrays | None:
        """The arrays of a part, or None if it is not there or damaged."""
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as data:
                return {key: data[key] for key in data.files}
        except UNREADABLE:
            return None

    def save(self, name: str, arrays: Arrays) -> None:
        """Write a part, completely or not at all."""
        with atomic_path(self.folder / f"{name}.npz") as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)

    def forget_others(self) -> None:
        """Remove the parts of other refinements of the same solve."""
        for folder in self.folder.parent.glob("refine-*"):
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)
