"""What is constant over a take: the camera's focal length and the actor's landmark offsets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from .actor_offsets import estimate_offsets, offset_covariance
from .energies.landmark_terms import LIPS, SPANS, LandmarkTerms
from .initial_pose import FOCAL_GUESS, weak_perspective_pose
from .least_squares.levenberg_marquardt import THREADS, Terms, minimise_frames, robust_factor, robust_loss
from .least_squares.normal_equations import Geometry, State, residuals_mm
from .rest_spans import fit_rest_spans, keep_eyes_ahead

FRAMES = 40
"""Frames a take's constants are estimated on."""
_FOCAL_SPREAD = 0.45
_FOCAL_TRIALS = (0.8, 1.3, 2.1)
_FIRST_ITERATIONS, _ITERATIONS = 2, 1
_TRIAL_ROUNDS, _ROUNDS = 1, 2
# Of what is always left over, the rest is the network's own bias.
_ACTOR_SHARE = 0.5


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


def first_state(geometry: Geometry, rigid: NDArray[np.bool_], observed: F64, mean: F64) -> State:
    """A start from the rigid landmarks: pose in closed form, weights as expected.

    Args:
        rigid: (L,) who takes part.  observed: (F, L, 2) normalised.  mean: (F, K).
    """
    rotation, translation = weak_perspective_pose(geometry.points, observed, rigid.astype(np.float64))
    return State(rotation, translation, mean.copy())


def calibration_frames(count: int, activity: F64 | None) -> NDArray[np.intp]:
    """Frames to calibrate on: one of each of FRAMES stretches of the take, the calmest where activity is known."""
    if count <= FRAMES:
        return np.arange(count)
    edges = np.linspace(0, count, FRAMES + 1).astype(np.intp)
    if activity is None:
        return edges[:-1]
    return np.array([a + int(np.argmin(activity[a:b])) for a, b in pairwise(edges)], np.intp)


def calibrate(
    geometry: Geometry,
    landmarks: LandmarkTerms,
    terms: Terms,
    focal_px: float | None,
    guess_px: float,
    *,
    adapt: bool,
    on_iteration: Callable[[], None] | None = None,
) -> Calibration:
    """Find the constants of a take on its calibration frames.

    Three focal lengths are tried; a parabola through energy over log focal length, held near that of an ordinary
    camera, gives the answer. Spans are no part of that: how long they are at rest is what the rest says of them.

    Args:
        geometry: the character's own landmarks.  landmarks: what they are.
        terms: energy of the calibration frames; `observed` in pixels from the principal point.
        focal_px: focal length if it is known.  guess_px: an ordinary camera's focal length for this picture.
        adapt: whether offsets are estimated.
    """
    spans = landmarks.gap_group == SPANS
    weight = terms.weight.copy()
    weight[:, geometry.landmark_count :][:, spans] = 0.0
    found = _calibrate_camera(
        geometry, landmarks, replace(terms, weight=weight), focal_px, guess_px, adapt=adapt, on_iteration=on_iteration
    )
    with_spans = fit_rest_spans(found.geometry, found.state, terms.observed / found.focal_px, spans)
    if adapt:
        with_spans = keep_eyes_ahead(with_spans, landmarks, terms.observed)
    return replace(found, geometry=with_spans)


