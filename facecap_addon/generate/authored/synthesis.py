"""Expression sequences authored by code: action units in time, on faces of many proportions.

No one was recorded for these. What is drawn at random, and how wide, is written here and in `emotions`; the guide says
so to the user. Sequences begin and end in neutral, as most of BU-4DFE's do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...landmarks.layout import mediapipe_of
from ...rig.blendshapes import BlendshapeRig
from ...rig.channels import arkit_name
from ...rig.embedding import LandmarkEmbedding, landmark_geometry
from ..sequence import FPS, FRAMES, LandmarkSequence
from .emotions import CHANNELS_OF_UNIT, EMOTIONS, Emotion
from .proportions import Shaper, draw_gains, draw_proportions

_START_S = (0.12, 0.4)
_STAGGER_S = 0.12
_ASYMMETRY = 0.12
_APEX_DRIFT = 0.08
_NECK_M = np.array([0.0, 0.06, -0.09])
"""Where the head turns, from its origin in head space."""


@dataclass(frozen=True)
class Actor:
    """A face that expressions are authored on.

    Attributes:
        scheme: layout of the landmarks.  rest: (L, 3) float64 m, head space.
        deltas: (K, L, 3) float64 m, what each channel does.  channels: K ARKit names.
    """

    scheme: str
    rest: F64
    deltas: F64
    channels: tuple[str, ...]


def make_actor(rig: BlendshapeRig, embedding: LandmarkEmbedding, scheme: str = "bu-83") -> Actor:
    """A character's landmarks and what its ARKit keys do to them."""
    rest, deltas = landmark_geometry(rig, embedding)
    twins = mediapipe_of(scheme)
    named = [(k, name) for k, channel in enumerate(rig.channels) if (name := arkit_name(channel)) is not None]
    rows = [k for k, _ in named]
    return Actor(
        scheme,
        rest[twins].astype(np.float64),
        deltas[rows][:, twins].astype(np.float64),
        tuple(name for _, name in named),
    )


def randomise_identity(
    actor: Actor, random: np.random.Generator, character: np.random.Generator | None = None
) -> Actor:
    """The same face in other proportions, which moves as such a face does, see `proportions`.

    Args:
        character: of what proportions do not decide; None: `random` goes on.
    """
    proportions = draw_proportions(random)
    shaper = Shaper(actor.rest, actor.scheme)
    deltas = np.einsum("lij,klj->kli", shaper.differentiate(actor.rest, proportions), actor.deltas)
    gains = draw_gains(actor.channels, proportions, character or random)
    return Actor(actor.scheme, shaper.move(actor.rest, proportions), deltas * gains[:, None, None], actor.channels)


def perform(someone: Actor, expression: str, random: np.random.Generator) -> LandmarkSequence:
    """One sequence of one expression on a given face."""
    emotion = EMOTIONS[expression]
    time_s = np.arange(FRAMES) / FPS
    weights, envelope = _draw_weights(someone.channels, emotion, time_s, random)
    face = np.tensordot(weights, someone.deltas, axes=1)
    displacements = _add_head_motion(someone.rest, face, emotion, envelope, time_s, random)
    facts = {"authored": "from action units", "expression": expression}
    return LandmarkSequence(
        someone.scheme, someone.rest.astype(np.float32), displacements.astype(np.float32), FPS, expression, facts
    )


def synthesise(actor: Actor, expression: str, seed: int, performance: int = 0) -> LandmarkSequence:
    """One sequence of one expression on a face of its own.

    Args:
        actor: the face whose proportions are varied.  expression: one of EXPRESSIONS.  seed: subject; the same subject
            has the same face in every expression.  performance: the same subject shows it once more, otherwise.
    """
    someone = randomise_identity(actor, np.random.default_rng([seed, 3]))
    random = np.random.default_rng([seed, 5, list(EMOTIONS).index(expression), performance])
    made = perform(someone, expression, random)
    return replace(made, facts={**made.facts, "subject": str(seed)})


