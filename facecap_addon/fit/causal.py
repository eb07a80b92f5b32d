"""The landmark fit, frame by frame and causal: what is constant is found in the first second, then each frame starts
from the one before."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation
from threadpoolctl import threadpool_limits

from ..arrays import F32, F64
from ..geometry.quaternions import wxyz_of
from ..landmarks.observations import Observations
from ..landmarks.protocol import PRESENCE_THRESHOLD
from ..landmarks.tracking.observe import FrameObservation
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding
from ..rig.network_response import NetworkResponse
from ..takes.actor import Actor
from .actor.channel_gains import apply_gains
from .actor.identity import calibrate_with, check_scheme, face_of
from .actor.proportions import compare_sizes, proportions_of
from .actor.region_scales import choose_scales
from .calibrate import Calibration, first_state
from .energies.energy import Energy, energy_of
from .energies.expression_prior import Expectation, aligned_shape, expected_weights, load_prior, measure_bare_face
from .energies.visible_frames import VisibleFrames
from .energies.weight_priors import channel_priors
from .gaze import MAX_GAZE_RAD, gaze_at_rest
from .initial_pose import FOCAL_GUESS
from .least_squares.levenberg_marquardt import minimise_frames
from .least_squares.normal_equations import State
from .result import measure_frames
from .settings import FitSettings
from .solve import scale_subject, subject_of

CALIBRATION_FRAMES = 24
"""Frames with a face that what is constant is found from."""
FIRST_FRAMES = 8
"""Frames with a face before it is found for the first time, more roughly: nobody likes to wait for a face to move."""
_ITERATIONS, _FIRST_ITERATIONS = 2, 4
_KEPT = 30


@dataclass(frozen=True)
class LivePose:
    """One frame's answer.

    Attributes:
        weights: (K,).  head_wxyz: (4,) camera from head.  head_m: (3,) camera space.  gaze_rad: (2, 2), see `Take`.
        confidence: mean over regions, 0..1.
    """

    weights: F32
    head_wxyz: F32
    head_m: F32
    gaze_rad: F32
    confidence: float


class _Constants(NamedTuple):
    """What is constant over a capture: camera and actor, her face at rest (3 M,), and where she mostly looks.

    That is her gaze (2, 2) rad, and the nose (2,) of a head that looks ahead, see `VisibleFrames`.
    """

    calibration: Calibration
    neutral: F64 | None
    gaze: F64
    nose: F64


class LiveFit:
    """A fit that goes on.

    Args:
        rig, embedding, response: see `solve_take`.  settings: of the fit; smoothing is left to a filter.
        image_size: (width, height) px.
        actor: who performs, where she is known from before.
    Raises:
        FacecapError: she is known by landmarks of another scheme.
    """

    def __init__(
        self,
        rig: BlendshapeRig,
        embedding: LandmarkEmbedding,
        settings: FitSettings,
        image_size: tuple[int, int],
        response: NetworkResponse | None = None,
        actor: Actor | None = None,
    ) -> None:
        self._rig, self._embedding, self._settings, self._size = rig, embedding, settings, image_size
        self._actor = actor
        if actor is not None:
            check_scheme(actor, embedding.scheme)
        subject = subject_of(embedding.scheme, rig, embedding, response, look=settings.match == "look")
        if actor is not None:
            theirs = proportions_of(actor.scheme, subject.terms.used, subject.geometry.points)
            scales = choose_scales(settings, compare_sizes(actor.proportions, theirs), actor)
            subject = scale_subject(subject, rig.channels, scales)
        self._subject = subject
        prior = load_prior() if embedding.scheme == "mediapipe-478" and settings.prior > 0 else None
        self._prior = prior
        self._priors = channel_priors(rig.channels, prior, settings.prior, 0.0)
        self._recent: list[FrameObservation] = []
        self._calibration: Calibration | None = None
        self._neutral = face_of(actor, prior) if actor is not None and prior is not None else None
        self._gaze_ahead: F64 = np.zeros((2, 2))
        self._nose_ahead: F64 | None = None
        self._state: State | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="facecap-calibration")
        self._coming: Future[_Constants] | None = None
        self._settled = False

    @property
    def known(self) -> float:
        """0..1, how much of what is needed to answer was seen."""
        return 1.0 if self._calibration is not None else min(len(self._recent) / (FIRST_FRAMES + 1), 0.99)

    def set_neutral(self) -> bool:
        """Take the face of the last second for the face at rest that looks ahead; False where none was seen.

        It counts from some frames later: what is constant is found beside the frames that come meanwhile.
        """
        if len(self._recent) < CALIBRATION_FRAMES // 2:
            return False
        self._coming = self._pool.submit(self._calibrated, self._recent[-CALIBRATION_FRAMES:], at_rest=True)
        self._settled = True
        return True

    def step(self, seen: FrameObservation) -> LivePose | None:
        """The next frame's answer; None without a face, and until enough was seen."""
        if seen.presence < PRESENCE_THRESHOLD:
            self._state = None
            return None
        self._recent = [*self._recent[-_KEPT:], seen]
        if self._coming is not None and self._coming.done():
            self._take_in()
        needed = FIRST_FRAMES if self._calibration is None else CALIBRATION_FRAMES
        if self._coming is None and not self._settled and len(self._recent) >= needed:
            self._settled = len(self._recent) >= CALIBRATION_FRAMES
            self._coming = self._pool.submit(self._calibrated, self._recent, at_rest=False)
            if self._calibration is None:  # until it is known there is nothing to answer, so nothing to do meanwhile
                self._take_in()
        if self._calibration is None:
            return None
        with threadpool_limits(1, user_api="blas"):
            return self._fit(seen)

    def _take_in(self) -> None:
        """Go on with constants that were found, waiting for them."""
        assert self._coming is not None
        self._calibration, self._neutral, self._gaze_ahead, self._nose_ahead = self._coming.result()
        self._coming = self._state = None

    def _fit(self, seen: FrameObservation) -> LivePose:
        assert self._calibration is not None
        calibration, subject = self._calibration, self._subject
        energy = self._energy([seen], self._neutral, self._nose_ahead)
        terms = energy.terms(slice(0, 1), calibration.focal_px)
        state, iterations = self._state, _ITERATIONS
        if state is None:
            state = first_state(calibration.geometry, subject.terms.rigid, terms.observed, terms.prior_mean)
            iterations = _FIRST_ITERATIONS
        state, _ = minimise_frames(calibration.geometry, state, terms, iterations)
        self._state = state
        confidence, _, gaze = measure_frames(calibration, energy.seen, state, slice(0, 1))
        ahead = np.clip(gaze[0] - self._gaze_ahead, -MAX_GAZE_RAD, MAX_GAZE_RAD) if self._settings.gaze else 0 * gaze[0]
        turned = wxyz_of(Rotation.from_matrix(state.rotation[0]))
        weights = state.weights[:1, : len(self._rig.channels)].astype(np.float32)
        if self._actor is not None and self._settings.adapt:
            weights = apply_gains(weights, self._rig.channels, self._actor.gains, self._rig.ranges)
        place = state.translation[0] * subject.scale
        return LivePose(
            weights[0],
            turned.astype(np.float32),
            place.astype(np.float32),
            ahead.astype(np.float32),
            float(confidence.mean()),
        )

    def _calibrated(self, frames: list[FrameObservation], *, at_rest: bool) -> _Constants:
        """Focal length and the actor's offsets, face at rest and gaze ahead from frames; at_rest: they show it.

        It runs beside `step`, so it changes nothing here.
        """
        subject, neutral = self._subject, self._neutral
        # Whoever shows her face at rest wants it to be that one.
        actor = None if at_rest else self._actor
        with threadpool_limits(1, user_api="blas"):
            if self._prior is not None:
                points, depth = np.stack([f.landmarks_px for f in frames]), np.stack([f.depth_px for f in frames])
                shape, turn = aligned_shape(self._prior, points, depth)
                if at_rest:
                    neutral = shape.mean(0)
                elif actor is None or neutral is None:
                    neutral = measure_bare_face(self._prior, shape, turn)
            energy = self._energy(frames, neutral, None)
            if at_rest:
                energy = replace(energy, mean=np.zeros_like(energy.mean))
            guess = FOCAL_GUESS * max(self._size)
            focal = self._settings.focal_px or (self._calibration.focal_px if self._calibration is not None else None)
            every = slice(0, len(frames))
            found = calibrate_with(
                *(actor, subject.geometry, subject.terms, energy.terms(every), focal, guess),
                adapt=self._settings.adapt,
            )
            gaze = measure_frames(found, energy.seen, found.state, every)[2]
        return _Constants(found, neutral, gaze_at_rest(gaze), np.median(energy.seen.nose, axis=0))

    def _energy(self, frames: list[FrameObservation], neutral: F64 | None, nose_ahead: F64 | None) -> Energy:
        observations = Observations(
            time_s=np.array([f.time_s for f in frames], np.float64),
            frame_index=np.array([f.index for f in frames], np.int64),
            landmarks_px=np.stack([f.landmarks_px for f in frames]),
            depth_px=np.stack([f.depth_px for f in frames]),
            presence=np.array([f.presence for f in frames], np.float32),
            confidence=np.stack([f.confidence for f in frames]),
            scheme=self._embedding.scheme,
            image_size=self._size,
            model_version="",
        )
        subject, rows = self._subject, np.arange(len(frames))
        seen = VisibleFrames(
            *(observations, self._embedding.valid, subject.terms, rows, observations.time_s, nose_ahead),
            view_bias=subject.view_bias,
        )
        expectation = None
        if self._prior is not None and neutral is not None:
            shape, turn = aligned_shape(self._prior, observations.landmarks_px, observations.depth_px)
            weights = expected_weights(self._prior, shape, turn, neutral)
            moved = (shape - neutral).astype(np.float32)
            expectation = Expectation(weights, neutral, np.linalg.norm(weights, axis=1), turn, moved)
        return energy_of(self._rig, self._priors, seen, expectation, subject.not_observed, subject.error_modes)
