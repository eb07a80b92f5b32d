"""What the fit makes of corrections: landmarks that are trusted where they were put, weights that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64
from ..errors import FacecapError
from ..landmarks.layout import layout_of
from ..landmarks.observations import Observations
from ..rig.channels import columns_by_name, region_of
from ..takes.actor import ChannelGain
from ..takes.corrections import Correction, active, by_channel, fade, nearest_time_s
from .energies.appearance import WeightObservation
from .energies.energy import Energy
from .energies.expression_prior import ExpressionPrior, find_expectation
from .energies.landmark_terms import LandmarkTerms
from .least_squares.normal_equations import POSE, Geometry

TRUST = 400.0
"""How many times what is seen a landmark counts that was put in its place by hand."""
HARD = 1.0e6
"""Inverse variance of a weight that was said to be so: a thousandth."""
_SURE, _RAMP = 0.5, 0.25
_SAME = 5.0
"""Inverse variance of a weight's change by a correction: many small changes are likelier than a large one elsewhere."""
# A key may follow a correction if it moves a landmark that was put in its place by this part of what it moves any.
_FOLLOWS, _LEAST_REACH_M, _PUT = 0.6, 1e-3, 0.5


@dataclass(frozen=True)
class Moved:
    """Landmarks as they were corrected.

    Attributes:
        observations: with moved landmarks; those are seen surely.
        share: (F, L) float32 in 0..1, how far each is taken from a correction.
    """

    observations: Observations
    share: F32

    @property
    def trust(self) -> F32:
        """(F, L) float32, factor on the confidence in each landmark."""
        return 1 + np.float32(TRUST) * self.share

    @property
    def ramp(self) -> F64:
        """(F,) in 0..1, how far a frame is what is solved with them, for what it was without."""
        return np.minimum(1.0, self.share.max(1) / _RAMP).astype(np.float64)

    @property
    def rows(self) -> NDArray[np.bool_]:
        """(F,) bool, frames on which a landmark is moved."""
        return self.share.any(1)


def move_landmarks(observations: Observations, corrections: Sequence[Correction]) -> Moved | None:
    """Landmarks where corrections put them; None if none is moved.

    Raises FacecapError if corrections are of another landmark scheme.
    """
    moving = [one for one in active(corrections) if len(one.landmarks)]
    if not moving or observations.frame_count == 0:
        return None
    frames, count = observations.confidence.shape
    for one in moving:
        if one.scheme != observations.scheme or one.landmarks[-1] >= count:
            raise FacecapError(
                f"The corrections are of {one.scheme or 'unknown'} landmarks, the footage has {observations.scheme}.",
                "Use the landmark network they were made with, or mute them.",
            )
    time_s = observations.time_s
    found: dict[int, dict[float, tuple[float, float, F64]]] = {}
    for one in moving:
        at_s = nearest_time_s(time_s, one.time_s)
        # What only followed a drag from afar was not put in its place.
        way = np.linalg.norm(one.offsets_px, axis=1)
        sure = np.minimum(1.0, way / max(_SURE * float(way.max()), 1e-9))
        for landmark, trust, offset in zip(one.landmarks.tolist(), sure.tolist(), one.offsets_px, strict=True):
            found.setdefault(landmark, {})[at_s] = one.reach_s, trust, offset
    landmarks_px = np.array(observations.landmarks_px, np.float32)
    share = np.zeros((frames, count), np.float32)
    for landmark, each in found.items():
        reach_s, sure = np.array([(reach, trust) for reach, trust, _ in each.values()]).T
        shares = fade(np.array(list(each)), reach_s, time_s)
        landmarks_px[:, landmark] += shares.T @ np.array([offset for _, _, offset in each.values()])
        share[:, landmark] = (sure @ shares).clip(0, 1)
    confidence = np.maximum(observations.confidence, share)
    return Moved(replace(observations, landmarks_px=landmarks_px, confidence=confidence), share)


