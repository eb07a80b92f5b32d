"""Follows one face through footage: frames in, landmarks per frame out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .choice import count_others, order_by_nearness, order_by_size_and_steadiness
from .observations import Observations
from .protocol import PRESENCE_THRESHOLD, Crops, Face, Landmarker, Landmarks
from .read_ahead import read_ahead
from .region_filter import RegionFilter
from .regions import Region
from .still import region_change, settle

Accuracy = Literal["normal", "high"]

# A face that moved this far (in region sides, or radians) since the last frame is looked at again where it is now.
_LOOK_AGAIN = 0.12
# A crop made while the network was busy is used if the face has not moved on by more than this.
_STALE = 0.04
# Frames looked at to find out which of several faces stays.
_FRAMES_AHEAD = 5
# A face that comes back sooner is taken to be the same one if it is near.
_REMEMBERED_S = 2.0
# Other faces are counted this often.
_COUNT_EVERY_S = 1.0
# A landmark this part of the face's size outside the picture is not believed at all.
_OUTSIDE_SIZE = 0.03


class FrameLike(Protocol):
    """A picture of footage: `index` in the footage, `time_s`, and `image` (H, W, 3) uint8 RGB, upright."""

    @property
    def index(self) -> int: ...

    @property
    def time_s(self) -> float: ...

    @property
    def image(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class FrameObservation:
    """What was seen in one frame.

    Attributes:
        index: frame number in the footage.  time_s: its time, seconds.
        landmarks_px: (L, 2) float32, picture pixels; NaN without a face.
        depth_px: (L,) float32, picture pixels, smaller is nearer; 0 without a face.
        presence: 0..1; 0 without a face.
        confidence: (L,) float32 in 0..1; 0 without a face.
        other_faces: faces besides the tracked one, as last counted.
    """

    index: int
    time_s: float
    landmarks_px: NDArray[np.float32]
    depth_px: NDArray[np.float32]
    presence: float
    confidence: NDArray[np.float32]
    other_faces: int


def observe(
    frames: Iterable[FrameLike],
    landmarker: Landmarker,
    *,
    smoothing: float = 1.0,
    accuracy: Accuracy = "normal",
    after: FrameObservation | None = None,
) -> Generator[FrameObservation, None, None]:
    """Follow the largest and steadiest face; one observation per frame, in order.

    The frames are decoded on one background thread. While the network runs here, another thread cuts the next frame to
    size and finishes the observation before. A handful of pictures is held at a time.

    Args:
        frames: pictures with index and time.
        landmarker: an open backend.
        smoothing: steadiness of the region that the network looks at; 0 switches it off, 1 is the default.
        accuracy: "high" also looks at the mirrored face and averages: steadier, at nearly twice the cost.
        after: the observation of the frame before the first, where footage is worked through in pieces: its face is
            followed on. What comes out depends on nothing else of the past.
    Raises what the frames raise.
    """
    ahead = _Ahead(read_ahead(frames))
    seen: _Seen | None = None
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="facecap-crops") as helper:
            tracker = _Tracker(landmarker, helper, smoothing, accuracy)
            if after is not None:
                tracker.follow(after)
            while True:
                try:
                    frame = next(ahead)
                except StopIteration:
                    break
                except Exception:
                    if seen is not None:
                        yield _observation_of(seen)
                    raise
                before, seen = seen, None
                seen, observation = tracker.step(frame, ahead, before)
                if observation is not None:
                    yield observation
            if seen is not None:
                yield _observation_of(seen)
    finally:
        ahead.close()


def assemble(frames: Sequence[FrameObservation], landmarker: Landmarker, image_size: tuple[int, int]) -> Observations:
    """Observations of all frames as arrays.

    Args:
        frames: what `observe` gave.  landmarker: the backend they came from.  image_size: (width, height) px.
    """
    count = landmarker.landmark_count
    observations = Observations(
        time_s=np.array([frame.time_s for frame in frames], dtype=np.float64),
        frame_index=np.array([frame.index for frame in frames], dtype=np.int64),
        landmarks_px=np.empty((len(frames), count, 2), dtype=np.float32),
        depth_px=np.empty((len(frames), count), dtype=np.float32),
        presence=np.array([frame.presence for frame in frames], dtype=np.float32),
        confidence=np.empty((len(frames), count), dtype=np.float32),
        scheme=landmarker.scheme,
        image_size=image_size,
        model_version=landmarker.model_version,
    )
    for i, frame in enumerate(frames):
        observations.landmarks_px[i] = frame.landmarks_px
        observations.depth_px[i] = frame.depth_px
        observations.confidence[i] = frame.confidence
    return observations


def describe_choice(frames: Sequence[FrameObservation]) -> str | None:
    """A sentence for the user when the footage shows more than one face; None otherwise."""
    most = max((frame.other_faces for frame in frames if frame.presence > 0), default=0)
    if most == 0:
        return None
    return f"The footage shows up to {most + 1} faces; the largest and steadiest one was followed."


class _Ahead(Iterator[FrameLike]):
    """An iterator whose next frames can be looked at before they are taken."""

    def __init__(self, frames: Generator[FrameLike, None, None]) -> None:
        self._frames = frames
        self._waiting: deque[FrameLike] = deque()
        self._error: Exception | None = None

    def __next__(self) -> FrameLike:
        if self._waiting:
            return self._waiting.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return next(self._frames)

    def peek(self, count: int) -> list[FrameLike]:
        """Up to `count` of the frames to come."""
        while len(self._waiting) < count and self._error is None:
            try:
                self._waiting.append(next(self._frames))
            except StopIteration:
                break
            except Exception as error:  # raised when the frame's turn comes
                self._error = error
                break
        return list(self._waiting)[:count]

    def close(self) -> None:
        """End the reading."""
        self._frames.close()


@dataclass(frozen=True)
class _Seen:
    """A frame's landmarks, or their absence, before the observation is made of them."""

    frame: FrameLike
    landmarks: Landmarks | None
    other_faces: int
    landmark_count: int


