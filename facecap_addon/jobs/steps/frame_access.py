"""Pictures of footage by row: read on where the last one was, from the start again only where one goes back."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...footage.footage import Footage
from ...footage.read import FrameReader, read_frames

_REMEMBERED = 4


class FrameAccess:
    """Pictures of the trimmed part of some footage. The last few are remembered."""

    def __init__(self, footage: Footage) -> None:
        self._footage = footage
        self._reader: FrameReader | None = None
        self._next = 0
        self._recent: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()

    def __call__(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB. Raises FacecapError if the footage ends before this row."""
        if row in self._recent:
            return self._recent[row]
        if self._reader is None or row < self._next or row > self._next + 64:
            self.close()
            self._reader = read_frames(self._footage, skip=row)
            self._next = row
        for frame in self._reader:
            self._recent[self._next] = frame.image
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
            self._next += 1
            if self._next > row:
                return frame.image
        raise FacecapError(
            f"{self._footage.paths[0].name} ends before frame {row}.", "Solve it again: it has changed since."
        )

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
