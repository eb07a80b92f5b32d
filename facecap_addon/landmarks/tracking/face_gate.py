"""Whether frames show a face, where nothing more is asked of them: for networks that give a face of any picture."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...arrays import F32
from ..protocol import Landmarker, Landmarks
from .face_tracker import FaceTracker, FrameLike
from .prefetch import Upcoming

_CELLS, _PIXELS = 16, 4
_ALIKE = 0.85
"""Correlation of a face's place in two pictures from which on both show it.

Talking faces have 0.9 or more eight frames later, other places of their pictures 0.34 at most.
"""
_LONGEST_S = 0.3
"""A face that fades or turns away little by little is looked for after so long."""

_Box = tuple[float, float, float, float]


class FaceGate:
    """Follows one face, as lightly as that can be done: it is looked for only where it was lost.

    Attributes:
        scheme: of the landmarks.

    Args:
        landmarker: an open backend.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self.scheme = landmarker.scheme
        self._pool = ThreadPoolExecutor(1)  # the tracker's own, for looks ahead: nothing lies ahead
        self._tracker = FaceTracker(landmarker, self._pool, 1.0, mirrored_too=False)
        self._last: tuple[float, _Box, F32] | None = None

    def look(self, frame: FrameLike) -> Landmarks | None:
        """The landmarks of the next frame's face, roughly; None where it shows none."""
        return self._tracker.step(frame, Upcoming(_nothing()))

    def shows_face(self, frame: FrameLike) -> bool:
        """Whether the next frame shows a face.

        While the place where it was seen looks as it did then, nothing is asked of the network.
        """
        if self._last is not None:
            seen_s, box, looked = self._last
            if 0 <= frame.time_s - seen_s <= _LONGEST_S and _correlate(_shrink(frame, box), looked) >= _ALIKE:
                return True
        found = self.look(frame)
        self._last = None
        if found is not None:
            (left, top), (right, bottom) = found.landmarks_px.min(axis=0), found.landmarks_px.max(axis=0)
            box = float(left), float(top), float(right), float(bottom)
            self._last = frame.time_s, box, _shrink(frame, box)
        return found is not None


def _shrink(frame: FrameLike, box: _Box) -> F32:
    """(_CELLS, _CELLS) float32: green of the picture inside a box, a few pixels a cell, about its mean."""
    height, width = frame.image.shape[:2]
    columns, rows = (
        np.clip(np.linspace(low, high, _CELLS * _PIXELS), 0, size - 1).astype(np.intp)
        for low, high, size in ((box[0], box[2], width), (box[1], box[3], height))
    )
    some = frame.image[rows[:, None], columns, 1].astype(np.float32)
    cells = some.reshape(_CELLS, _PIXELS, _CELLS, _PIXELS).mean(axis=(1, 3))
    return cells - cells.mean()


def _correlate(a: F32, b: F32) -> float:
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))


def _nothing() -> Generator[FrameLike, None, None]:
    yield from ()
