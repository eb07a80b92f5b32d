"""Fifteen measures of a face from its landmarks, and how well those of an animated head follow those of the footage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .observations import Observations

F64 = NDArray[np.float64]

MEASURES = (
    "mouth_width",
    "lip_gap",
    "roundness",
    "upper_lip",
    "lower_lip",
    "chin",
    "corner_R",
    "corner_L",
    "mouth_shift",
    "eye_R",
    "eye_L",
    "brow_in_R",
    "brow_in_L",
    "brow_out_R",
    "brow_out_L",
)
PARTS = {"lips": MEASURES[:9], "lids": MEASURES[9:11], "brows": MEASURES[11:]}

# How far each wanders on a face that does nothing, outer eye distances: what moves less is not compared.
_NOISE = np.array([0.02, 0.02, 0.03, 0.012, 0.02, 0.03] + [0.015] * 9)
_LEAST_RANGE = 2.5 * _NOISE

# Landmarks of mediapipe-478 that expressions hardly move: the nose's bridge, corners of the eyes, temples, forehead.
_RIGID = np.array([168, 6, 197, 195, 5, 33, 263, 133, 362, 127, 356, 10, 151, 9, 54, 284, 21, 251])
_OUTER_CORNERS = (33, 263)


@dataclass(frozen=True)
class MeasureAgreement:
    """How the head's measures follow the footage's.

    Attributes:
        names: measures that move in the footage.
        correlation: (M,) of the changes from the clip's median.
        gain: (M,) regression slope of the head's on the footage's changes; 1 is right.
        span: (M,) from the 5th to the 95th percentile in the footage, outer eye distances.
        frames: rows with a face on both sides.
    """

    names: tuple[str, ...]
    correlation: F64
    gain: F64
    span: F64
    frames: int

    @property
    def mean_correlation(self) -> float:
        """NaN where nothing moves."""
        return float(self.correlation.mean()) if len(self.names) else float("nan")

    @property
    def median_gain(self) -> float:
        """NaN where nothing moves."""
        return float(np.median(self.gain)) if len(self.names) else float("nan")

    def part_gain(self, part: str) -> float:
        """Mean gain of the measures of "lips", "lids" or "brows" that move; NaN if none does."""
        chosen = [gain for name, gain in zip(self.names, self.gain, strict=True) if name in PARTS[part]]
        return float(np.mean(chosen)) if chosen else float("nan")


def points_of(observations: Observations) -> F64:
    """(F, 478, 3) landmarks with the network's depth as third coordinate, pixels; NaN in rows without a face."""
    points = np.concatenate([observations.landmarks_px, observations.depth_px[..., None]], axis=2).astype(np.float64)
    points[observations.presence <= 0] = np.nan
    return points


def align_faces(points: F64) -> F64:
    """Bring all rows over one another by what is rigid in a face, in units of the distance of the outer eye corners.

    A similarity per row (Umeyama 1991), onto the mean shape of all of them.

    Args:
        points: (F, 478, 3), pixels; NaN in rows without a face.
    Returns:
        (F, 478, 3): x to the picture's right, y down, z into the picture, as the mean head stands; the rigid landmarks'
        mean is the origin. NaN where the input is.
    """
    seen = np.isfinite(points).all(axis=(1, 2))
    aligned = np.full(points.shape, np.nan)
    if not seen.any():
        return aligned
    rigid = points[seen][:, _RIGID]
    middle = rigid.mean(axis=1, keepdims=True)
    rigid = rigid - middle
    reference = np.median(rigid, axis=0)
    rotation, scale = fit_similarities(rigid, reference)
    # Once more onto the mean of what is aligned: the median of turned shapes is none of them.
    reference = (scale[:, None, None] * rigid @ rotation).mean(axis=0)
    rotation, scale = fit_similarities(rigid, reference)
    right, left = (np.flatnonzero(corner == _RIGID)[0] for corner in _OUTER_CORNERS)
    eye_distance = np.linalg.norm(reference[right] - reference[left])
    aligned[seen] = scale[:, None, None] * (points[seen] - middle) @ rotation / eye_distance
    return aligned


