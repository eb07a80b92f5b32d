"""What every landmark backend offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .regions import Region

# Below this presence a region shows no face, or not the one that was tracked.
PRESENCE_THRESHOLD = 0.5


@dataclass(frozen=True)
class Face:
    """A face that the detector found.

    Attributes:
        box_px: (left, top, right, bottom), picture pixels.
        score: 0..1.
        keypoints_px: (6, 2) float64, picture pixels: eye on the picture's left, eye on its right, nose tip, mouth,
            ear on the picture's left, ear on its right.
    """

    box_px: tuple[float, float, float, float]
    score: float
    keypoints_px: NDArray[np.float64]

    @property
    def side_px(self) -> float:
        """The longer side of the box, pixels."""
        left, top, right, bottom = self.box_px
        return max(right - left, bottom - top)


@dataclass(frozen=True)
class Landmarks:
    """What a landmark network sees in one region.

    Attributes:
        landmarks_px: (L, 2) float32, picture pixels.
        depth_px: (L,) float32, picture pixels, smaller is nearer; 0 if the network has no depth.
        presence: 0..1, that the region shows a face.
        confidence: (L,) float32 in 0..1, how far each landmark can be trusted if there is a face.
    """

    landmarks_px: NDArray[np.float32]
    depth_px: NDArray[np.float32]
    presence: float
    confidence: NDArray[np.float32]


class Landmarker(Protocol):
    """A face detector and a landmark network behind it."""

    @property
    def scheme(self) -> str:
        """Landmark layout, for example "mediapipe-478"."""
        ...

    @property
    def landmark_count(self) -> int:
        """Landmarks per face."""
        ...

    @property
    def model_version(self) -> str:
        """Name and hash of the networks: what they see is the same while this is the same."""
        ...

    def find_faces(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Faces in a picture (H, W, 3) uint8, the largest first; empty if there is none."""
        ...

    def region_of_face(self, face: Face) -> Region:
        """The region in which the landmark network wants a detected face."""
        ...

    def landmarks_in_regions(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Landmarks]:
        """Landmarks in each region of a picture (H, W, 3) uint8, as one batch; empty for no region.

        It is called from several threads at once.
        """
        ...

    def region_of_landmarks(self, landmarks_px: NDArray[np.floating]) -> Region:
        """The region in which the network wants a face whose landmarks (L, 2) are known."""
        ...
