"""Landmarks of footage: frames in, what was seen of one face in each of them out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..appearance import AppearanceNetwork
from ..observations import Observations
from ..protocol import PRESENCE_THRESHOLD, Landmarker, Landmarks
from ..regions import find_bounds
from ..visibility import VisibilityNetwork
from .face_tracker import IN_FLIGHT, FaceTracker, FrameLike
from .prefetch import Upcoming, prefetch

Accuracy = Literal["normal", "high"]

# A landmark this part of the face's size outside the picture is not believed at all.
_OUTSIDE_SIZE = 0.03


def _not_looked_at() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


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
        appearance: (A,) float32, features of its crops; 0 without a face, empty where nobody looked.
        visibility: (L,) float32 in 0..1, how far each landmark is seen; 1 without a face, empty where nobody looked.
    """

    index: int
    time_s: float
    landmarks_px: NDArray[np.float32]
    depth_px: NDArray[np.float32]
    presence: float
    confidence: NDArray[np.float32]
    other_faces: int
    appearance: NDArray[np.float32] = field(default_factory=_not_looked_at)
    visibility: NDArray[np.float32] = field(default_factory=_not_looked_at)


def observe(
    frames: Iterable[FrameLike],
    landmarker: Landmarker,
    *,
    smoothing: float = 1.0,
    accuracy: Accuracy = "normal",
    after: FrameObservation | None = None,
    appearance: AppearanceNetwork | None = None,
    visibility: VisibilityNetwork | None = None,
    in_flight: int = IN_FLIGHT,
) -> Generator[FrameObservation, None, None]:
    """Follow the largest and steadiest face; one observation per frame, in order.

    The frames are decoded on one background thread. The network looks at a few of them ahead of time, on threads of
    their own; a frame in which the face has moved on by then is looked at again. A handful of pictures is held at a
    time. What comes out does not depend on the number of processors.

    Args:
        frames: pictures with index and time.
        landmarker: an open backend.
        smoothing: steadiness of the region that the network looks at; 0 switches it off, 1 is the default.
        accuracy: "high" also looks at the mirrored face and averages: steadier, at nearly twice the cost.
        after: the observation of the frame before the first, where footage is worked through in pieces: its face is
            followed on. What comes out depends on nothing else of the past.
        appearance: looks at the crops of every face, if given.
        visibility: looks for what stands before every face, if given.
        in_flight: frames looked at ahead of time; 0 where faces jump from frame to frame, so that it would be in vain.
    Raises what the frames raise.
    """
    upcoming = Upcoming(prefetch(frames))
    looks: deque[Future[FrameObservation]] = deque()
    pool = ThreadPoolExecutor(min(IN_FLIGHT, os.cpu_count() or 1), thread_name_prefix="facecap-landmarks")
    try:
        follower = FaceTracker(landmarker, pool, smoothing, mirrored_too=accuracy == "high", in_flight=in_flight)
        if after is not None and after.presence >= PRESENCE_THRESHOLD:
            follower.resume_from(after.landmarks_px, after.time_s)
            follower.look_ahead(upcoming)
        for frame in upcoming:
            seen = follower.step(frame, upcoming)
            found = observation_of(frame, seen, follower.other_faces, landmarker.landmark_count)
            if appearance is None and visibility is None:
                yield found
                continue
            # Beside the landmarks of the next frames: nothing but the take waits for these.
            looks.append(pool.submit(_look_at, found, frame.image, appearance, visibility))
            if len(looks) >= IN_FLIGHT:
                yield looks.popleft().result()
        while looks:
            yield looks.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        upcoming.close()


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
        appearance=np.empty((len(frames), frames[0].appearance.size if frames else 0), dtype=np.float32),
        visibility=np.empty((len(frames), frames[0].visibility.size if frames else 0), dtype=np.float32),
    )
    for i, frame in enumerate(frames):
        observations.landmarks_px[i] = frame.landmarks_px
        observations.depth_px[i] = frame.depth_px
        observations.confidence[i] = frame.confidence
        observations.appearance[i] = frame.appearance
        observations.visibility[i] = frame.visibility
    return observations


def describe_selection(frames: Sequence[FrameObservation]) -> str | None:
    """A sentence for the user when the footage shows more than one face; None otherwise."""
    most = max((frame.other_faces for frame in frames if frame.presence > 0), default=0)
    if most == 0:
        return None
    return f"The footage shows up to {most + 1} faces; the largest and steadiest one was followed."


def observation_of(frame: FrameLike, seen: Landmarks | None, others: int, count: int) -> FrameObservation:
    """What was seen in a frame; `count` landmarks, NaN where there is no face."""
    if seen is None:
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
        landmarks_px=seen.landmarks_px,
        depth_px=seen.depth_px,
        presence=seen.presence,
        confidence=_rate_landmarks(seen, frame.image),
        other_faces=others,
    )


def _look_at(
    found: FrameObservation,
    image: NDArray[np.uint8],
    appearance: AppearanceNetwork | None,
    visibility: VisibilityNetwork | None,
) -> FrameObservation:
    """The observation with what the networks that look at pixels make of the face."""
    shows_face, features, seen = found.presence >= PRESENCE_THRESHOLD, found.appearance, found.visibility
    if appearance is not None:
        empty = np.zeros(appearance.feature_count, np.float32)
        features = appearance.features(image, found.landmarks_px) if shows_face else empty
    if visibility is not None:
        clear = np.ones(len(found.confidence), np.float32)
        seen = visibility.visibility(image, found.landmarks_px) if shows_face else clear
    return replace(found, appearance=features, visibility=seen)


def _rate_landmarks(seen: Landmarks, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's own confidence, lowered by a weak presence and for landmarks outside the picture."""
    points = seen.landmarks_px
    height, width = image.shape[:2]
    left, top, right, bottom = find_bounds(points)
    if left >= 0 and top >= 0 and right <= width - 1 and bottom <= height - 1:
        return seen.confidence * np.float32(seen.presence)
    limit = np.array([width - 1, height - 1], dtype=np.float32)
    outside = np.maximum(np.maximum(-points, points - limit), 0.0).max(axis=1)
    inside = np.clip(1.0 - outside / max(_OUTSIDE_SIZE * max(right - left, bottom - top), 1e-6), 0.0, 1.0)
    return (seen.confidence * inside * seen.presence).astype(np.float32)