class _Tracker:
    """The state from one frame to the next."""

    def __init__(
        self, landmarker: Landmarker, helper: ThreadPoolExecutor, smoothing: float, accuracy: Accuracy
    ) -> None:
        self._landmarker = landmarker
        self._helper = helper
        self._mirrored_too = accuracy == "high"
        self._filter = RegionFilter(smoothing)
        self._region: Region | None = None
        self._prepared: tuple[FrameLike, Crops] | None = None
        self._last: tuple[Region, float] | None = None
        self._other_faces = 0
        self._next_count_s = -np.inf
        self._to_count: tuple[FrameLike, Region] | None = None

    def follow(self, seen: FrameObservation) -> None:
        """Go on from an earlier observation."""
        if seen.presence >= PRESENCE_THRESHOLD:
            measured = self._landmarker.region_of_landmarks(seen.landmarks_px)
            self._region = self._filter.step(measured, seen.time_s)
            self._last = (measured, seen.time_s)

    def step(self, frame: FrameLike, ahead: _Ahead, before: _Seen | None) -> tuple[_Seen, FrameObservation | None]:
        """What is seen in a frame, and the observation of the one before."""
        found, observation = self._followed(frame, ahead, before)
        if observation is None and before is not None:
            observation = _observation_of(before)
        found = found or self._found(frame, ahead)
        if found is None:
            self._other_faces = 0
            return _Seen(frame, None, 0, self._landmarker.landmark_count), observation
        seen, measured = found
        self._region = self._filter.step(measured, frame.time_s)
        self._last = (measured, frame.time_s)
        if frame.time_s >= self._next_count_s:
            self._next_count_s = frame.time_s + _COUNT_EVERY_S
            self._to_count = (frame, measured)
        return _Seen(frame, seen, self._other_faces, self._landmarker.landmark_count), observation

    def _followed(
        self, frame: FrameLike, ahead: _Ahead, before: _Seen | None
    ) -> tuple[tuple[Landmarks, Region] | None, FrameObservation | None]:
        """What is seen where the face was expected, or nearby, and its region; None if it is not there (any more).

        And the observation of the frame before, if there was time for it.
        """
        if self._region is None:
            return None, None
        crops = self._crops_of(frame, self._region)
        meanwhile = self._helper.submit(self._meanwhile, ahead, self._region, before)
        seen = self._look(crops)
        observation = meanwhile.result()
        if seen.presence < PRESENCE_THRESHOLD:
            return None, observation
        measured = self._landmarker.region_of_landmarks(seen.landmarks_px)
        if region_change(crops.regions[0], measured) > _LOOK_AGAIN:
            again = self._look(self._cut(frame.image, measured))
            if again.presence >= PRESENCE_THRESHOLD:
                self._filter.reset()
                return (again, self._landmarker.region_of_landmarks(again.landmarks_px)), observation
        return (seen, measured), observation

    def _meanwhile(self, ahead: _Ahead, region: Region, before: _Seen | None) -> FrameObservation | None:
        """What can be done while the network runs."""
        # The next frame is cut where this one was: near enough unless the face moves fast.
        self._prepared = self._prepare_next(ahead, region)
        self._count_others()
        return None if before is None else _observation_of(before)

    def _crops_of(self, frame: FrameLike, region: Region) -> Crops:
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[0] is frame:
            crops = prepared[1]
            if region_change(crops.regions[0], region) < _STALE:
                return crops
        return self._cut(frame.image, region)

    def _prepare_next(self, ahead: _Ahead, region: Region) -> tuple[FrameLike, Crops] | None:
        for frame in ahead.peek(1):
            return frame, self._cut(frame.image, region)
        return None

    def _found(self, frame: FrameLike, ahead: _Ahead) -> tuple[Landmarks, Region] | None:
        """Landmarks of a newly detected face, and its region; None if there is none."""
        self._region, self._to_count = None, None
        self._filter.reset()
        for face in self._candidates(frame, ahead):
            seen = settle(frame.image, self._landmarker, face)
            if seen is None:
                continue
            if self._mirrored_too:
                seen = self._look(self._cut(frame.image, self._landmarker.region_of_landmarks(seen.landmarks_px)))
                if seen.presence < PRESENCE_THRESHOLD:
                    continue
            return seen, self._landmarker.region_of_landmarks(seen.landmarks_px)
        return None

    def _candidates(self, frame: FrameLike, ahead: _Ahead) -> list[Face]:
        faces = self._landmarker.find_faces(frame.image)
        if len(faces) < 2:
            return faces
        if self._last is not None and frame.time_s - self._last[1] < _REMEMBERED_S:
            return order_by_nearness(faces, self._last[0])
        pictures = [other.image for other in ahead.peek(_FRAMES_AHEAD)]
        return order_by_size_and_steadiness(faces, pictures, self._landmarker)

    def _cut(self, image: NDArray[np.uint8], region: Region) -> Crops:
        return self._landmarker.cut(image, [region, replace(region, mirrored=True)] if self._mirrored_too else [region])

    def _look(self, crops: Crops) -> Landmarks:
        seen = self._landmarker.landmarks_in_crops(crops)
        if len(seen) == 1:
            return seen[0]
        a, b = seen
        return Landmarks(
            landmarks_px=(a.landmarks_px + b.landmarks_px) / 2,
            depth_px=(a.depth_px + b.depth_px) / 2,
            presence=(a.presence + b.presence) / 2,
            confidence=(a.confidence + b.confidence) / 2,
        )

    def _count_others(self) -> None:
        if self._to_count is not None:
            frame, region = self._to_count
            self._other_faces = count_others(self._landmarker.find_faces(frame.image), region)
            self._to_count = None


