"""Bad frames: stretches of a take that somebody should look at, each with its reason.

Everything is judged from the take alone, against what the take itself usually is and against bounds that no good frame
of clear footage passes. The bounds were set on solves of real clips; `benchmarks.bad_frames` plants faults into
others and counts which are found. What lies before the face, a hand for instance, was looked for in the pixels when the
take was solved (`Take.covered`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import F64
from ...geometry.quaternions import rotation_of
from ...rig.channels import arkit_name
from ..landmark_layout import layout_of_take
from ..take import Take, find_runs, usual_step_s
from .average_error import eye_distance_px

NO_FACE, PROFILE, COVERED, UNCLEAR = "no face", "profile", "covered", "unclear"
FAST, MISFIT, JUMP = "fast", "misfit", "jump"
REASONS = {
    NO_FACE: "No face",
    PROFILE: "Seen from the side",
    COVERED: "Something before the face (hand, hair …)",
    UNCLEAR: "Uncertain",
    FAST: "Fast, perhaps blurred",
    MISFIT: "Does not fit the footage",
    JUMP: "Jumps",
}
"""What a reason is called in front of people; the first that holds is a frame's."""

PROFILE_RAD = np.radians(45.0)
UNCLEAR_OF_USUAL = 0.55
"""A region whose confidence is this share of its usual one is unclear."""
COVERED_SHARE = 0.5
"""A region of which this share of landmarks is covered."""
FAST_PER_S = 3.0
"""Distances of the outer eye corners per second: at a shutter of 1/50 s the face is smeared by 5 mm."""
MISFIT_OF_EYES, MISFIT_OF_USUAL = 0.035, 2.0
"""Residual as a share of the eye distance, and against the take's own median: both have to be passed."""
JUMP_OF_WEIGHT, JUMP_OF_EYES = 0.5, 0.06
"""How far a weight, or the face in the picture, may be from the mean of its neighbours."""
LEAST_USUAL = 0.35
"""The usual confidence of a region that is good."""
_LIDS = ("eyeBlink", "eyeSquint", "eyeWide", "eyeLook")
_STEP_S = 1 / 25
_BRIDGED_S = 0.1


@dataclass(frozen=True)
class BadStretch:
    """Neighbouring frames that are bad for one reason.

    Attributes:
        first, last: rows of the take, both bad.  reason: a key of REASONS.
        regions: the regions it concerns; empty where it is the whole face.
        severity: 0 to 1, 0 is just beyond the bound.
    """

    first: int
    last: int
    reason: str
    regions: tuple[str, ...] = ()
    severity: float = 1.0

    @property
    def text(self) -> str:
        """The reason as it is told: "Uncertain: mouth, jaw"."""
        return REASONS[self.reason] + (f": {', '.join(self.regions)}" if self.regions else "")


def find_bad_stretches(take: Take) -> tuple[BadStretch, ...]:
    """Stretches of a take that somebody should look at, in order; each frame belongs to one of them or to none."""
    if take.frame_count == 0:
        return ()
    unclear = _find_unclear(take)
    share = {
        NO_FACE: np.where(take.solved, 0.0, np.inf),
        PROFILE: _angle_to_camera(take) / PROFILE_RAD,
        COVERED: take.covered.max(1, initial=0.0) / COVERED_SHARE,
        UNCLEAR: unclear.max(1, initial=0.0),
        FAST: _speed_in_picture(take) / FAST_PER_S,
        MISFIT: _misfit(take),
        JUMP: _jump(take),
    }
    reason = np.full(take.frame_count, "", object)
    for name in reversed(REASONS):
        reason[share[name] > 1.0] = name
    gap = max(1, round(_BRIDGED_S / (usual_step_s(take.time_s) or _STEP_S)))
    stretches = []
    for name in REASONS:
        for first, last in _bridge(find_runs(reason == name), gap):
            worst = float(share[name][first : last + 1].max())
            regions: tuple[str, ...] = ()
            if name in (UNCLEAR, COVERED):
                of_regions = unclear if name == UNCLEAR else take.covered / COVERED_SHARE
                shown = of_regions[first : last + 1].max(0) > 1.0
                regions = () if shown.all() else tuple(np.array(take.regions)[shown].tolist())
            stretches.append(BadStretch(first, last, name, regions, float(np.clip(worst - 1.0, 0.0, 1.0))))
    return tuple(sorted(stretches, key=lambda one: (one.first, one.last)))