def _draw_weights(
    channels: tuple[str, ...], emotion: Emotion, time_s: F64, random: np.random.Generator
) -> tuple[F64, F64]:
    """(F, K) weights, and (F,) how far the expression has come."""
    start = random.uniform(*_START_S)
    spans = [random.uniform(*span) for span in (emotion.onset_s, emotion.apex_s, emotion.offset_s)]
    # All of it has to fit, with a moment of rest after it.
    spans = np.array(spans) * min(1.0, (time_s[-1] - start - 0.4) / sum(spans))
    out = np.zeros((len(time_s), len(channels)))
    strength = random.uniform(0.75, 1.0)
    for unit in emotion.units:
        if random.random() > unit.probability:
            continue
        late = random.uniform(0.0, _STAGGER_S)
        apex = strength * random.uniform(unit.low, unit.high)
        curve = apex * _draw_envelope(time_s, start + late, spans, random)
        for pattern, share in CHANNELS_OF_UNIT[unit.number].items():
            tilt = random.uniform(-_ASYMMETRY, _ASYMMETRY)
            for name, factor in _split_sides(pattern, tilt):
                if name in channels:
                    k = channels.index(name)
                    out[:, k] = np.maximum(out[:, k], share * factor * curve)
    return np.minimum(out, 1.1), _draw_envelope(time_s, start, spans, None)


def _split_sides(pattern: str, tilt: float) -> list[tuple[str, float]]:
    if "*" not in pattern:
        return [(pattern, 1.0)]
    return [(pattern.replace("*", "Left"), 1.0 + tilt), (pattern.replace("*", "Right"), 1.0 - tilt)]


def _draw_envelope(time_s: F64, start: float, spans: F64, random: np.random.Generator | None) -> F64:
    """(F,) rise, stay and fall with minimum jerk (Flash and Hogan 1985); the apex swells and ebbs a little."""
    onset, apex, offset = (float(span) for span in spans)
    up = _minimum_jerk((time_s - start) / onset)
    down = _minimum_jerk((time_s - start - onset - apex) / offset)
    out = up - down
    if random is not None:
        knots = np.linspace(time_s[0], time_s[-1], 6)
        drift = np.asarray(PchipInterpolator(knots, random.uniform(-1, 1, 6))(time_s), np.float64)
        out = out * (1.0 + _APEX_DRIFT * drift)
    return out


def _minimum_jerk(share: F64) -> F64:
    s = np.clip(share, 0.0, 1.0)
    return s * s * s * (10.0 + s * (6.0 * s - 15.0))


def _add_head_motion(
    rest: F64, face: F64, emotion: Emotion, envelope: F64, time_s: F64, random: np.random.Generator
) -> F64:
    """Displacements with the head's motion: towards or away from what is felt, and a little of its own."""
    slow = np.convolve(np.pad(envelope, 6, mode="edge"), np.hanning(13) / np.hanning(13).sum(), mode="valid")
    # Nobody holds their head quite still; it comes to rest with the face.
    window = np.sin(np.pi * np.clip(time_s / time_s[-1], 0, 1)) ** 2
    knots = np.linspace(time_s[0], time_s[-1], 7)
    sway = np.stack([PchipInterpolator(knots, random.normal(0, 1, 7))(time_s) for _ in range(5)], 1) * window[:, None]
    amount = random.uniform(0.3, 1.4)
    pitch = np.radians(amount * emotion.nod_deg * slow + 0.5 * sway[:, 0])
    yaw = np.radians(random.normal(0, 1.5) * slow + 0.6 * sway[:, 1])
    roll = np.radians(random.normal(0, 1.0) * slow + 0.4 * sway[:, 2])
    turn = Rotation.from_rotvec(np.stack([pitch, roll, yaw], 1)).as_matrix()
    shift = np.zeros((len(time_s), 3))
    shift[:, 1] = 1e-3 * (amount * emotion.back_mm * slow + 0.5 * sway[:, 3])
    shift[:, 2] = 1e-3 * 0.4 * sway[:, 4]
    moved = np.einsum("fij,flj->fli", turn, rest + face - _NECK_M) + _NECK_M + shift[:, None]
    return moved - rest


def synthesise_set(
    actor: Actor, expression: str, subjects: int, on_progress: Callable[[int, int], None] | None = None
) -> list[LandmarkSequence]:
    """One sequence of an expression for each of some subjects; told is how many are made, and may raise to cancel."""
    made: list[LandmarkSequence] = []
    for seed in range(subjects):
        made.append(synthesise(actor, expression, seed))
        if on_progress is not None:
            on_progress(seed + 1, subjects)
    return made
