"""The landmark fit: observations and a character in, a Take out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..arrays import F64
from ..errors import FacecapError
from ..landmarks.observations import Observations
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..rig.network_response import NetworkResponse
from ..takes.actor import Actor
from ..takes.corrections import Correction, about_frames, add_corrections, hold_poses
from ..takes.merge import BLEND_S
from ..takes.region_scale import RegionScale
from ..takes.take import Take, find_runs
from .actor.channel_gains import apply_gains
from .actor.identity import calibrate_with, check_scheme, describe_actor, face_of
from .actor.proportions import compare_sizes, proportions_of
from .actor.region_scales import choose_scales, scale_keys, scale_of_keys, weigh_lids
from .calibrate import Calibration, calibration_frames, first_state
from .corrections import move_landmarks, use_landmarks, use_poses
from .covered import bridge_covered, covered_regions
from .energies.appearance import AppearanceHead, FaceChanges, find_rest, observe_weights, read_head
from .energies.contact import seal_lips, shut_lids
from .energies.energy import Energy, channels_not_observed, energy_of
from .energies.expression_prior import find_expectation, load_prior
from .energies.landmark_terms import SPANS, LandmarkTerms, set_errors, terms_for
from .energies.view_bias import ViewBias
from .energies.visible_frames import find_named_neutral, find_visible_frames
from .energies.weight_priors import channel_priors
from .initial_pose import FOCAL_GUESS
from .least_squares.levenberg_marquardt import minimise, minimise_frames
from .least_squares.normal_equations import Geometry, State, make_geometry
from .observability import SEEN, share_settled
from .result import take_of
from .settings import FitSettings

OnProgress = Callable[[int, int], None]

FRAME_ITERATIONS, TIME_ITERATIONS, AGAIN_ITERATIONS, AGAIN_TIME_ITERATIONS = 2, 1, 4, 5
"""Around corrected frames a first step of all frames together goes too far as a rule: later ones are shorter."""
STRETCH, OVERLAP = 384, 24
SETTLED_FRAMES = 32
ERROR_SCALE = 0.75
"""Of the error modes measured on renders: a face's own motion must not pass for an error of the network."""


def solve_take(
    observations: Observations,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    settings: FitSettings,
    *,
    response: NetworkResponse | None = None,
    rows: NDArray[np.bool_] | None = None,
    actor: Actor | None = None,
    corrections: Sequence[Correction] = (),
    on_progress: OnProgress | None = None,
) -> Take:
    """Fit head pose and shape-key weights to observed landmarks, all frames together.

    Args:
        observations: landmarks of F frames, of the scheme the embedding was made with.
        rig: the character, each key once (see `find_distinct_keys`).  embedding: where the landmarks lie on it.
        settings: see FitSettings.
        response: what the landmark network sees of the character's keys; absent: the mesh's own geometry.
        rows: (F,) bool, the frames to solve; all of them say how this actor looks at rest and how far the camera is.
            Absent: all.
        actor: who performs, where she is known from before; absent: the frames say.
        corrections: landmarks and weights of some frames that are known better; the camera and the actor's constants
            are found without them, so that frames they do not reach stay as they are. Those that are about none of
            the frames are left out.
        on_progress: called with (frames done, frames in all); it may raise CancelledError.
    Returns:
        A Take of F frames; frames without a face, and those not asked for, are STATUS_MISSING with zero weights.
    Raises:
        NoFaceError: no frame shows a face.  FacecapError: landmark schemes differ, or no key moves a landmark.
    """
    corrections = about_frames(corrections, observations.time_s)
    observed_px, bridged = observations.landmarks_px, bridge_covered(observations)
    observations = bridged.observations
    head = _head_for(observations, settings)
    in_pixels = () if head is None else head.channels
    look = settings.match == "look"
    subject = subject_of(observations.scheme, rig, embedding, response, look=look, in_pixels=in_pixels)
    terms, scale, not_observed = subject.terms, subject.scale, subject.not_observed
    if actor is not None:
        check_scheme(actor, observations.scheme)
    seen = find_visible_frames(observations, embedding.valid, terms)
    neutral_frames = find_named_neutral(observations, seen, settings.neutral_frame)
    trained = load_prior() if observations.scheme == "mediapipe-478" and settings.prior > 0 else None
    # Many small products: BLAS threads would only wait for each other (`minimise` has threads of its own).
    with threadpool_limits(1, user_api="blas"):
        expectation, face = None, None
        if trained is not None:
            known = face_of(actor, trained) if actor is not None else None
            expectation = find_expectation(
                trained, observations.landmarks_px, observations.depth_px, seen.rows, neutral_frames, known
            )
            face = trained.subset, expectation.neutral
        scales = choose_scales(settings, _find_sizes(subject, observations.scheme, face), actor)
        scaled = scale_subject(subject, rig.channels, scales)
        geometry, terms = scaled.geometry, scaled.terms
        seen = replace(seen, terms=terms, view_bias=subject.view_bias)
        priors = channel_priors(rig.channels, trained, settings.prior, settings.smoothness)
        pixels = None
        if head is not None and expectation is not None:
            faces = FaceChanges(observations.appearance[seen.rows], expectation.displacement, expectation.turn_rad)
            rest = find_rest(head, faces, expectation.activity, neutral_frames)
            pixels = observe_weights(head, rig.channels, faces, rest)
        energy = energy_of(rig, priors, seen, expectation, not_observed, subject.error_modes, pixels)
        if neutral_frames is not None:
            energy.mean[neutral_frames] = 0.0
        frames = calibration_frames(len(energy.mean), expectation.activity if expectation is not None else None)
        calibration = _calibrate(geometry, terms, energy, frames, observations, settings, actor, on_progress)
        actor = describe_actor(
            *(observations.scheme, terms, geometry, calibration, energy.terms(frames).observed, scales),
            character=rig.name,
            face=face,
            known=actor,
        )
        wanted = np.ones(len(seen.rows), bool) if rows is None else rows[seen.rows]
        state = _solve_stretches(calibration, terms, energy, wanted, on_progress)
        moved = move_landmarks(observations, corrections)
        if moved is not None:
            neutral = expectation.neutral if expectation is not None else None
            energy = use_landmarks(energy, moved, calibration.geometry, state.weights, rig.channels, trained, neutral)
            energy = use_poses(energy, corrections, state.weights, rig.channels, actor.gains if settings.adapt else {})
            _solve_again(calibration, energy, wanted, moved.ramp[seen.rows], state)
        shown = _choose_frames(np.flatnonzero(wanted))
        some = energy.terms(shown, calibration.focal_px)
        settled = share_settled(calibration.geometry, state.part(shown), some, priors.variance)
    inferred = tuple(c for c, s in zip(rig.channels, settled, strict=True) if s < SEEN and c not in not_observed)
    if moved is not None:
        seen = replace(seen, observations=moved.observations)
    take = take_of(rig, calibration, seen, state, not_observed, scale, with_gaze=settings.gaze, rows=rows)
    weights = apply_gains(take.weights, rig.channels, actor.gains, rig.ranges) if settings.adapt else take.weights
    take = replace(take, actor=actor, weights=weights, inferred=inferred, landmarks_px=observed_px)
    take = replace(take, covered=covered_regions(bridged, terms) * take.solved[:, None])
    return add_corrections(hold_poses(take, corrections, rig.ranges), corrections) if corrections else take