def _bridge(runs: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Runs with no more than `gap` frames between them are one."""
    out: list[tuple[int, int]] = []
    for first, last in runs:
        if out and first - out[-1][1] - 1 <= gap:
            out[-1] = (out[-1][0], last)
        else:
            out.append((first, last))
    return out


def _find_unclear(take: Take) -> F64:
    """(F, R): above 1 where a region's confidence is far below its usual one."""
    if not take.solved.any() or not take.regions:
        return np.zeros((take.frame_count, max(1, len(take.regions))))
    confidence = np.maximum(take.confidence.astype(np.float64), 1e-6)
    usual = np.median(confidence[take.solved], axis=0)
    return np.where(take.solved[:, None], np.minimum(UNCLEAR_OF_USUAL * usual / confidence, 10.0), 0.0)


def _angle_to_camera(take: Take) -> F64:
    """(F,) rad between where the face looks and the way to the camera."""
    looks = rotation_of(take.head_rotation_wxyz.astype(np.float64)).apply([0.0, -1.0, 0.0])
    place = take.head_translation_m.astype(np.float64)
    away = np.linalg.norm(place, axis=1)
    known = take.solved & (away > 0.0)  # what was not filmed may have no place
    towards = -(looks * place).sum(1) / np.where(known, away, 1.0)
    return np.where(known, np.arccos(np.clip(towards, -1.0, 1.0)), 0.0)


def _place_in_picture(take: Take) -> F64 | None:
    """(F, 2) where the face is, from its eye corners and nose, in its largest eye distance; None if unknown."""
    layout, size = layout_of_take(take), eye_distance_px(take)
    if layout is None or size <= 0:
        return None
    corners = layout.upper_lid_right[0], layout.upper_lid_left[0], layout.nose[0]
    return take.landmarks_px[:, list(corners)].astype(np.float64).mean(1) / size


def _speed_in_picture(take: Take) -> F64:
    """(F,) eye distances per second, the slower of the ways from the frame before and to the next one."""
    place, out = _place_in_picture(take), np.zeros(take.frame_count)
    if place is None or len(place) < 2:
        return out
    step = np.maximum(np.diff(take.time_s), 1e-6)
    speed = np.nan_to_num(np.linalg.norm(np.diff(place, axis=0), axis=1) / step)
    return np.minimum(np.concatenate([speed[:1], speed]), np.concatenate([speed, speed[-1:]]))


def _misfit(take: Take) -> F64:
    """(F,): above 1 where the solved face is far from the landmarks, for this take and at all."""
    residual, size = np.nan_to_num(take.residual_px.astype(np.float64)), eye_distance_px(take)
    if size <= 0 or not residual.any():
        return np.zeros(take.frame_count)
    usual = float(np.median(residual[residual > 0]))
    return residual / max(MISFIT_OF_EYES * size, MISFIT_OF_USUAL * usual)


def _jump(take: Take) -> F64:
    """(F,): above 1 where a weight, or the face in the picture, leaves its neighbours for one frame."""
    out = np.zeros(take.frame_count)
    if take.frame_count < 3:
        return out
    solid = take.solved[1:-1] & take.solved[2:] & take.solved[:-2]
    even = np.abs(take.time_s[2:] - take.time_s[:-2]) < 4 * _STEP_S
    kept = [not (arkit_name(name) or name).startswith(_LIDS) for name in take.channels]
    weights = take.weights[:, kept].astype(np.float64)
    spike = np.abs(weights[1:-1] - (weights[2:] + weights[:-2]) / 2).max(1, initial=0.0) / JUMP_OF_WEIGHT
    place = _place_in_picture(take)
    if place is not None:
        off = np.linalg.norm(place[1:-1] - (place[2:] + place[:-2]) / 2, axis=1)
        spike = np.maximum(spike, np.nan_to_num(off) / JUMP_OF_EYES)
    out[1:-1] = np.where(solid & even, spike, 0.0)
    return out


def relative_confidence(take: Take) -> F64:
    """(F, R) 0..1: each region's confidence against its usual one; 0 in frames without a face.

    Regions differ in how well landmarks explain them at all, the jaw least; what an animator wants to see is where one
    is worse than it could be. A region that is never good stays below 1 throughout.
    """
    if not take.solved.any():
        return np.zeros((take.frame_count, len(take.regions)))
    usual = np.maximum(np.median(take.confidence[take.solved].astype(np.float64), axis=0), LEAST_USUAL)
    return np.where(take.solved[:, None], np.clip(take.confidence / usual, 0.0, 1.0), 0.0)
