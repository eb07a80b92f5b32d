"""Pictures of a second camera at the times of the first one's."""

from __future__ import annotations

from ..arrays import U8
from .footage import Footage
from .read import read_frames


class SecondCamera:
    """Footage that runs beside other footage, read on as the other is: times asked for never go back.

    Args:
        footage: of the second camera; its time 0 is the first one's.
    Raises:
        FacecapError: no picture of it can be decoded.
    """

    def __init__(self, footage: Footage) -> None:
        self._reader = read_frames(footage)
        self._present = next(self._reader)
        self._next = next(self._reader, None)

    @property
    def time_s(self) -> float:
        """When the picture was taken that was asked for last."""
        return self._present.time_s

    def picture_at(self, time_s: float) -> U8:
        """(H, W, 3) uint8 RGB: the picture nearest in time, of two as near the later one."""
        while self._next is not None and abs(self._next.time_s - time_s) <= abs(self._present.time_s - time_s):
            self._present, self._next = self._next, next(self._reader, None)
        return self._present.image

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