def use_landmarks(
    energy: Energy,
    moved: Moved,
    geometry: Geometry,
    solved: F64,
    channels: tuple[str, ...],
    prior: ExpressionPrior | None,
    neutral: F64 | None,
) -> Energy:
    """The energy with moved landmarks, and with what is expected and seen of a face that has them.

    Only keys that move corrected landmarks are free, on frames on which there are some: a brow that is put right
    changes no lip, nor does the head turn, nor is anything called an error of the network any more.

    Args:
        geometry: of the used landmarks.  channels: (K,).
        solved: (N, K + B) weights as they were solved without: what need not change stays near them.
        prior, neutral: what `energy`'s expectation is from, and (3 M,) the actor's neutral face; or None.
    """
    seen = replace(energy.seen, observations=moved.observations, trust=moved.trust)
    touched = np.flatnonzero(moved.rows[seen.rows])
    mean = energy.mean
    if prior is not None and neutral is not None and len(touched):
        observations = moved.observations
        expected = find_expectation(
            prior, observations.landmarks_px, observations.depth_px, seen.rows[touched], known=neutral
        )
        mean = mean.copy()
        known = np.flatnonzero(energy.priors.source >= 0)
        answer = expected.weights[:, energy.priors.source[known]]
        mean[np.ix_(touched, known)] = np.clip(answer, energy.low[known], energy.high[known])
    was, precision = energy.pixels.mean.copy(), energy.pixels.precision.copy()
    corrected = _corrected_regions(moved.share[seen.rows], seen.terms)
    for name, columns in columns_by_name(channels).items():
        if region_of(name) in corrected:  # what pixels say disagrees with where the landmarks are now
            precision[:, columns] *= 1 - corrected[region_of(name)][:, None]
    held = np.ones_like(energy.held)
    reach = np.linalg.norm(geometry.deltas[:, : geometry.landmark_count, : len(channels)], axis=0)
    follows = reach > np.maximum(_FOLLOWS * reach.max(0), _LEAST_REACH_M)
    share = moved.share[np.ix_(seen.rows[touched], seen.terms.used)]
    put = share > _PUT * share.max(1, keepdims=True, initial=1e-9)
    # The outline slides over the skin: what moves it is not what is meant, unless nothing else was put in its place.
    inside = put & ~np.isin(seen.terms.used, layout_of(seen.observations.scheme).outline)
    follow = np.where(inside.any(1)[:, None], inside, put) @ follows
    irises = np.concatenate([np.zeros(0, np.intp), *(np.array(iris, np.intp) for iris in seen.terms.irises)])
    for name, columns in columns_by_name(channels).items():
        if name.startswith("eyeLook"):  # lids follow the gaze, not the gaze the lids
            follow[:, columns] &= put[:, irises].any(1)[:, None]
    held[touched, POSE : POSE + len(channels)] = ~follow
    known = slice(0, len(channels))
    total = precision[touched, known] + _SAME
    was[touched, known] = (precision[touched, known] * was[touched, known] + _SAME * solved[touched, known]) / total
    precision[touched, known] = total
    return replace(energy, seen=seen, mean=mean, pixels=WeightObservation(was, precision), held=held)


def _corrected_regions(share: F32, terms: LandmarkTerms) -> dict[str, F64]:
    """By region (N,) in 0..1, how far a landmark of it is corrected, from (N, L)."""
    return {
        region: share[:, terms.used[members]].max(1, initial=0.0).astype(np.float64)
        for region, members in terms.regions.items()
    }


def use_poses(
    energy: Energy,
    corrections: Sequence[Correction],
    solved: F64,
    channels: tuple[str, ...],
    gains: Mapping[str, ChannelGain],
) -> Energy:
    """The energy with weights that are known from corrected poses.

    Args:
        solved: (N, K + B) weights as they were solved without.  channels: (K,).
        gains: by ARKit name, what becomes of weights after the fit: a pose is what they end as.
    """
    time_s = energy.seen.time_s
    mean, precision = energy.pixels.mean.copy(), energy.pixels.precision.copy()
    gain_of = {k: one for name, one in gains.items() for k in columns_by_name(channels).get(name, ()) if one.gain > 0}
    for name, (at_s, reach_s, wanted) in by_channel(corrections, energy.seen.observations.time_s).items():
        if name not in channels:
            continue
        k = channels.index(name)
        if k in gain_of:
            wanted = np.where(wanted > 0, wanted / gain_of[k].gain + gain_of[k].offset, wanted)
        wanted = np.clip(wanted, energy.low[k], energy.high[k])
        shares = fade(at_s, reach_s, time_s)
        target = solved[:, k] + (wanted - np.interp(at_s, time_s, solved[:, k])) @ shares
        share = shares.sum(0).clip(0, 1)
        hard, soft = HARD * share**2, precision[:, k] * (1 - share)
        total = np.maximum(hard + soft, 1e-12)
        mean[:, k] = np.where(share > 0, (hard * target + soft * mean[:, k]) / total, mean[:, k])
        precision[:, k] = np.where(share > 0, hard + soft, precision[:, k])
    return replace(energy, pixels=WeightObservation(mean, precision))
