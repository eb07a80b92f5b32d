"""The landmark fit: observations and a character in, a Take out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import FacecapError, NoFaceError
from ..landmarks.observations import Observations
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name, region_of
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..rig.rehearsal import Rehearsal
from ..takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take
from .calibrate import FOCAL_GUESS, Calibration, calibrate, calibration_frames, first_state
from .channel_priors import ChannelPriors, channel_priors, prior_mean
from .confidence import region_confidence
from .gaze import gaze_angles
from .landmark_terms import LandmarkTerms, terms_for, with_errors
from .minimise import Terms, minimise, minimise_frames
from .model import MM, Geometry, State, make_geometry, residuals_mm
from .prior import MODEL_PATH, Expectation, aligned_shape, find_expectation, load_prior
from .settings import FitSettings

F64 = NDArray[np.float64]
OnProgress = Callable[[int, int], None]

ROBUST_MM = 6.0
FRAME_ITERATIONS, TIME_ITERATIONS = 4, 2
STRETCH = 384
OVERLAP = 24
MIN_PRESENCE = 0.5
HABIT_SCALE, HABIT_LIMIT, HABIT_SMOOTH = 1.5, 4.0, 1.0
OBSERVED_MM = 0.4
"""A key that moves no landmark by this much cannot be seen in the landmarks."""


@dataclass(frozen=True)
class _Footage:
    """Frames that show a face, ready for the fit."""

    rows: NDArray[np.intp]
    time_s: F64
    centred_px: F64
    weight: F64


def solve_take(
    observations: Observations,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    settings: FitSettings,
    *,
    rehearsal: Rehearsal | None = None,
    on_progress: OnProgress | None = None,
) -> Take:
    """Fit head pose and shape-key weights to observed landmarks, all frames together.

    Args:
        observations: landmarks of F frames, of the scheme the embedding was made with.
        rig: the character.  embedding: where the landmarks lie on it.
        settings: see FitSettings.
        rehearsal: what the landmark network sees of the character's keys; absent: the mesh's own geometry.
        on_progress: called with (frames done, frames in all); it may raise CancelledError.
    Returns:
        A Take of F frames; frames without a face are STATUS_MISSING with zero weights.
    Raises:
        NoFaceError: no frame shows a face.  FacecapError: landmark schemes differ, or no key moves a landmark.
    """
    if observations.scheme != embedding.scheme:
        raise FacecapError(
            f"The footage has {observations.scheme} landmarks, the character {embedding.scheme}.",
            "Place the landmarks on the character with the same network.",
        )
    terms = terms_for(observations.scheme)
    neutral, deltas = landmark_geometry(rig, embedding)
    not_observed = channels_not_observed(rig.channels, deltas)
    habits = np.zeros((0, *neutral.shape), np.float32)
    if rehearsal is not None:
        neutral, deltas, habits = rehearsal.rest, rehearsal.deltas, rehearsal.habits * HABIT_SCALE
        terms = with_errors(terms, rehearsal.error_m / embedding.rig_scale)
    used = terms.used
    moving = np.concatenate([deltas, habits])
    geometry = make_geometry(neutral[used], moving[:, used], terms.gap_upper, terms.gap_lower)
    footage = _usable(observations, embedding, terms)
    trained = load_prior() if observations.scheme == "mediapipe-478" and MODEL_PATH.exists() else None
    expectation = _expect(observations, footage, settings) if trained is not None and settings.prior > 0 else None
    priors = channel_priors(
        rig.channels, trained if expectation is not None else None, settings.prior, settings.smoothness
    )
    energy = _with_habits(_terms(rig, priors, footage, expectation, not_observed), len(habits))
    calibration = _calibrate(geometry, terms, energy, footage, expectation, observations, settings, on_progress)
    state = _solve_stretches(calibration, terms, energy, footage, on_progress)
    return _take(observations, rig, calibration, terms, footage, state, energy, not_observed, settings)


def channels_not_observed(channels: tuple[str, ...], deltas: NDArray[np.float32]) -> tuple[str, ...]:
    """Channels that the landmarks cannot show: those that move none of them, and the tongue.

    Args:
        channels: K names.  deltas: (K, L, 3) float32 m, head space.
    """
    reach = np.linalg.norm(deltas, axis=2).max(1) * MM
    return tuple(
        c
        for c, r in zip(channels, reach, strict=True)
        if r < OBSERVED_MM or (arkit_name(c) is not None and region_of(str(arkit_name(c))) == "tongue")
    )


def _usable(observations: Observations, embedding: LandmarkEmbedding, terms: LandmarkTerms) -> _Footage:
    finite = np.isfinite(observations.landmarks_px).all((1, 2))
    rows = np.flatnonzero((observations.presence >= MIN_PRESENCE) & finite)
    if rows.size == 0:
        raise NoFaceError("No face was found in this footage.", "Check the clip, its trim range and its rotation.")
    width, height = observations.image_size
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    confidence = observations.confidence[np.ix_(rows, terms.used)].astype(np.float64) * embedding.valid[terms.used]
    points = confidence * terms.weight
    gaps = np.minimum(confidence[:, terms.gap_upper], confidence[:, terms.gap_lower]) * terms.gap_weight
    return _Footage(
        rows,
        observations.time_s[rows].astype(np.float64),
        observations.landmarks_px[np.ix_(rows, terms.used)].astype(np.float64) - centre,
        np.concatenate([points, gaps], axis=1),
    )


def _expect(observations: Observations, footage: _Footage, settings: FitSettings) -> Expectation:
    prior = load_prior()
    shape, turn = aligned_shape(
        prior, observations.landmarks_px[footage.rows], observations.depth_px[footage.rows]
    )
    return find_expectation(prior, shape, turn, _named_neutral(observations, footage, settings))


def _named_neutral(
    observations: Observations, footage: _Footage, settings: FitSettings
) -> NDArray[np.intp] | None:
    if settings.neutral_frame is None:
        return None
    frames = observations.frame_index[footage.rows]
    nearest = int(np.argmin(np.abs(frames - settings.neutral_frame)))
    if abs(int(frames[nearest]) - settings.neutral_frame) > 2:
        raise FacecapError(
            f"The neutral frame {settings.neutral_frame} shows no face or lies outside the solved range.",
            "Name a frame with a relaxed face inside the range, or leave it to FaceCap.",
        )
    return np.array([nearest], np.intp)


def _terms(
    rig: BlendshapeRig,
    priors: ChannelPriors,
    footage: _Footage,
    expectation: Expectation | None,
    not_observed: tuple[str, ...],
) -> Terms:
    low, high = rig.ranges.astype(np.float64).T.copy()
    for channel in not_observed:
        k = rig.channels.index(channel)
        low[k] = high[k] = 0.0
    expected = expectation.weights if expectation is not None else None
    return Terms(
        observed=footage.centred_px,
        weight=footage.weight,
        robust_mm=ROBUST_MM,
        prior_mean=prior_mean(priors, expected, len(footage.rows), low, high),
        prior_precision=priors.precision,
        sparsity=priors.sparsity,
        opposed=priors.opposed,
        opposed_weight=priors.opposed_weight,
        low=low,
        high=high,
        time_s=footage.time_s,
        smooth=priors.smooth,
    )


def _with_habits(terms: Terms, count: int) -> Terms:
    """Terms with `count` more unknowns per frame: how far the network errs along each of its habits, in deviations."""
    if count == 0:
        return terms
    known = len(terms.low)
    precision = np.eye(known + count)
    precision[:known, :known] = terms.prior_precision
    return replace(
        terms,
        prior_mean=np.pad(terms.prior_mean, ((0, 0), (0, count))),
        prior_precision=precision,
        sparsity=np.pad(terms.sparsity, (0, count)),
        low=np.pad(terms.low, (0, count), constant_values=-HABIT_LIMIT),
        high=np.pad(terms.high, (0, count), constant_values=HABIT_LIMIT),
        smooth=np.pad(terms.smooth, (0, count), constant_values=HABIT_SMOOTH),
    )


def _calibrate(
    geometry: Geometry,
    landmark_terms: LandmarkTerms,
    energy: Terms,
    footage: _Footage,
    expectation: Expectation | None,
    observations: Observations,
    settings: FitSettings,
    on_progress: OnProgress | None,
) -> Calibration:
    named = _named_neutral(observations, footage, settings)
    if named is not None:
        energy.prior_mean[named] = 0.0
    frames = calibration_frames(len(footage.rows), expectation.activity if expectation is not None else None)
    total = len(footage.rows)
    poll = (lambda: on_progress(0, total)) if on_progress is not None else None
    guess = FOCAL_GUESS * max(observations.image_size)
    return calibrate(
        geometry, landmark_terms.rigid, energy.part(frames), settings.focal_px, guess, adapt=settings.adapt, on_iteration=poll
    )


def _solve_stretches(
    calibration: Calibration,
    landmark_terms: LandmarkTerms,
    energy: Terms,
    footage: _Footage,
    on_progress: OnProgress | None,
) -> State:
    """Solve overlapping stretches of frames; memory does not grow with the footage."""
    total, channels = len(footage.rows), energy.prior_mean.shape[1]
    out = State(np.zeros((total, 3, 3)), np.zeros((total, 3)), np.zeros((total, channels)))
    for start in range(0, total, STRETCH):
        stop = min(start + STRETCH, total)
        window = slice(max(start - OVERLAP, 0), min(stop + OVERLAP, total))
        terms = energy.part(window, calibration.focal_px)
        state = first_state(calibration.geometry, landmark_terms.rigid, terms.observed, terms.prior_mean)
        poll = (lambda done=start: on_progress(done, total)) if on_progress is not None else None
        state, _ = minimise_frames(calibration.geometry, state, terms, FRAME_ITERATIONS, poll)
        state = minimise(calibration.geometry, state, terms, TIME_ITERATIONS, poll)
        inner = slice(start - window.start, stop - window.start)
        out.rotation[start:stop] = state.rotation[inner]
        out.translation[start:stop] = state.translation[inner]
        out.weights[start:stop] = state.weights[inner]
    if on_progress is not None:
        on_progress(total, total)
    return out


def _take(
    observations: Observations,
    rig: BlendshapeRig,
    calibration: Calibration,
    landmark_terms: LandmarkTerms,
    footage: _Footage,
    state: State,
    energy: Terms,
    not_observed: tuple[str, ...],
    settings: FitSettings,
) -> Take:
    frames, rows = observations.frame_count, footage.rows
    observed = footage.centred_px / calibration.focal_px
    residual = residuals_mm(calibration.geometry, state, observed, state.translation[:, 2])
    residual = residual[:, : calibration.geometry.landmark_count]
    in_px = residual * (calibration.focal_px / (MM * state.translation[:, 2]))[:, None, None]
    seen = energy.weight[:, : calibration.geometry.landmark_count] > 0
    confidence = region_confidence(
        np.linalg.norm(residual, axis=-1),
        observations.confidence[np.ix_(rows, landmark_terms.used)],
        observations.presence[rows],
        landmark_terms,
    )

    def spread(values: NDArray[np.generic], fill: float) -> NDArray[np.float32]:
        full = np.full((frames, *values.shape[1:]), fill, np.float32)
        full[rows] = values
        return full

    status = np.full(frames, STATUS_MISSING, np.int8)
    status[rows] = STATUS_SOLVED
    quaternion = np.zeros((frames, 4), np.float32)
    quaternion[:, 0] = 1.0
    quaternion[rows] = _continuous(Rotation.from_matrix(state.rotation).as_quat()[:, [3, 0, 1, 2]])
    gaze = gaze_angles(calibration.geometry.points, landmark_terms, state, observed) if settings.gaze else np.zeros((len(rows), 2, 2))
    squared = (in_px**2).sum(-1) * seen
    return Take(
        time_s=observations.time_s,
        channels=rig.channels,
        weights=spread(state.weights[:, : len(rig.channels)], 0.0),
        head_rotation_wxyz=quaternion,
        head_translation_m=spread(state.translation, 0.0),
        gaze_rad=spread(gaze, 0.0),
        confidence=spread(confidence, 0.0),
        regions=REGIONS,
        status=status,
        landmarks_px=observations.landmarks_px,
        residual_px=spread(np.sqrt(squared.sum(1) / np.maximum(seen.sum(1), 1)), np.nan),
        image_size=observations.image_size,
        focal_px=calibration.focal_px,
        not_observed=not_observed,
        provenance={"method": "landmark fit", "landmarks": observations.model_version, "character": rig.name},
    )


def _continuous(quaternion: F64) -> F64:
    """Quaternions with signs chosen so that neighbours are close (a quaternion and its negative turn alike)."""
    flips = np.cumprod(np.where((quaternion[1:] * quaternion[:-1]).sum(1) < 0, -1.0, 1.0))
    return quaternion * np.concatenate([[1.0], flips])[:, None]
