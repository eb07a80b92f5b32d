"""Curves to draw a character under: what an actor would be asked to do for a training set.

As in Laine et al. section 4, one part is a range of motion, in which each key goes to its end, one is expressions, and
the rest moves like speech: mouth and jaw at four to six shapes a second over slower brows, eyes and blinks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ..rig.channels import arkit_name, region_of

F64 = NDArray[np.float64]
_MOUTH = ("mouth", "jaw", "tongue")
_HELD_REGIONS = ("tongue",)
_OPPOSED = (("Left", "Right"), ("In", "Out"), ("Up", "Down"), ("Smile", "Frown"), ("Wide", "Blink"), ("Wide", "Squint"))


def shot_curves(channels: tuple[str, ...], ranges: NDArray[np.floating], seconds: float, fps: float, seed: int) -> F64:
    """(F, K) float64 weights of one shot.

    Args:
        channels: K names.  ranges: (K, 2) smallest and largest weights.  seed: the same gives the same shot; one
            in three is a range of motion or expressions, the others are speech.
    """
    random = np.random.default_rng([seed, 7])
    time_s = np.arange(round(seconds * fps)) / fps
    kind = ("motion", "speech", "speech", "expressions", "speech", "speech")[seed % 6]
    if kind == "motion":
        curves = _range_of_motion(channels, time_s, random)
    elif kind == "expressions":
        curves = _poses(channels, time_s, random, every_s=0.9, share=0.16, strongest=1.0, rows=None)
    else:
        mouth = np.array([_region(c) in _MOUTH for c in channels])
        curves = _poses(channels, time_s, random, every_s=0.19, share=0.2, strongest=0.75, rows=mouth)
        curves += _poses(channels, time_s, random, every_s=1.1, share=0.12, strongest=0.8, rows=~mouth)
        jaw = [k for k, c in enumerate(channels) if arkit_name(c) == "jawOpen"]
        curves[:, jaw] = np.maximum(curves[:, jaw], _speech_jaw(time_s, random)[:, None])
    _blink(curves, channels, time_s, random)
    low, high = np.asarray(ranges, np.float64).T
    top = np.where(high > 0, high, 0.0)
    return np.clip(np.clip(curves, 0, 1) * top, low, high)


def head_curves(seconds: float, fps: float, seed: int, *, turn_rad: float = 0.12, shift_m: float = 0.008) -> F64:
    """(F, 6) float64: rotation vector (rad) and shift (m) of a head that moves gently about where it is."""
    random = np.random.default_rng([seed, 11])
    time_s = np.arange(round(seconds * fps)) / fps
    out = np.stack([_smooth(time_s, random, every_s=0.8) for _ in range(6)], 1)
    return out * np.repeat([turn_rad, shift_m], 3) * (1.0, 1.0, 0.6, 1.0, 1.0, 2.0)


def _region(channel: str) -> str:
    name = arkit_name(channel)
    return region_of(name) if name is not None else "mouth"


def _range_of_motion(channels: tuple[str, ...], time_s: F64, random: np.random.Generator) -> F64:
    """Keys to their ends, one after the other, pairs together or alone."""
    out = np.zeros((len(time_s), len(channels)))
    order = [k for k in random.permutation(len(channels)) if _region(channels[k]) not in _HELD_REGIONS]
    if not order or not len(time_s):
        return out
    each = max(0.45, (time_s[-1] + 1e-9) / len(order))
    for place, k in enumerate(order):
        middle = (place + 0.5) * each
        bump = np.clip(1.3 - np.abs(time_s - middle) / (0.5 * each) * 1.3, 0, 1)
        bump = bump * bump * (3 - 2 * bump)
        partners = [k, *_partner(channels, k)] if random.random() < 0.5 else [k]
        for one in partners:
            out[:, one] = np.maximum(out[:, one], bump)
    return out


def _poses(
    channels: tuple[str, ...],
    time_s: F64,
    random: np.random.Generator,
    *,
    every_s: float,
    share: float,
    strongest: float,
    rows: NDArray[np.bool_] | None,
) -> F64:
    """From one random face to the next; each of a few keys, mostly the same on both sides."""
    allowed = np.ones(len(channels), bool) if rows is None else rows.copy()
    allowed &= np.array([_region(c) not in _HELD_REGIONS for c in channels])
    count = max(2, int(np.ceil(time_s[-1] / every_s)) + 2) if len(time_s) else 2
    knots = np.cumsum(random.uniform(0.6, 1.4, count)) * every_s
    knots -= knots[0]
    faces = np.zeros((count, len(channels)))
    for face in faces:
        chosen = np.flatnonzero(allowed & (random.random(len(channels)) < share))
        for k in chosen:
            value = strongest * random.beta(1.2, 1.4)
            for one in [k, *(_partner(channels, k) if random.random() < 0.7 else [])]:
                face[one] = value * random.uniform(0.85, 1.0)
        for k in chosen:  # a brow does not go up and down at once
            for one in _opposite(channels, k):
                if face[k] >= face[one]:
                    face[one] = 0.0
    return np.asarray(PchipInterpolator(knots, faces)(np.minimum(time_s, knots[-1])))


def _speech_jaw(time_s: F64, random: np.random.Generator) -> F64:
    """(F,) jaw of someone who speaks at four syllables a second and pauses."""
    knots = np.arange(0, (time_s[-1] if len(time_s) else 0) + 0.5, 0.125)
    values = np.where(np.arange(len(knots)) % 2, random.beta(2, 4, len(knots)) * 0.9, random.beta(1, 9, len(knots)))
    talking = PchipInterpolator(knots, values)(time_s)
    return np.asarray(talking * (_smooth(time_s, random, every_s=1.5) > -0.45))


def _smooth(time_s: F64, random: np.random.Generator, *, every_s: float) -> F64:
    """(F,) smooth noise in -1..1."""
    knots = np.arange(0, (time_s[-1] if len(time_s) else 0) + 2 * every_s, every_s)
    return np.asarray(PchipInterpolator(knots, random.uniform(-1, 1, len(knots)))(time_s))


def _blink(curves: F64, channels: tuple[str, ...], time_s: F64, random: np.random.Generator) -> None:
    columns = [k for k, c in enumerate(channels) if (arkit_name(c) or "").startswith("eyeBlink")]
    at = random.uniform(0, 2.0)
    while len(time_s) and at < time_s[-1]:
        shut = np.clip(1.4 - np.abs(time_s - at) / 0.1 * 1.2, 0, 1)
        for column in columns:
            curves[:, column] = np.maximum(curves[:, column], shut)
        at += random.uniform(1.0, 4.5)


def _partner(channels: tuple[str, ...], k: int) -> list[int]:
    return _renamed(channels, k, (("Left", "Right"),))


def _opposite(channels: tuple[str, ...], k: int) -> list[int]:
    name = arkit_name(channels[k]) or ""
    if name.startswith("jaw") or name in ("mouthLeft", "mouthRight"):
        return _renamed(channels, k, (("Left", "Right"),))
    return _renamed(channels, k, _OPPOSED[1:])


def _renamed(channels: tuple[str, ...], k: int, pairs: tuple[tuple[str, str], ...]) -> list[int]:
    """Channels whose name is this one's with a word replaced by its opposite."""
    names = {arkit_name(c): i for i, c in enumerate(channels)}
    name = arkit_name(channels[k])
    if name is None:
        return []
    changed = {name.replace(a, b) for a, b in (*pairs, *((b, a) for a, b in pairs)) if a in name}
    return [names[one] for one in changed if one in names and names[one] != k]
