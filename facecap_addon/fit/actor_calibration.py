"""Getting to know an actor from a minute in which she holds what she is asked for, one expression after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..landmarks.observations import Observations
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name
from ..rig.embedding import LandmarkEmbedding
from ..rig.network_response import NetworkResponse
from ..takes.actor import Actor
from ..takes.take import Take
from .actor.channel_gains import apply_gains, learn_gains
from .actor.expression_holds import Hold, find_holds, holds_at
from .actor.guide import NEUTRAL
from .settings import FitSettings
from .solve import OnProgress, solve_take

MOST_AT_REST = 2.0
"""Sum of all weights, but gaze, that a face at rest is solved with at most while nothing is known of it: renders at
rest have up to 1.6, the calmest frame of a talk 2.3."""


@dataclass(frozen=True)
class CalibratedActor:
    """What a calibration found.

    Attributes:
        actor: her neutral face, sizes and gains.  holds: where each expression is held, rows of the take.
        take: the clip as a solve that knows her gives it.
        looks_neutral: whether her neutral face looks so, before it is believed to be.
    """

    actor: Actor
    holds: tuple[Hold, ...]
    take: Take
    looks_neutral: bool


def calibrate_actor(
    observations: Observations,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    settings: FitSettings,
    *,
    response: NetworkResponse | None = None,
    marks: Sequence[tuple[float, str]] | None = None,
    on_progress: OnProgress | None = None,
) -> CalibratedActor:
    """Find the holds of a clip and learn from them.

    The neutral hold says what her face is at rest; the clip is then solved with that known, and the other holds say how
    far each channel gets.

    Args:
        marks: times (s) and names of the holds; None: they are found.
        Others, and errors: as `solve_take`; FacecapError if no holds are found or the marks do not fit.
    """
    frames = observations.frame_count

    def part(number: int) -> OnProgress | None:
        if on_progress is None:
            return None
        report = on_progress
        return lambda done, total: report(number * frames + done * frames // max(total, 1), 3 * frames)

    first = solve_take(observations, rig, embedding, settings, response=response, on_progress=part(0))
    holds = find_holds(first) if marks is None else holds_at(first, marks)
    rest = [hold for hold in holds if hold.name == NEUTRAL]
    longest = max(rest, key=lambda hold: hold.last - hold.first)
    moved = [k for k, channel in enumerate(first.channels) if not (arkit_name(channel) or "").startswith("eyeLook")]
    looks_neutral = float(np.median(first.weights[longest.rows][:, moved], axis=0).sum()) <= MOST_AT_REST
    at_rest = np.zeros(frames, bool)
    at_rest[longest.middle] = True
    neutral = replace(settings, neutral_frame=int(observations.frame_index[longest.middle]))
    resting = solve_take(
        observations, rig, embedding, neutral, response=response, rows=at_rest, on_progress=part(1)
    ).actor
    assert resting is not None
    known = solve_take(observations, rig, embedding, settings, response=response, actor=resting, on_progress=part(2))
    actor = replace(resting, gains=learn_gains(known, holds))
    weights = apply_gains(known.weights, rig.channels, actor.gains, rig.ranges)
    return CalibratedActor(actor, holds, replace(known, weights=weights, actor=actor), looks_neutral)
