"""The frames of some footage that show a face, as the fit wants them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError, NoFaceError
from ..landmarks.observations import Observations
from ..landmarks.protocol import PRESENCE_THRESHOLD
from .landmark_terms import LandmarkTerms, contact_boost

F64 = NDArray[np.float64]
_NEAR_FRAMES = 2


@dataclass(frozen=True)
class SeenFrames:
    """Frames that show a face.

    Attributes:
        rows: (N,) int, their rows among all observed frames.
        time_s: (N,) float64.
        centred_px: (N, M, 2) float64, the used landmarks, pixels from the principal point.
        weight: (N, M + G) float64, 1/mm^2, of landmarks and gaps.
    """

    rows: NDArray[np.intp]
    time_s: F64
    centred_px: F64
    weight: F64


def seen_frames(observations: Observations, valid: NDArray[np.bool_], terms: LandmarkTerms) -> SeenFrames:
    """Pick the frames with a face.

    Args:
        valid: (L,) landmarks that the character has.
    Raises:
        NoFaceError: there is none.
    """
    finite = np.isfinite(observations.landmarks_px).all((1, 2))
    rows = np.flatnonzero((observations.presence >= PRESENCE_THRESHOLD) & finite)
    if rows.size == 0:
        raise NoFaceError("No face was found in this footage.", "Check the clip, its trim range and its rotation.")
    width, height = observations.image_size
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    confidence = observations.confidence[np.ix_(rows, terms.used)].astype(np.float64) * valid[terms.used]
    points = confidence * terms.weight
    gaps = np.minimum(confidence[:, terms.gap_upper], confidence[:, terms.gap_lower]) * terms.gap_weight
    landmarks_px = observations.landmarks_px[np.ix_(rows, terms.used)].astype(np.float64)
    gaps = gaps * contact_boost(terms, landmarks_px)
    return SeenFrames(
        rows,
        observations.time_s[rows].astype(np.float64),
        landmarks_px - centre,
        np.concatenate([points, gaps], axis=1),
    )


def named_neutral(observations: Observations, seen: SeenFrames, neutral_frame: int | None) -> NDArray[np.intp] | None:
    """(1,) the seen frame that the user calls neutral, or None. Raises FacecapError if it is not there."""
    if neutral_frame is None:
        return None
    frames = observations.frame_index[seen.rows]
    nearest = int(np.argmin(np.abs(frames - neutral_frame)))
    if abs(int(frames[nearest]) - neutral_frame) > _NEAR_FRAMES:
        raise FacecapError(
            f"The neutral frame {neutral_frame} shows no face or lies outside the solved range.",
            "Name a frame with a relaxed face inside the range, or leave it to FaceCap.",
        )
    return np.array([nearest], np.intp)
