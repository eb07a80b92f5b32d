"""Curves to draw a character under: what an actor would be asked to do for a training set.

As in Laine et al. section 4, one part is a range of motion, in which each key goes to its end (mouth and the rest at
the same time), one is expressions, and the rest moves like fast speech: seven mouth shapes a second over brows, eyes
that look about, and blinks. Faces are such as performers were recorded making, mouth and eyes drawn independently,
every other one with a key of its own; of keys that nobody recorded, a few at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ...arrays import F32, F64
from ...fit.energies.expression_prior import poses_for_response
from ...geometry.easing import smoothstep
from ...rig.channels import arkit_name, region_of

PICTURE_SIZE = (240, 320)
"""Width and height, px, of what is rendered (`footage`, which needs PyTorch; who describes it first need not)."""
_MOUTH = ("mouth", "jaw", "tongue")
_LEFT_OUT = ("tongue",)
_HOLD_SHARE = 0.2
"""Share of the time for which a face is held."""
_SEEN_ASIDE = ("jawForward",)
"""What a camera in front hardly tells (Laine et al. section 5.1); as recorded unless one from the side sees it."""
_OF_ONES_OWN = 0.5
"""Share of the faces with a key that nobody was recorded moving with the others."""
_TO_ITS_END_S = (0.45, 1.0)
"""How quickly and how slowly a key goes to its end and back."""
_FIXATION_S, _SACCADE_S = (0.15, 0.8), 0.1
POSE_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
"""Of the recorded faces: what shots of a use are made of, so that none is judged by a face that was learned."""
_OPPOSED = (("Left", "Right"), ("In", "Out"), ("Up", "Down"), ("Smile", "Frown"), ("Wide", "Blink"), ("Wide", "Squint"))


def make_shot_curves(
    channels: tuple[str, ...],
    ranges: NDArray[np.floating],
    seconds: float,
    fps: float,
    seed: int,
    *,
    aside: bool = False,
    poses: str | None = None,
) -> F64:
    """(F, K) float64 weights of one shot.

    Args:
        channels: K names.  ranges: (K, 2) smallest and largest weights.  seed: the same gives the same shot; one
            in three is a range of motion or expressions, the others are speech.
        aside: a camera from the side looks on, that sees what from the front cannot be told: the jaw is exercised more.
        poses: a name of POSE_SHARES: only faces of that share are made, which no other has; None: of all.
    """
    random, recorded = np.random.default_rng([seed, 7]), find_recorded_faces(channels, poses)
    time_s = np.arange(round(seconds * fps)) / fps
    kind = ("motion", "speech", "speech", "expressions", "speech", "speech")[seed % 6]
    seen = np.array([aside or arkit_name(c) not in _SEEN_ASIDE for c in channels])
    jaw = np.array([_find_region(c) == "jaw" for c in channels])
    mouth = np.array([_find_region(c) in _MOUTH for c in channels])
    if kind == "motion":
        curves = np.zeros((len(time_s), len(channels)))
        for part in (jaw, mouth & ~jaw, ~mouth) if aside else (mouth, ~mouth):
            curves += _make_range_of_motion(channels, time_s, random, of=part)
    elif kind == "expressions":
        every = np.ones(len(channels), bool)
        curves = _make_poses(
            recorded, channels, time_s, random, every_s=0.3, gain=(0.9, 1.7), of=every, own=every & seen
        )
    else:
        curves = _make_poses(
            recorded, channels, time_s, random, every_s=0.14, gain=(0.6, 1.5), of=mouth, own=mouth & seen
        )
        curves += _make_poses(recorded, channels, time_s, random, every_s=0.25, gain=(0.7, 1.5), of=~mouth, own=~mouth)
    if kind != "motion":
        _add_gaze(curves, channels, time_s, random)
    _add_blinks(curves, channels, time_s, random)
    _keep_tongue(curves, channels)
    low, high = np.asarray(ranges, np.float64).T
    top = np.where(high > 0, high, 0.0)
    return np.clip(np.clip(curves, 0, 1) * top, low, high)


def find_recorded_faces(channels: tuple[str, ...], poses: str | None = None) -> F32 | None:
    """(N, K) weights of faces that performers were recorded making, all or those of a share; None of unknown channels.

    Args:
        poses: a name of POSE_SHARES; what falls to one falls to no other.
    """
    recorded = poses_for_response(channels)
    if recorded is None or poses is None:
        return recorded
    ends = np.cumsum([0, *POSE_SHARES.values()]) * len(recorded)
    first, last = (round(float(ends[list(POSE_SHARES).index(poses) + more])) for more in (0, 1))
    order = np.random.default_rng(len(recorded)).permutation(len(recorded))
    return recorded[order[first:last]]


def make_head_curves(seconds: float, fps: float, seed: int, *, turn_rad: float = 0.06, shift_m: float = 0.005) -> F64:
    """(F, 6) float64: rotation vector (rad) and shift (m) of a head that is asked to stay where it is."""
    random = np.random.default_rng([seed, 11])
    time_s = np.arange(round(seconds * fps)) / fps
    out = np.stack([_make_smooth_noise(time_s, random, every_s=0.8) for _ in range(6)], 1)
    return out * np.repeat([turn_rad, shift_m], 3) * (1.0, 1.0, 0.6, 1.0, 1.0, 2.0)


def _find_region(channel: str) -> str:
    name = arkit_name(channel)
    return region_of(name) if name is not None else "mouth"


def _make_range_of_motion(
    channels: tuple[str, ...], time_s: F64, random: np.random.Generator, *, of: NDArray[np.bool_]
) -> F64:
    """Keys to their ends, one after the other and over again, pairs together or alone."""
    out = np.zeros((len(time_s), len(channels)))
    keys = [k for k in np.flatnonzero(of) if _find_region(channels[k]) not in _LEFT_OUT]
    if not keys or not len(time_s):
        return out
    each = float(np.clip(time_s[-1] / len(keys), *_TO_ITS_END_S))
    order = np.concatenate([random.permutation(keys) for _ in range(1 + int(time_s[-1] / each) // len(keys))])
    for place, k in enumerate(order):
        middle = (place + 0.5) * each
        bump = smoothstep(1.3 - np.abs(time_s - middle) / (0.5 * each) * 1.3)
        both_sides = [k, *_find_mirror_channel(channels, k)] if random.random() < 0.5 else [k]
        for one in both_sides:
            out[:, one] = np.maximum(out[:, one], bump)
    return out


def _make_poses(
    recorded: F32 | None,
    channels: tuple[str, ...],
    time_s: F64,
    random: np.random.Generator,
    *,
    every_s: float,
    gain: tuple[float, float],
    of: NDArray[np.bool_],
    own: NDArray[np.bool_],
) -> F64:
    """From one face to the next, of some channels: what performers were recorded doing, weaker or stronger.

    Now and then with one of its `own` channels, which no one else moves with these.
    """
    count = max(2, int(np.ceil(time_s[-1] / (0.6 * every_s))) + 2) if len(time_s) else 2
    knots = np.cumsum(random.uniform(0.6, 1.4, count)) * every_s
    knots -= knots[0]
    if recorded is not None:
        faces = recorded[random.integers(len(recorded), size=count)] * random.uniform(*gain, (count, 1))
    else:  # keys that nobody recorded: a few at a time
        chosen = random.random((count, len(channels))) < 0.15
        faces = chosen * random.beta(1.2, 1.4, chosen.shape) * gain[1]
    for face in faces:
        if own.any() and random.random() < _OF_ONES_OWN:
            k = int(random.choice(np.flatnonzero(own)))
            face[[k, *_find_mirror_channel(channels, k)]] = random.uniform(0.2, 1.0)
            face[_find_opposing_channels(channels, k)] = 0.0
    # Faces are held for a moment, not only passed through.
    hold_times = np.repeat(knots, 2)[:-1]
    hold_times[1::2] += _HOLD_SHARE * np.diff(knots)
    shown = PchipInterpolator(hold_times, np.repeat(faces, 2, axis=0)[:-1])(np.minimum(time_s, knots[-1]))
    return np.asarray(shown, np.float64) * of


def _make_smooth_noise(time_s: F64, random: np.random.Generator, *, every_s: float) -> F64:
    """(F,) smooth noise in -1..1."""
    knots = np.arange(0, (time_s[-1] if len(time_s) else 0) + 2 * every_s, every_s)
    return np.asarray(PchipInterpolator(knots, random.uniform(-1, 1, len(knots)))(time_s), np.float64)


def _add_blinks(curves: F64, channels: tuple[str, ...], time_s: F64, random: np.random.Generator) -> None:
    columns = [k for k, c in enumerate(channels) if (arkit_name(c) or "").startswith("eyeBlink")]
    at = random.uniform(0, 2.0)
    while len(time_s) and at < time_s[-1]:
        shut = np.clip(1.4 - np.abs(time_s - at) / 0.1 * 1.2, 0, 1)
        for column in columns:
            curves[:, column] = np.maximum(curves[:, column], shut)
        at += random.uniform(1.0, 4.5)


def _add_gaze(curves: F64, channels: tuple[str, ...], time_s: F64, random: np.random.Generator) -> None:
    """Both eyes look about: they rest on one thing and leap to the next, as far aside as eyes go.

    Performers who are recorded look at the screen; a network that has seen only this takes every other look for it.
    """
    columns = {arkit_name(c): k for k, c in enumerate(channels) if (arkit_name(c) or "").startswith("eyeLook")}
    if len(columns) < 8 or not len(time_s):
        return
    times, looks = [0.0], [random.uniform(-1, 1, 2)]
    while times[-1] < time_s[-1]:
        rest = random.uniform(*_FIXATION_S)
        times += [times[-1] + rest, times[-1] + rest + _SACCADE_S]
        looks += [looks[-1], np.clip(random.normal(0, 0.45, 2), -1, 1)]
    aside, up = (np.interp(time_s, times, [look[axis] for look in looks]) for axis in (0, 1))
    for side, outwards in (("Left", aside), ("Right", -aside)):
        for way, share in (("Out", outwards), ("In", -outwards), ("Up", up), ("Down", -up)):
            curves[:, columns[f"eyeLook{way}{side}"]] = np.maximum(share, 0)


def _keep_tongue(curves: F64, channels: tuple[str, ...]) -> None:
    """A tongue comes out of an open mouth only."""
    names = [arkit_name(c) for c in channels]
    if "tongueOut" in names and "jawOpen" in names:
        out, jaw = names.index("tongueOut"), names.index("jawOpen")
        curves[:, out] = np.minimum(curves[:, out], 2 * np.maximum(curves[:, jaw] - 0.15, 0))


def _find_mirror_channel(channels: tuple[str, ...], k: int) -> list[int]:
    return _find_renamed_channels(channels, k, (("Left", "Right"),))


def _find_opposing_channels(channels: tuple[str, ...], k: int) -> list[int]:
    name = arkit_name(channels[k]) or ""
    if name.startswith("jaw") or name in ("mouthLeft", "mouthRight"):
        return _find_renamed_channels(channels, k, (("Left", "Right"),))
    return _find_renamed_channels(channels, k, _OPPOSED[1:])


def _find_renamed_channels(channels: tuple[str, ...], k: int, pairs: tuple[tuple[str, str], ...]) -> list[int]:
    """Channels whose name is this one's with a word replaced by its opposite."""
    names = {arkit_name(c): i for i, c in enumerate(channels)}
    name = arkit_name(channels[k])
    if name is None:
        return []
    changed = {name.replace(a, b) for a, b in (*pairs, *((b, a) for a, b in pairs)) if a in name}
    return [names[one] for one in changed if one in names and names[one] != k]
