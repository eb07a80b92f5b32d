"""Landmarks in one picture, with no time around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .protocol import PRESENCE_THRESHOLD, Face, Landmarker, Landmarks
from .regions import Region

_ROUNDS = 4
# The region has settled when it moves by less than this part of its side, and turns by less than this angle.
_SETTLED = 0.005


@dataclass(frozen=True)
class StillLandmarks:
    """Landmarks of one picture.

    Attributes:
        landmarks_px: (L, 2) float32, picture pixels.
        depth_px: (L,) float32, picture pixels, smaller is nearer; 0 if the network has none.
        presence: 0..1, from the landmark network.
        confidence: (L,) float32 in 0..1.
        box_score: 0..1, from the face detector.
    """

    landmarks_px: NDArray[np.float32]
    depth_px: NDArray[np.float32]
    presence: float
    confidence: NDArray[np.float32]
    box_score: float


def landmarks_in_image(rgb: NDArray[np.uint8], landmarker: Landmarker) -> StillLandmarks | None:
    """Landmarks of the largest face in a picture, the region refined until it settles; None if there is no face.

    Args:
        rgb: (H, W, 3) uint8 RGB, upright.  landmarker: an open backend.
    """
    for face in landmarker.find_faces(rgb):
        seen = settle(rgb, landmarker, face)
        if seen is not None:
            return StillLandmarks(
                seen.landmarks_px, seen.depth_px, seen.presence, seen.confidence, box_score=face.score
            )
    return None


def settle(rgb: NDArray[np.uint8], landmarker: Landmarker, face: Face) -> Landmarks | None:
    """Landmarks of a detected face, looked at again in the region they span until that settles; None if it is no face.

    Args:
        rgb: (H, W, 3) uint8 RGB.  face: what the detector found.
    """
    region = landmarker.region_of_face(face)
    seen: Landmarks | None = None
    for _ in range(_ROUNDS):
        found = landmarker.landmarks_in_regions(rgb, [region])[0]
        if found.presence < PRESENCE_THRESHOLD:
            return seen
        seen = found
        following = landmarker.region_of_landmarks(found.landmarks_px)
        if region_change(region, following) < _SETTLED:
            break
        region = following
    return seen


def region_change(a: Region, b: Region) -> float:
    """How far two regions are apart: the largest of shift and size change, in sides of `a`, and rotation in radians."""
    shift = np.hypot(b.center_px[0] - a.center_px[0], b.center_px[1] - a.center_px[1]) / a.side_px
    turn = abs((b.rotation_rad - a.rotation_rad + np.pi) % (2 * np.pi) - np.pi)
    return float(max(shift, abs(b.side_px / a.side_px - 1.0), turn))
