"""Whether frames show a face, where nothing more is asked of them: for networks that give a face of any picture."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

from ..protocol import Landmarker, Landmarks
from .face_tracker import FaceTracker, FrameLike
from .prefetch import Upcoming


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

    def look(self, frame: FrameLike) -> Landmarks | None:
        """The landmarks of the next frame's face, roughly; None where it shows none."""
        return self._tracker.step(frame, Upcoming(_nothing()))

    def shows_face(self, frame: FrameLike) -> bool:
        """Whether the next frame shows a face."""
        return self.look(frame) is not None


def _nothing() -> Generator[FrameLike, None, None]:
    yield from ()