def _calibrate_camera(
    geometry: Geometry,
    landmarks: LandmarkTerms,
    terms: Terms,
    focal_px: float | None,
    guess_px: float,
    *,
    adapt: bool,
    on_iteration: Callable[[], None] | None,
) -> Calibration:
    def at(focal: float, rounds: int, start: Calibration | None = None) -> Calibration:
        return _at_focal(geometry, landmarks, terms, focal, rounds if adapt else 0, start, on_iteration)

    if focal_px is not None:
        return at(focal_px, _TRIAL_ROUNDS + _ROUNDS)

    def attempt(factor: float) -> Calibration:
        return at(factor / FOCAL_GUESS * guess_px, _TRIAL_ROUNDS)

    with ThreadPoolExecutor(THREADS) as pool:
        trials = list(pool.map(attempt, _FOCAL_TRIALS))
    logs = np.log(_FOCAL_TRIALS)
    cost = np.array([t.energy for t in trials]) + ((logs - np.log(FOCAL_GUESS)) / _FOCAL_SPREAD) ** 2
    curve, slope, _ = np.polyfit(logs, cost, 2)
    best = np.clip(-slope / (2 * curve), logs[0], logs[-1]) if curve > 0 else logs[int(np.argmin(cost))]
    nearest = trials[int(np.argmin(np.abs(logs - best)))]
    return at(float(np.exp(best)) / FOCAL_GUESS * guess_px, _ROUNDS, nearest)


def _at_focal(
    geometry: Geometry,
    landmarks: LandmarkTerms,
    terms: Terms,
    focal_px: float,
    rounds: int,
    start: Calibration | None,
    on_iteration: Callable[[], None] | None,
) -> Calibration:
    """Alternate pose and weights with the actor's offsets, at one focal length."""
    terms = replace(terms, observed=terms.observed / focal_px)
    rest = geometry.points
    count = geometry.landmark_count
    if start is None:
        offsets = np.zeros_like(rest)
        state = first_state(geometry, landmarks.rigid, terms.observed, terms.prior_mean)
        state, _ = minimise_frames(geometry, state, terms, _FIRST_ITERATIONS, on_iteration)
    else:
        offsets, geometry = start.offsets, start.geometry
        state = start.state.part(slice(None))
        state.translation[:, 2] *= focal_px / start.focal_px
        state, _ = minimise_frames(geometry, state, terms, _ITERATIONS, on_iteration)
    if rounds:
        spread = _offset_spread(geometry, state, terms, offsets)
        covariance = offset_covariance(rest, spread, 0.3 * spread)
        for _ in range(rounds):
            residual = residuals_mm(geometry, state, terms.observed, state.translation[:, 2])
            weight = (terms.weight * robust_factor(residual, terms.robust_mm))[:, :count]
            offsets = estimate_offsets(geometry, offsets, state, terms.observed, weight, covariance)
            keep_lips_together(offsets, landmarks)
            geometry = geometry.at_rest(rest + offsets)
            state, _ = minimise_frames(geometry, state, terms, _ITERATIONS, on_iteration)
    squared = (residuals_mm(geometry, state, terms.observed, state.translation[:, 2], terms.shut) ** 2).sum(-1)
    energy = float(robust_loss(terms.weight, squared, terms.robust_mm).sum(1).mean())
    return Calibration(focal_px, geometry, offsets, energy, state)


def keep_lips_together(offsets: F64, landmarks: LandmarkTerms) -> None:
    """Give both lips the same offset (in place): whoever's mouth it is, closed lips touch."""
    lips = landmarks.gap_group == LIPS
    upper, lower = landmarks.gap_upper[lips], landmarks.gap_lower[lips]
    offsets[upper] = offsets[lower] = 0.5 * (offsets[upper] + offsets[lower])


def _offset_spread(geometry: Geometry, state: State, terms: Terms, offsets: F64) -> float:
    """How far this actor's landmarks may lie from the character's, m: as far as the residuals say, no further."""
    count = geometry.landmark_count
    residual = residuals_mm(geometry, state, terms.observed, state.translation[:, 2])[:, :count]
    seen = (terms.weight[:, :count] > 0).any(0)
    constant = np.median(residual, axis=0)  # (L, 2): what is always there is the actor, not the expression
    typical = float(np.sqrt((constant**2)[seen].mean() + 1e6 * (offsets**2)[seen].mean()))
    return float(np.clip(_ACTOR_SHARE * typical, 0.3, 8.0)) * 1e-3