def _choose_frames(wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Some of the wanted frames, evenly spread."""
    return wanted[np.unique(np.linspace(0, len(wanted) - 1, SETTLED_FRAMES).astype(np.intp))]


@dataclass(frozen=True)
class Subject:
    """A character as the fit sees it.

    Attributes:
        terms: of its landmarks.  geometry: where they lie and how keys move them, at life size.
        scale: size of its head in life sizes.  not_observed: channels that landmarks cannot show.
        error_modes: how many modes the landmark network's correlated errors have on it.
        view_bias: what the network sees of it only because it is turned; None where that was not measured.
    """

    terms: LandmarkTerms
    geometry: Geometry
    scale: float
    not_observed: tuple[str, ...]
    error_modes: int
    view_bias: ViewBias | None


def subject_of(
    scheme: str,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    response: NetworkResponse | None,
    *,
    look: bool = False,
    in_pixels: tuple[str, ...] = (),
) -> Subject:
    """Prepare a character; see `solve_take` and `terms_for`.

    Raises:
        FacecapError: its landmarks are of another scheme.
    """
    if scheme != embedding.scheme:
        raise FacecapError(
            f"The footage has {scheme} landmarks, the character {embedding.scheme}.",
            "Place the landmarks on the character with the same network.",
        )
    terms = terms_for(scheme, look=look)
    # A giant's face and a doll's are fitted at life size, so that millimetres mean the same.
    scale = embedding.rig_scale
    neutral, deltas = (part / np.float32(scale) for part in landmark_geometry(rig, embedding))
    not_observed = channels_not_observed(rig.channels, deltas, in_pixels)
    error_modes, view_bias = np.zeros((0, *neutral.shape), np.float32), None
    used = terms.used
    if response is not None:
        mesh = deltas[:, used]
        neutral, deltas = response.rest / np.float32(scale), response.deltas / np.float32(scale)
        deltas[:, used] = seal_lips(terms, rig.channels, deltas[:, used], mesh)
        error_modes = response.error_modes * np.float32(ERROR_SCALE / scale)
        terms = set_errors(terms, response.error_m / scale)
        if len(response.view_bias):
            off = response.view_bias[:, used].astype(np.float64) / scale
            view_bias = ViewBias(neutral[used].astype(np.float64), terms.rigid, off)
    terms, shut = shut_lids(terms, neutral[used], deltas[:, used], rig.usual_ranges[:, 1])
    geometry = make_geometry(
        neutral[used],
        deltas[:, used],
        error_modes[:, used],
        terms.gap_upper,
        terms.gap_lower,
        shut,
        span_count=int((terms.gap_group == SPANS).sum()),
    )
    return Subject(terms, geometry, scale, not_observed, len(error_modes), view_bias)


def scale_subject(subject: Subject, channels: tuple[str, ...], scales: Mapping[str, RegionScale]) -> Subject:
    """The character with keys that are as large as an actor moves.

    Args:
        channels: (K,), of its keys.  scales: by region, see `choose_scales`.
    """
    factors = scale_of_keys(channels, subject.geometry, subject.terms, scales)
    geometry = scale_keys(subject.geometry, factors, scales)
    return replace(subject, geometry=geometry, terms=weigh_lids(subject.terms, scales))


def _head_for(observations: Observations, settings: FitSettings) -> AppearanceHead | None:
    """What reads the observations' features of crops; None where there are none, or recordings are not asked."""
    if observations.appearance.shape[1] == 0 or settings.prior == 0:
        return None
    return read_head()


def _calibrate(
    geometry: Geometry,
    landmark_terms: LandmarkTerms,
    energy: Energy,
    frames: NDArray[np.intp],
    observations: Observations,
    settings: FitSettings,
    actor: Actor | None,
    on_progress: OnProgress | None,
) -> Calibration:
    """The constants of a take."""
    total = len(energy.mean)
    poll = (lambda: on_progress(0, total)) if on_progress is not None else None
    guess = FOCAL_GUESS * max(observations.image_size)
    return calibrate_with(
        *(actor, geometry, landmark_terms, energy.terms(frames), settings.focal_px, guess),
        adapt=settings.adapt,
        on_iteration=poll,
    )


def _find_sizes(subject: Subject, scheme: str, face: tuple[NDArray[np.intp], F64] | None) -> dict[str, float] | None:
    """How large an actor is against the character, from landmarks (P,) and her neutral face (3 P,); None without."""
    if face is None:
        return None
    hers = proportions_of(scheme, face[0], face[1].reshape(-1, 3))
    return compare_sizes(hers, proportions_of(scheme, subject.terms.used, subject.geometry.points))


def _solve_stretches(
    calibration: Calibration,
    landmark_terms: LandmarkTerms,
    energy: Energy,
    wanted: NDArray[np.bool_],
    on_progress: OnProgress | None,
) -> State:
    """Solve overlapping stretches of frames; memory does not grow with the footage.

    Args:
        wanted: (N,) bool, frames whose state is asked for; the others' is anything.
    """
    total, channels = energy.mean.shape
    out = State(np.tile(np.eye(3), (total, 1, 1)), np.zeros((total, 3)), np.zeros((total, channels)))
    out.translation[:, 2] = 1.0
    for start in range(0, total, STRETCH):
        stop = min(start + STRETCH, total)
        if not wanted[start:stop].any():
            continue
        window = slice(max(start - OVERLAP, 0), min(stop + OVERLAP, total))
        terms = energy.terms(window, calibration.focal_px)
        state = first_state(calibration.geometry, landmark_terms.rigid, terms.observed, terms.prior_mean)
        poll = (lambda done=start: on_progress(done, total)) if on_progress is not None else None
        state, found = minimise_frames(calibration.geometry, state, terms, FRAME_ITERATIONS, poll)
        state = minimise(calibration.geometry, state, terms, TIME_ITERATIONS, start=found, on_iteration=poll)
        inner = slice(start - window.start, stop - window.start)
        out.put(slice(start, stop), state.part(inner))
    if on_progress is not None:
        on_progress(total, total)
    return out


def _solve_again(calibration: Calibration, energy: Energy, wanted: NDArray[np.bool_], ramp: F64, state: State) -> None:
    """Solve what is not held anew, starting from a state of (N,) frames whose weights are changed in place.

    Args:
        ramp: (N,) how far each frame takes what is found.
    """
    time_s, touched = energy.seen.time_s, ~energy.held.all(1)
    if not (touched & wanted).any():
        return
    at_s = time_s[touched]
    after = np.searchsorted(at_s, time_s)
    to_next, to_last = at_s[np.minimum(after, len(at_s) - 1)] - time_s, time_s - at_s[np.maximum(after - 1, 0)]
    near = np.minimum(np.abs(to_next), np.abs(to_last)) <= BLEND_S  # they stay, and what is smooth is smooth with them
    before = state.part(slice(None))
    for first, last in find_runs(near & wanted):
        for start in range(first, last + 1, STRETCH):
            stop = min(start + STRETCH, last + 1)
            rows = np.arange(max(start - OVERLAP, first), min(stop + OVERLAP, last + 1))
            terms = energy.terms(rows, calibration.focal_px)
            found, equations = minimise_frames(calibration.geometry, before.part(rows), terms, AGAIN_ITERATIONS)
            found = minimise(calibration.geometry, found, terms, AGAIN_TIME_ITERATIONS, start=equations)
            inner = slice(start - rows[0], stop - rows[0])
            changed = found.weights[inner] - before.weights[start:stop]
            state.weights[start:stop] += ramp[start:stop, None] * changed
