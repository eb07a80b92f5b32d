"""Landmarks in one picture, with no time around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .layout import layout_of
from .protocol import PRESENCE_THRESHOLD, Face, Landmarker, Landmarks
from .regions import Region

_ROUNDS = 4
# The region has settled when it moves by less than this part of its side, and turns by less than this angle.
_SETTLED = 0.005
# Mean distance, in sides of the detected box, of the landmarks' eyes, nose and mouth from the detector's own. On faces
# it is 0.03 and at most 0.09; where both networks only imagine one (lettering, say), 0.2 and more.
_AGREEMENT = 0.15


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


def find_landmarks_in_image(rgb: NDArray[np.uint8], landmarker: Landmarker) -> StillLandmarks | None:
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
    """Landmarks of a detected face, looked at again in the region they span until that settles.

    None if the landmark network sees no face there, or another one than the detector did.

    Args:
        rgb: (H, W, 3) uint8 RGB.  face: what the detector found.
    """
    region = landmarker.region_of_face(face)
    seen: Landmarks | None = None
    for _ in range(_ROUNDS):
        found = landmarker.landmarks_in_regions(rgb, [region])[0]
        if found.presence < PRESENCE_THRESHOLD:
            return None
        seen = found
        following = landmarker.region_of_landmarks(found.landmarks_px)
        if region_change(region, following) < _SETTLED:
            break
        region = following
    return seen if seen is not None and measure_disagreement(face, seen, landmarker.scheme) < _AGREEMENT else None


def measure_disagreement(face: Face, seen: Landmarks, scheme: str) -> float:
    """Mean distance of the landmarks' eyes, nose and mouth from those the detector found, in sides of its box."""
    ours = np.array([seen.landmarks_px[list(part)].mean(axis=0) for part in layout_of(scheme).keypoints])
    distance = np.linalg.norm(ours - face.keypoints_px[: len(ours)], axis=1)
    return float(distance.mean() / face.side_px)


def region_change(a: Region, b: Region) -> float:
    """How far two regions are apart: the largest of shift and size change, in sides of `a`, and rotation in radians."""
    shift = np.hypot(b.center_px[0] - a.center_px[0], b.center_px[1] - a.center_px[1]) / a.side_px
    turn = abs((b.rotation_rad - a.rotation_rad + np.pi) % (2 * np.pi) - np.pi)
    return float(max(shift, abs(b.side_px / a.side_px - 1.0), turn))
