"""What the landmark network saw, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UNREADABLE, FacecapError


def _not_looked_at() -> NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Observations:
    """Landmarks of one face over F frames.

    Attributes:
        time_s: (F,) float64, seconds from the start of the footage.
        frame_index: (F,) int64, index of the frame in the footage (before trimming).
        landmarks_px: (F, L, 2) float32, pixels in the upright picture; NaN where presence is 0.
        depth_px: (F, L) float32, the network's depth hint, in picture pixels, smaller is nearer; 0 if it has none.
        presence: (F,) float32 in 0..1; 0 means no face was found.
        confidence: (F, L) float32 in 0..1.
        scheme: landmark layout: "mediapipe-478", "ibug-68", ...
        image_size: (width, height) px.
        model_version: name and hash of the networks that made it.
        appearance: (F, A) float32, features of the face's crops (see `landmarks.appearance`), 0 without a face; A is 0
            where nobody looked.
        visibility: (F, L) float32 in 0..1, how far each landmark is seen: 0 where something stands before it (see
            `landmarks.visibility`), 1 without a face; L is 0 where nobody looked.
    """

    time_s: NDArray[np.float64]
    frame_index: NDArray[np.int64]
    landmarks_px: NDArray[np.float32]
    depth_px: NDArray[np.float32]
    presence: NDArray[np.float32]
    confidence: NDArray[np.float32]
    scheme: str
    image_size: tuple[int, int]
    model_version: str
    appearance: NDArray[np.float32] = field(default_factory=_not_looked_at)
    visibility: NDArray[np.float32] = field(default_factory=_not_looked_at)

    def __post_init__(self) -> None:
        frames, landmarks = self.confidence.shape
        for name in ("appearance", "visibility"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.zeros((frames, 0), np.float32))
        expected = {
            "time_s": (frames,),
            "frame_index": (frames,),
            "landmarks_px": (frames, landmarks, 2),
            "depth_px": (frames, landmarks),
            "presence": (frames,),
            "appearance": (frames, self.appearance.shape[1]),
            "visibility": (frames, landmarks if self.visibility.shape[1] else 0),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise FacecapError(
                    f"Landmark data is inconsistent: {name} has shape {getattr(self, name).shape}, not {shape}.",
                    "Delete the job folder and solve again.",
                )

    @property
    def frame_count(self) -> int:
        return int(self.time_s.shape[0])

    def part(self, rows: Sequence[int] | NDArray[np.intp] | NDArray[np.bool_]) -> Observations:
        """Those of some rows, by number or (F,) bool; of large arrays on disk only these are read."""
        names = ("time_s", "frame_index", "landmarks_px", "depth_px", "presence", "confidence")
        names += ("appearance", "visibility")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def save_observations(path: Path, observations: Observations) -> None:
    """Write observations to an `.npz` at `path` (the caller makes the write atomic)."""
    with path.open("wb") as stream:
        np.savez(
            stream,
            time_s=observations.time_s,
            frame_index=observations.frame_index,
            landmarks_px=observations.landmarks_px,
            depth_px=observations.depth_px,
            presence=observations.presence,
            confidence=observations.confidence,
            scheme=np.array(observations.scheme),
            image_size=np.array(observations.image_size, dtype=np.int64),
            model_version=np.array(observations.model_version),
            appearance=observations.appearance,
            visibility=observations.visibility,
        )


def load_observations(path: Path) -> Observations:
    """Read what `save_observations` wrote. Raises FacecapError if the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            width, height = (int(v) for v in data["image_size"])
            return Observations(
                time_s=data["time_s"],
                frame_index=data["frame_index"],
                landmarks_px=data["landmarks_px"],
                depth_px=data["depth_px"],
                presence=data["presence"],
                confidence=data["confidence"],
                scheme=str(data["scheme"]),
                image_size=(width, height),
                model_version=str(data["model_version"]),
                appearance=data["appearance"] if "appearance" in data else _not_looked_at(),
                visibility=data["visibility"] if "visibility" in data else _not_looked_at(),
            )
    except UNREADABLE as error:
        raise FacecapError(
            f"The landmark cache {path.name} cannot be read ({error}).", "Delete it and solve again."
        ) from error
