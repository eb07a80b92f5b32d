"""What is constant over a take: the camera's focal length and the actor's landmark offsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .landmark_terms import LandmarkTerms
from .minimise import Terms, minimise, robust_factor
from .model import Geometry, State, make_geometry, residuals_mm
from .offsets import estimate_offsets, offset_covariance
from .pose import weak_perspective_pose

F64 = NDArray[np.float64]

FRAMES = 160
_ROUNDS = 4
_ITERATIONS = 3
FOCAL_GUESS = 1.3
"""Focal length over the picture's longer side, as of a phone or a webcam at portrait distance."""
_FOCAL_SPREAD = 0.45
_FOCAL_TRIALS = (0.8, 1.3, 2.1)


@dataclass(frozen=True)
class Calibration:
    """Constants of a take.

    Attributes:
        focal_px: focal length.
        geometry: the character's landmarks with the actor's offsets.
        offsets: (L, 3) float64 m, head space.
        energy: energy per calibration frame, to compare focal lengths.
        state: pose and weights of the calibration frames.
    """

    focal_px: float
    geometry: Geometry
    offsets: F64
    energy: float
    state: State


def first_state(geometry: Geometry, observed: F64, weight: F64, mean: F64) -> State:
    """A start from the rigid landmarks: pose in closed form, weights as expected.

    Args:
        observed: (F, L, 2) normalised.  weight: (L,) who takes part.  mean: (F, K).
    """
    rotation, translation = weak_perspective_pose(geometry.rest.astype(np.float64), observed, weight)
    return State(rotation, translation, mean.copy())


def calibration_frames(count: int, activity: F64 | None) -> NDArray[np.intp]:
    """Frames to calibrate on: spread over the take, the calm half of each stretch where activity is known."""
    if count <= FRAMES:
        return np.arange(count)
    edges = np.linspace(0, count, FRAMES + 1).astype(np.intp)
    if activity is None:
        return edges[:-1]
    return np.array([a + int(np.argmin(activity[a:b])) for a, b in zip(edges[:-1], edges[1:], strict=True)], np.intp)


def calibrate(
    geometry: Geometry,
    landmark_terms: LandmarkTerms,
    terms: Terms,
    centred_px: F64,
    focal_px: float,
    *,
    adapt: bool,
    on_iteration: Callable[[], None] | None = None,
) -> Calibration:
    """Alternate pose and weights with the actor's offsets on the calibration frames, at one focal length.

    Args:
        geometry: the character's own landmarks.
        terms: energy of the calibration frames; `observed` is replaced, smoothing in time is not used.
        centred_px: (F, L, 2) float64, pixels from the principal point.
        focal_px: focal length to assume.  adapt: whether offsets are estimated.
    """
    observed = centred_px / focal_px
    terms = replace(terms, observed=observed, smooth=np.zeros_like(terms.smooth))
    rest = geometry.rest.astype(np.float64)
    offsets = np.zeros_like(rest)
    state = first_state(geometry, observed, landmark_terms.rigid.astype(np.float64), terms.prior_mean)
    state = minimise(geometry, state, terms, _ITERATIONS + 2, on_iteration)
    if adapt:
        spread = _offset_spread(geometry, state, terms)
        covariance = offset_covariance(rest, spread, 0.3 * spread)
        for _ in range(_ROUNDS):
            weight = _robust(geometry, state, terms)
            offsets = estimate_offsets(geometry, offsets, state, observed, weight, covariance)
            geometry = replace(geometry, rest=(rest + offsets).astype(np.float32))
            state = minimise(geometry, state, terms, _ITERATIONS, on_iteration)
    depth = state.translation[:, 2]
    residual = residuals_mm(geometry, state, observed, depth)
    # Geman-McClure's own loss, so that focal lengths are compared fairly
    squared = (residual**2).sum(-1)
    energy = float((terms.weight * squared / (1 + squared / terms.robust_mm**2)).sum(1).mean())
    return Calibration(focal_px, geometry, offsets, energy, state)


def estimate_focal(try_focal: Callable[[float], Calibration], longer_side_px: int) -> Calibration:
    """The focal length that explains the calibration frames best, held near that of an ordinary camera.

    Three focal lengths are tried; a parabola through energy over log focal length gives the answer.
    """
    trials = [try_focal(f * longer_side_px) for f in _FOCAL_TRIALS]
    logs = np.log(np.array(_FOCAL_TRIALS))
    cost = np.array([t.energy for t in trials]) + ((logs - np.log(FOCAL_GUESS)) / _FOCAL_SPREAD) ** 2
    a, b, _ = np.polyfit(logs, cost, 2)
    best = np.clip(-b / (2 * a), logs[0], logs[-1]) if a > 0 else logs[int(np.argmin(cost))]
    return try_focal(float(np.exp(best)) * longer_side_px)


def _robust(geometry: Geometry, state: State, terms: Terms) -> F64:
    residual = residuals_mm(geometry, state, terms.observed, state.translation[:, 2])
    landmarks = geometry.landmark_count
    return (terms.weight * robust_factor(residual, terms.robust_mm))[:, :landmarks]


def _offset_spread(geometry: Geometry, state: State, terms: Terms) -> float:
    """How far this actor's landmarks may lie from the character's, m: as far as the residuals say, no further."""
    residual = residuals_mm(geometry, state, terms.observed, state.translation[:, 2])[:, : geometry.landmark_count]
    seen = terms.weight[:, : geometry.landmark_count] > 0
    steady = np.median(residual, axis=0)  # (L, 2): what is always there is the actor, not the expression
    typical = float(np.sqrt((steady**2)[seen.any(0)].mean()))
    return float(np.clip(typical, 0.3, 8.0)) * 1e-3


def geometry_of(
    neutral: NDArray[np.float32], deltas: NDArray[np.float32], terms: LandmarkTerms
) -> Geometry:
    """Fit geometry from landmarks on the mesh: neutral (L, 3) m and deltas (K, L, 3) m, head space."""
    return make_geometry(
        neutral.astype(np.float32),
        np.ascontiguousarray(deltas.transpose(1, 2, 0)).astype(np.float32),
        terms.gap_upper,
        terms.gap_lower,
    )