def fit_similarities(shapes: F64, reference: F64) -> tuple[F64, F64]:
    """Similarities in least squares (Umeyama 1991), in the plane or in space.

    Args:
        shapes: (F, R, D), each about its mean.  reference: (R, D).
    Returns:
        rotations (F, D, D), for points as rows, and scales (F,): shapes onto the reference about its mean.
    """
    u, s, vt = np.linalg.svd(np.swapaxes(shapes, 1, 2) @ (reference - reference.mean(axis=0)))
    sign = np.ones(s.shape)
    sign[:, -1] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[:, None]) @ vt, (s * sign).sum(axis=1) / (shapes**2).sum(axis=(1, 2))


def measure_faces(aligned: F64) -> F64:
    """The fifteen `MEASURES` of aligned faces, in outer eye distances (roundness: lip gap over mouth width).

    Args:
        aligned: (F, 478, 3) of `align_faces`.
    Returns:
        (F, 15); NaN in rows without a face.
    """

    def distance(a: int, b: int) -> F64:
        return np.linalg.norm(aligned[:, a] - aligned[:, b], axis=1)

    def height(a: int) -> F64:
        return -aligned[:, a, 1]

    nose = (height(98) + height(327)) / 2
    width, gap = distance(61, 291), distance(13, 14)
    columns = [
        width,
        gap,
        gap / width,
        nose - height(13),
        nose - height(14),
        nose - height(152),
        height(61) - nose,
        height(291) - nose,
        (aligned[:, 61, 0] + aligned[:, 291, 0]) / 2,
        distance(159, 145),
        distance(386, 374),
        height(107),
        height(336),
        height(70),
        height(300),
    ]
    return np.stack(columns, axis=1)


def compare_faces(footage: F64, head: F64) -> MeasureAgreement:
    """How well a head's measures follow those of the footage; what hardly moves in the footage is left out.

    Args:
        footage, head: (F, 15) of `measure_faces`, row by row of the same moments; NaN without a face.
    """
    return compare_measures(MEASURES, footage, head, _LEAST_RANGE)


def compare_measures(names: tuple[str, ...], footage: F64, head: F64, least_range: F64) -> MeasureAgreement:
    """Correlation and gain of curves of the head against curves of the footage, as changes from their medians.

    Args:
        names: M measures.  footage, head: (F, M); a row with a NaN is left out.
        least_range: (M,) a measure whose 5th to 95th percentile in the footage is less is left out.
    """
    seen = np.isfinite(footage).all(axis=1) & np.isfinite(head).all(axis=1)
    if seen.sum() < 2:
        return MeasureAgreement((), np.zeros(0), np.zeros(0), np.zeros(0), int(seen.sum()))
    a, b = footage[seen], head[seen]
    span = np.percentile(a, 95, axis=0) - np.percentile(a, 5, axis=0)
    a, b = a - np.median(a, axis=0), b - np.median(b, axis=0)
    gain = (a * b).sum(axis=0) / np.maximum((a * a).sum(axis=0), 1e-12)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    correlation = (a * b).sum(axis=0) / np.maximum(np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0)), 1e-12)
    moves = span > least_range
    chosen = tuple(name for name, moving in zip(names, moves, strict=True) if moving)
    return MeasureAgreement(chosen, correlation[moves], gain[moves], span[moves], int(seen.sum()))


def measure_difference(footage: F64, head: F64) -> F64:
    """How differently footage and head look in each row: the largest difference of any measure, in its own noise.

    Args:
        footage, head: (F, 15) of `measure_faces`.
    Returns:
        (F,), of the changes from each side's median; NaN where either has no face.
    """
    change = [side - np.nanmedian(side, axis=0) for side in (footage, head)]
    return (np.abs(change[1] - change[0]) / _NOISE).max(axis=1)
