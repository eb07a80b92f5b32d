"""What a face does while it shows something: it blinks, its eyes rest on one thing after the other, it breathes.

Rates are those of adults at rest: 15 to 20 blinks a minute (Bentivoglio et al. 1997), a look every half second to two
seconds, a breath every four. All of it begins and ends in nothing, so sequences still follow each other and loop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...geometry.easing import smoothstep
from ...geometry.quaternions import FRONT, rotation_of, wxyz_of
from ...rig.channels import arkit_name
from ...takes.formats.live_link import PITCH_PER_LOOK, YAW_PER_LOOK
from ...takes.take import Take

_EDGE_S = 0.4
_BLINK_EVERY_S, _BLINK_APART_S = 2.6, 0.9
_CLOSING_S, _SHUT_S, _OPENING_S = 0.09, 0.04, 0.17
_FIXATION_S, _SACCADE_S = (0.5, 2.0), 0.05
_LOOK_RAD, _FURTHEST_RAD = np.radians([2.5, 1.5]), np.radians(6.0)
_BREATH_S, _BREATHING_IN = 4.0, 0.4
_BREATH_PITCH_RAD, _BREATH_M = np.radians(0.35), 0.8e-3


@dataclass(frozen=True)
class IdleMotion:
    """Which of it there is, and a seed: another one makes it otherwise."""

    seed: int = 0
    blinks: bool = True
    gaze: bool = True
    breathing: bool = True


def add_idle_motion(take: Take, ranges: NDArray[np.floating], idle: IdleMotion) -> Take:
    """A take with idle motion on top of what it shows: no key is moved back, but eyes held wide while they blink.

    Args:
        ranges: (K, 2) of the take's channels.
    """
    blinking, looking, breathing = (np.random.default_rng([idle.seed, 23, part]) for part in range(3))
    out = take
    if idle.blinks:
        out = replace(out, weights=_blink(out, ranges, draw_blinks(take.time_s, blinking)))
    if idle.gaze:
        gaze = draw_gaze(take.time_s, looking)
        weights = _look(out, ranges, gaze)
        moved = {channel for k, channel in enumerate(take.channels) if weights[:, k].any()}
        out = replace(
            out,
            weights=weights,
            gaze_rad=np.repeat(gaze[:, None], 2, axis=1).astype(np.float32),
            not_observed=tuple(channel for channel in take.not_observed if channel not in moved),
        )
    if idle.breathing:
        breath = draw_breathing(take.time_s, breathing)
        lift = Rotation.from_rotvec(-_BREATH_PITCH_RAD * breath[:, None] * (1.0, 0.0, 0.0)).as_matrix()
        turned = FRONT @ lift @ FRONT.T @ rotation_of(out.head_rotation_wxyz).as_matrix()
        shift = _BREATH_M * breath[:, None] * FRONT[:, 2]
        out = replace(
            out,
            head_rotation_wxyz=wxyz_of(Rotation.from_matrix(turned)).astype(np.float32),
            head_translation_m=(out.head_translation_m + shift).astype(np.float32),
        )
    return out


def draw_blinks(time_s: F64, random: np.random.Generator) -> F64:
    """(F,) 0..1 how far lids are shut; not at the very beginning and end."""
    out = np.zeros(len(time_s))
    at = time_s[0] + _EDGE_S + random.uniform(0.0, _BLINK_EVERY_S)
    while at + _CLOSING_S + _SHUT_S + _OPENING_S < time_s[-1] - _EDGE_S / 2:
        since = time_s - at
        closing = smoothstep(since / _CLOSING_S)
        opening = smoothstep((since - _CLOSING_S - _SHUT_S) / _OPENING_S)
        out = np.maximum(out, closing - opening)
        at += _BLINK_APART_S + random.exponential(_BLINK_EVERY_S)
    return out


def draw_gaze(time_s: F64, random: np.random.Generator) -> F64:
    """(F, 2) rad, yaw to the left and pitch up: looks that stay near, with leaps between them."""
    times, looks = [float(time_s[0]), float(time_s[0]) + _EDGE_S], [np.zeros(2), np.zeros(2)]
    while times[-1] < time_s[-1] - _EDGE_S - _FIXATION_S[0]:
        look = np.clip(random.normal(0.0, _LOOK_RAD), -_FURTHEST_RAD, _FURTHEST_RAD)
        rest = min(random.uniform(*_FIXATION_S), time_s[-1] - _EDGE_S - times[-1])
        times += [times[-1] + _SACCADE_S, times[-1] + rest]
        looks += [look, look]
    times.append(times[-1] + _SACCADE_S)
    looks.append(np.zeros(2))
    return np.stack([np.interp(time_s, times, np.stack(looks)[:, axis]) for axis in (0, 1)], axis=1)


def draw_breathing(time_s: F64, random: np.random.Generator) -> F64:
    """(F,) 0..1 and a little more: whole breaths, in faster than out."""
    length = time_s[-1] - time_s[0]
    count = max(1, round(length / (_BREATH_S * random.uniform(0.85, 1.15))))
    phase = count * (time_s - time_s[0]) / max(length, 1e-9)
    depth = random.uniform(0.8, 1.2, count + 1)[np.minimum(phase.astype(int), count)]
    phase = phase % 1.0
    return depth * (smoothstep(phase / _BREATHING_IN) - smoothstep((phase - _BREATHING_IN) / (1.0 - _BREATHING_IN)))


def _blink(take: Take, ranges: NDArray[np.floating], shut: F64) -> NDArray[np.float32]:
    out = take.weights.copy()
    for k, channel in enumerate(take.channels):
        name = arkit_name(channel) or ""
        if name.startswith("eyeBlink"):
            out[:, k] = np.maximum(out[:, k], shut * max(float(ranges[k][1]), 0.0))
        elif name.startswith("eyeWide"):
            out[:, k] *= 1.0 - shut
    return out


def _look(take: Take, ranges: NDArray[np.floating], gaze: F64) -> NDArray[np.float32]:
    """Keys of looking, where the character has them; see `look_gaze`, which is the other way round."""
    out = take.weights.copy()
    yaw, pitch = gaze[:, 0] / YAW_PER_LOOK, gaze[:, 1] / PITCH_PER_LOOK
    ways = {"InRight": yaw, "OutLeft": yaw, "OutRight": -yaw, "InLeft": -yaw}
    ways |= {f"{way}{side}": sign * pitch for way, sign in (("Up", 1), ("Down", -1)) for side in ("Left", "Right")}
    for k, channel in enumerate(take.channels):
        way = (arkit_name(channel) or "").removeprefix("eyeLook")
        if way in ways and way != arkit_name(channel):
            out[:, k] = np.maximum(out[:, k], np.clip(ways[way], 0.0, max(float(ranges[k][1]), 0.0)))
    return out
