"""Whether footage stands on its head. A detector made for upright faces imagines one in a face that is upside down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...footage.footage import Footage
from ...footage.read import read_frames
from ..protocol import Face, Landmarker
from .face_tracker import FrameLike

# How many pictures with a face are asked at most, how far apart they are, and how many are looked at to find them.
_VOTES, _EVERY, _PICTURES = 5, 8, 600
# An upright face is found with a score above 0.86, the same face upside down with less than 0.8 and at least 0.12 less;
# a head that lies on its side scores about the same both ways, and its eyes are not level either way.
_SCORE, _BETTER, _LEVEL_RAD = 0.84, 0.1, 0.6
_BEST = 0.98
# Live: how long after a look at a face, and at none, the next one is.
_LOOK_S, _SEEK_S = 1.0, 0.2


def stand_upright(footage: Footage, landmarker: Landmarker) -> Footage:
    """The footage, turned by a half turn and with a note that says so if its faces are upside down.

    Raises:
        FacecapError: no frame can be decoded.
    """
    frames = read_frames(footage)
    try:
        turned = is_upside_down(frames, landmarker)
    finally:
        frames.close()
    if not turned:
        return footage
    note = "The footage stands on its head: it was turned by 180°."
    return replace(footage, upside_down=True, notes=(*footage.notes, note))


class LiveUpright:
    """Keeps pictures upright while they come: it looks at the first with a face, and at one a second from then on.

    Attributes:
        turned: whether pictures are turned by a half turn.  decided: whether a face was seen well enough to know.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker = landmarker
        self._votes: list[bool] = []
        self._last_s = self._next_s = -np.inf
        self.turned = self.decided = False

    def step(self, image: NDArray[np.uint8], time_s: float) -> NDArray[np.uint8]:
        """The next picture (H, W, 3), upright as far as is known."""
        shown = _turn_half(image) if self.turned else image
        waits = self._last_s <= time_s < self._next_s
        self._last_s = time_s
        if waits:
            return shown
        vote = _is_better_turned(shown, self._landmarker)
        if vote is None:
            self._next_s = time_s + _SEEK_S
            return shown
        self._votes.append(vote)
        agreed = max(sum(self._votes), len(self._votes) - sum(self._votes)) > _VOTES // 2
        # What is known is not asked again where all is well.
        if agreed or (self.decided and self._votes == [False]):
            if sum(self._votes) > len(self._votes) / 2:
                self.turned, shown = not self.turned, _turn_half(shown)
            self._votes, self.decided, self._next_s = [], True, time_s + _LOOK_S
        return shown


def _turn_half(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[::-1, ::-1])


def is_upside_down(frames: Iterable[FrameLike], landmarker: Landmarker) -> bool:
    """Whether the first faces of footage are seen better, and upright, once the picture is turned by a half turn.

    Args:
        frames: pictures in order; only as many are taken as it needs.  landmarker: an open backend.
    """
    votes: list[bool] = []
    for place, frame in enumerate(frames):
        if place % _EVERY == 0:
            vote = _is_better_turned(frame.image, landmarker)
            if vote is not None:
                votes.append(vote)
        if max(sum(votes), len(votes) - sum(votes)) > _VOTES // 2 or place == _PICTURES:
            break
    return sum(votes) > len(votes) / 2


def _is_better_turned(image: NDArray[np.uint8], landmarker: Landmarker) -> bool | None:
    """None if there is no face either way."""
    as_is = _find_best(landmarker.find_faces(image))
    if as_is is not None and as_is.score + _BETTER >= _BEST:
        return False  # as it mostly is: nothing can be that much better
    turned = _find_best(landmarker.find_faces(_turn_half(image)))
    if turned is None:
        return None if as_is is None else False
    score = 0.0 if as_is is None else as_is.score
    return turned.score > _SCORE and turned.score > score + _BETTER and abs(_roll_rad(turned)) < _LEVEL_RAD


def _find_best(faces: list[Face]) -> Face | None:
    return max(faces, key=lambda face: face.score, default=None)


def _roll_rad(face: Face) -> float:
    across = face.keypoints_px[1] - face.keypoints_px[0]
    return float(np.arctan2(across[1], across[0]))
