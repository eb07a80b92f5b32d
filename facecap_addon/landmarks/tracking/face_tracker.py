"""Follows one face from frame to frame: where to look, what was seen there, and whether it is still the face."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..protocol import PRESENCE_THRESHOLD, Face, Landmarker, Landmarks
from ..regions import Region
from ..single_image import region_change, settle
from .face_selection import count_others, order_by_distance, order_by_size_and_steadiness
from .prefetch import Upcoming
from .region_filter import RegionFilter

# Frames that are looked at ahead of time where the face was last: the same on every machine, whatever its cores, so
# that what comes out is the same too.
IN_FLIGHT = 3
# A face that moved this far (in region sides, or radians) since the last frame is looked at again where it is now.
_LOOK_AGAIN = 0.12
# A look ahead of time counts if the face has not moved on by more than this.
_STALE = 0.04
# Frames looked at to find out which of several faces stays.
_FRAMES_AHEAD = 5
# A face that comes back sooner is taken to be the same one if it is near.
_REMEMBERED_S = 2.0
# Other faces are counted this often.
_COUNT_EVERY_S = 1.0


class FrameLike(Protocol):
    """A picture of footage: `index` in the footage, `time_s`, and `image` (H, W, 3) uint8 RGB, upright."""

    @property
    def index(self) -> int: ...

    @property
    def time_s(self) -> float: ...

    @property
    def image(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class _Detection:
    """What the network said of a region; `others`, faces elsewhere in the picture, if they were counted."""

    region: Region
    landmarks: Landmarks
    others: int | None = None


class FaceTracker:
    """The state from one frame to the next.

    Args:
        landmarker: an open backend.
        pool: where looks ahead of time run.
        smoothing: steadiness of the region, see `RegionFilter`.
        mirrored_too: whether the mirrored face is looked at as well, and the two averaged.
        in_flight: frames that are looked at ahead of time.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        pool: ThreadPoolExecutor,
        smoothing: float,
        mirrored_too: bool,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._landmarker = landmarker
        self._pool = pool
        self._mirrored_too = mirrored_too
        self._in_flight = in_flight
        self._filter = RegionFilter(smoothing)
        self._region: Region | None = None
        self._looks: deque[Future[_Detection]] = deque()
        self._last: tuple[Region, float] | None = None
        self._next_count_s = -np.inf
        self.other_faces = 0

    def resume_from(self, landmarks_px: NDArray[np.float32], time_s: float) -> None:
        """Expect the face where it was seen in the frame before the first."""
        measured = self._landmarker.region_of_landmarks(landmarks_px)
        self._region = self._filter.step(measured, time_s)
        self._last = (measured, time_s)

    def step(self, frame: FrameLike, upcoming: Upcoming[FrameLike]) -> Landmarks | None:
        """The face's landmarks in the next frame, None if it is not there.

        Args:
            frame: the next frame.  upcoming: the frames after it.
        """
        found = self._follow_face(frame) or self._find_face(frame, upcoming)
        if found is None:
            self.other_faces = 0
            return None
        seen, measured = found
        self._region = self._filter.step(measured, frame.time_s)
        self._last = (measured, frame.time_s)
        self.look_ahead(upcoming)
        return seen

    def look_ahead(self, upcoming: Upcoming[FrameLike]) -> None:
        """Have the network look at the next frames, where the face is expected by now."""
        region = self._region
        if region is None:
            return
        for frame in upcoming.peek(self._in_flight)[len(self._looks) :]:
            count = frame.time_s >= self._next_count_s
            if count:
                self._next_count_s = frame.time_s + _COUNT_EVERY_S
            self._looks.append(self._pool.submit(self._detect, frame.image, region, count))

    def _follow_face(self, frame: FrameLike) -> tuple[Landmarks, Region] | None:
        """What is seen where the face was expected, or nearby, and its region; None if it is not there (any more)."""
        if self._region is None:
            return None
        look = self._looks.popleft().result() if self._looks else self._detect(frame.image, self._region)
        if look.others is not None:
            self.other_faces = look.others
        if region_change(look.region, self._region) > _STALE:
            look = self._detect(frame.image, self._region)
        if look.landmarks.presence < PRESENCE_THRESHOLD:
            return None
        measured = self._landmarker.region_of_landmarks(look.landmarks.landmarks_px)
        if region_change(look.region, measured) > _LOOK_AGAIN:
            again = self._detect(frame.image, measured).landmarks
            if again.presence >= PRESENCE_THRESHOLD:
                self._filter.reset()
                return again, self._landmarker.region_of_landmarks(again.landmarks_px)
        return look.landmarks, measured

    def _find_face(self, frame: FrameLike, upcoming: Upcoming[FrameLike]) -> tuple[Landmarks, Region] | None:
        """Landmarks of a newly detected face, and its region; None if there is none."""
        self._region = None
        self._looks.clear()
        self._filter.reset()
        faces = self._landmarker.find_faces(frame.image)
        for face in self._order_faces(faces, frame, upcoming):
            seen = settle(frame.image, self._landmarker, face)
            if seen is None:
                continue
            if self._mirrored_too:
                region = self._landmarker.region_of_landmarks(seen.landmarks_px)
                seen = self._detect(frame.image, region).landmarks
                if seen.presence < PRESENCE_THRESHOLD:
                    continue
            measured = self._landmarker.region_of_landmarks(seen.landmarks_px)
            self.other_faces = count_others(faces, measured)
            return seen, measured
        return None

    def _order_faces(self, faces: list[Face], frame: FrameLike, upcoming: Upcoming[FrameLike]) -> list[Face]:
        if len(faces) < 2:
            return faces
        if self._last is not None and frame.time_s - self._last[1] < _REMEMBERED_S:
            return order_by_distance(faces, self._last[0])
        pictures = [other.image for other in upcoming.peek(_FRAMES_AHEAD)]
        return order_by_size_and_steadiness(faces, pictures, self._landmarker)

    def _detect(self, image: NDArray[np.uint8], region: Region, count: bool = False) -> _Detection:
        """Landmarks in a region of a picture. Runs on any thread: it changes nothing here."""
        regions = [region, replace(region, mirrored=True)] if self._mirrored_too else [region]
        seen = _average_landmarks(self._landmarker.landmarks_in_regions(image, regions))
        others = count_others(self._landmarker.find_faces(image), region) if count else None
        return _Detection(region, seen, others)


def _average_landmarks(seen: list[Landmarks]) -> Landmarks:
    if len(seen) == 1:
        return seen[0]
    a, b = seen
    return Landmarks(
        landmarks_px=(a.landmarks_px + b.landmarks_px) / 2,
        depth_px=(a.depth_px + b.depth_px) / 2,
        presence=(a.presence + b.presence) / 2,
        confidence=(a.confidence + b.confidence) / 2,
    )
