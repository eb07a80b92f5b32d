"""The frames of some footage that show a face, as the fit wants them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, F64
from ...errors import FacecapError, NoFaceError
from ...landmarks.observations import Observations
from ...landmarks.protocol import PRESENCE_THRESHOLD
from ..initial_pose import FOCAL_GUESS
from .contact import CONTACT, measure_closedness, shut_degree
from .landmark_terms import LID_GROUPS, LIPS, SPANS, LandmarkTerms
from .view_bias import ViewBias

_NEAR_FRAMES = 2
# Spans of a head that is turned this far count half: what the network makes of them changes as it turns.
_TURNED = 0.06


@dataclass(frozen=True)
class VisibleFrames:
    """Frames that show a face. Landmarks are read as they are asked for: footage may be long.

    Attributes:
        observations: of all frames.  valid: (L,) bool, landmarks that the character has.  terms: how far to trust them.
        rows: (N,) int, rows of these frames among all observed ones.
        time_s: (N,) float64.
        ahead: (2,) float64, `nose` of a head that looks where it mostly does; None: the median of these frames.
        view_bias: what the network sees of the character only because it is turned; None: nothing is known of it.
        trust: (F, L) float32, factor on the confidence in each landmark of all frames; None: 1.
    """

    observations: Observations
    valid: NDArray[np.bool_]
    terms: LandmarkTerms
    rows: NDArray[np.intp]
    time_s: F64
    ahead: F64 | None = None
    view_bias: ViewBias | None = None
    trust: F32 | None = None

    def landmarks(self, frames: slice | NDArray[np.intp]) -> tuple[F64, F64, F64]:
        """Used landmarks of some of the seen frames, and how far they are trusted.

        Args:
            frames: which, counted among the seen ones.
        Returns:
            (n, M, 2) float64 px from the principal point, without the view's bias; (n, M + G) float64, 1/mm^2, of
            landmarks and gaps; (n, G) float64 in 0..1, how surely lids are seen shut.
        """
        terms, at = self.terms, np.ix_(self.rows[frames], self.terms.used)
        width, height = self.observations.image_size
        landmarks_px = self.observations.landmarks_px[at].astype(np.float64)
        confidence = self.observations.confidence[at].astype(np.float64) * self.valid[terms.used]
        if self.trust is not None:
            confidence *= self.trust[at]
        gaps = np.minimum(confidence[:, terms.gap_upper], confidence[:, terms.gap_lower]) * terms.gap_weight
        closed = measure_closedness(terms, landmarks_px)
        weight = np.concatenate([confidence * terms.weight, gaps * (1 + CONTACT * closed)], axis=1)
        _hide_shut_eyes(weight, closed, terms)
        # Where an iris lies between the corners of its eye is hardly changed by a turn of the head.
        spans = np.setdiff1d(np.flatnonzero(terms.gap_group == SPANS), np.concatenate(terms.iris_spans))
        weight[:, len(terms.used) + spans] /= 1 + (self._turn(frames)[:, None] / _TURNED) ** 2
        centred_px = landmarks_px - np.array([(width - 1) / 2, (height - 1) / 2])
        if self.view_bias is not None:
            away_px = self.view_bias.away_px(centred_px, FOCAL_GUESS * max(width, height))
            _keep_closed(away_px, closed, terms)
            centred_px -= away_px
        return centred_px, weight, shut_degree(terms, closed)

    def _turn(self, frames: slice | NDArray[np.intp]) -> F64:
        """(n,) how far the head is turned from where it mostly looks: about the sine of the angle, halved."""
        ahead = np.median(self.nose, axis=0) if self.ahead is None else self.ahead
        return np.linalg.norm(self.nose[frames] - ahead, axis=1)

    @cached_property
    def nose(self) -> F64:
        """(N, 2) the nose between and below the outer corners of the eyes, in their distance."""
        terms, px = self.terms, self.observations.landmarks_px
        right, left = (px[self.rows, terms.used[corners[0]]].astype(np.float64) for corners in terms.eye_corners)
        nose = px[np.ix_(self.rows, terms.used[terms.regions["nose"]])].astype(np.float64).mean(axis=1)
        along, from_middle = left - right, nose - (left + right) / 2
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        return np.stack([(from_middle * axis).sum(1) for axis in (along, across)], 1) / (along**2).sum(1)[:, None]


def _keep_closed(away_px: F64, closed: F64, terms: LandmarkTerms) -> None:
    """Move both lips, and both lids, alike (n, M, 2) where they are closed (n, G): from any side they touch."""
    touching = np.flatnonzero(np.isin(terms.gap_group, (LIPS, *LID_GROUPS)))
    upper, lower = terms.gap_upper[touching], terms.gap_lower[touching]
    apart = 0.5 * closed[:, touching, None] * (away_px[:, upper] - away_px[:, lower])
    away_px[:, upper] -= apart
    away_px[:, lower] += apart


def _hide_shut_eyes(weight: F64, closed: F64, terms: LandmarkTerms) -> None:
    """Take weight (n, M + G) away where lids are closed (n, G): of irises, of spans to them, and of spans to the lids.

    How far shut lids move is the character's affair.
    """
    spans_of = (np.concatenate(pair) for pair in zip(terms.iris_spans, terms.lid_spans, strict=True))
    for group, iris, spans in zip(LID_GROUPS, terms.irises, spans_of, strict=True):
        lids = terms.gap_group == group
        if lids.any():
            weight[:, [*iris, *(len(terms.used) + spans)]] *= 1 - closed[:, lids].max(1, keepdims=True)


def find_visible_frames(observations: Observations, valid: NDArray[np.bool_], terms: LandmarkTerms) -> VisibleFrames:
    """Pick the frames with a face.

    Args:
        valid: (L,) landmarks that the character has.
    Raises:
        NoFaceError: there is none.
    """
    finite = np.isfinite(observations.landmarks_px[:, 0]).all(1)
    rows = np.flatnonzero((observations.presence >= PRESENCE_THRESHOLD) & finite)
    if rows.size == 0:
        raise NoFaceError("No face was found in this footage.", "Check the clip, its trim range and its rotation.")
    return VisibleFrames(observations, valid, terms, rows, observations.time_s[rows].astype(np.float64))


def find_named_neutral(
    observations: Observations, seen: VisibleFrames, neutral_frame: int | None
) -> NDArray[np.intp] | None:
    """(1,) the seen frame that the user calls neutral, or None. Raises FacecapError if it is not there."""
    if neutral_frame is None:
        return None
    frames = observations.frame_index[seen.rows]
    nearest = int(np.argmin(np.abs(frames - neutral_frame)))
    if abs(int(frames[nearest]) - neutral_frame) > _NEAR_FRAMES:
        raise FacecapError(
            f"The neutral frame {neutral_frame} of the footage shows no face or lies outside the solved range.",
            "Name a frame with a relaxed face inside the range, or leave it to FaceCap.",
        )
    return np.array([nearest], np.intp)