def _observation_of(seen: _Seen) -> FrameObservation:
    frame, found, count = seen.frame, seen.landmarks, seen.landmark_count
    if found is None:
        return FrameObservation(
            index=frame.index,
            time_s=frame.time_s,
            landmarks_px=np.full((count, 2), np.nan, dtype=np.float32),
            depth_px=np.zeros(count, dtype=np.float32),
            presence=0.0,
            confidence=np.zeros(count, dtype=np.float32),
            other_faces=0,
        )
    return FrameObservation(
        index=frame.index,
        time_s=frame.time_s,
        landmarks_px=found.landmarks_px,
        depth_px=found.depth_px,
        presence=found.presence,
        confidence=_confidence(found, frame.image),
        other_faces=seen.other_faces,
    )


def _confidence(seen: Landmarks, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's own confidence, lowered by a weak presence and for landmarks outside the picture."""
    points = seen.landmarks_px
    height, width = image.shape[:2]
    low, high = points.min(axis=0), points.max(axis=0)
    if low.min() >= 0 and high[0] <= width - 1 and high[1] <= height - 1:
        return seen.confidence * np.float32(seen.presence)
    limit = np.array([width - 1, height - 1], dtype=np.float32)
    outside = np.maximum(np.maximum(-points, points - limit), 0.0).max(axis=1)
    inside = np.clip(1.0 - outside / max(_OUTSIDE_SIZE * float((high - low).max()), 1e-6), 0.0, 1.0)
    return (seen.confidence * inside * seen.presence).astype(np.float32)
