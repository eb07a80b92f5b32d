"""Where irises lie between the corners of their eyes, and how well an animated head's follow those of the footage."""

from __future__ import annotations

import numpy as np

from ..arrays import F64
from .face_measures import MeasureAgreement, compare_measures

GAZE_MEASURES = ("aside_R", "aside_L", "up_R", "up_L", "vergence")
# The network's irises wander by this much in a face that looks straight ahead, widths of an eye.
_LEAST_RANGE = np.full(len(GAZE_MEASURES), 0.05)
# Under lids that are shut further than this share of what is usual, an iris is a guess.
_OPEN_SHARE = 0.6
# Iris, corners from the picture's left to its right, upper and lower lid.
_EYES = ((468, 33, 133, 159, 145), (473, 362, 263, 386, 374))


def measure_gaze(aligned: F64) -> F64:
    """The five `GAZE_MEASURES` of aligned faces, in widths of an eye.

    Args:
        aligned: (F, 478, 3) of `align_faces`.
    Returns:
        (F, 5): right and left iris to the picture's right; right and left up; left less right, aside: crossed eyes are
        negative. NaN in rows without a face, or with an eye nearly shut.
    """
    aside, up, opening = [], [], []
    for iris, one, other, upper, lower in _EYES:
        along = aligned[:, other, :2] - aligned[:, one, :2]
        width = np.linalg.norm(along, axis=1)
        from_middle = aligned[:, iris, :2] - (aligned[:, one, :2] + aligned[:, other, :2]) / 2
        aside.append((from_middle * along).sum(axis=1) / width**2)
        up.append((from_middle[:, 0] * along[:, 1] - from_middle[:, 1] * along[:, 0]) / width**2)
        opening.append(np.linalg.norm(aligned[:, upper] - aligned[:, lower], axis=1))
    measures = np.stack([*aside, *up, aside[1] - aside[0]], axis=1)
    lids = np.stack(opening, axis=1)
    if np.isfinite(lids).any():
        measures[(lids < _OPEN_SHARE * np.nanmedian(lids, axis=0)).any(axis=1)] = np.nan
    return measures


def compare_gaze(footage: F64, head: F64) -> MeasureAgreement:
    """How a head's irises follow those of the footage.

    Args:
        footage, head: (F, 5) of `measure_gaze`, row by row of the same moments.
    """
    return compare_measures(GAZE_MEASURES, footage, head, _LEAST_RANGE)
