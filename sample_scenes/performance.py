"""A short performance authored in code: speech with closures, blinks, brows, glances, a smile and turns of the head.

Mouth shapes follow from a line of phonemes. Neighbouring sounds blend by dominance (Cohen and Massaro, "Modeling
coarticulation in synthetic visual speech", 1993); at m, b and p a seal of its own shuts the lips for certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from .head.eye_keys import GAZE_DEGREES
from .head.keys import ARKIT_KEYS

F64 = NDArray[np.float64]

FPS = 25
DURATION_S = 9.0
# Mouth shape of each sound: (key stem, weight); a stem without side stands for both.
SHAPES: dict[str, dict[str, float]] = {
    "AA": {"jawOpen": 0.37, "mouthLowerDown": 0.20, "mouthUpperUp": 0.05},
    "AH": {"jawOpen": 0.24, "mouthLowerDown": 0.18, "mouthUpperUp": 0.06},
    "AO": {"jawOpen": 0.30, "mouthFunnel": 0.35, "mouthPucker": 0.15},
    "EH": {"jawOpen": 0.22, "mouthLowerDown": 0.25, "mouthStretch": 0.18, "mouthUpperUp": 0.12},
    "IH": {"jawOpen": 0.12, "mouthLowerDown": 0.28, "mouthStretch": 0.22, "mouthUpperUp": 0.12},
    "IY": {"jawOpen": 0.07, "mouthSmile": 0.24, "mouthStretch": 0.30, "mouthLowerDown": 0.30, "mouthUpperUp": 0.14},
    "OW": {"jawOpen": 0.16, "mouthFunnel": 0.42, "mouthPucker": 0.40},
    "UW": {"jawOpen": 0.07, "mouthPucker": 0.78, "mouthFunnel": 0.18},
    "W": {"jawOpen": 0.04, "mouthPucker": 0.82, "mouthFunnel": 0.10},
    "F": {"jawOpen": 0.06, "mouthRollLower": 0.35, "mouthUpperUp": 0.22},
    "L": {"jawOpen": 0.14, "mouthLowerDown": 0.15, "mouthUpperUp": 0.05},
    "T": {"jawOpen": 0.06, "mouthLowerDown": 0.20, "mouthUpperUp": 0.08, "mouthStretch": 0.08},
    "S": {"jawOpen": 0.03, "mouthLowerDown": 0.26, "mouthUpperUp": 0.10, "mouthStretch": 0.20},
    "K": {"jawOpen": 0.12, "mouthLowerDown": 0.12},
    "M": {"jawOpen": 0.06, "mouthPress": 0.18},
    "P": {"jawOpen": 0.07, "mouthPress": 0.26},
    "-": {},
}
LIKE = {"HH": "K", "NG": "K", "N": "T", "D": "T", "Z": "S", "V": "F", "B": "P", "AY": "AA", "EY": "EH"}
SHUT = ("M", "P", "B")
PARTING = ("mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthRollLower")
# What is said and when each sound begins, s: "Hello! My name is Pip. Maybe you've met a puppet? But I'm always moving."
SAID = (
    ("HH", 0.62), ("EH", 0.70), ("L", 0.82), ("OW", 0.92), ("-", 1.25),
    ("M", 1.52), ("AY", 1.62), ("N", 1.80), ("EY", 1.88), ("M", 2.02), ("IH", 2.12), ("Z", 2.20), ("P", 2.32),
    ("IH", 2.43), ("P", 2.56), ("-", 2.76),
    ("M", 3.30), ("EY", 3.40), ("B", 3.56), ("IY", 3.66), ("UW", 3.84), ("V", 3.98), ("M", 4.08), ("EH", 4.18),
    ("T", 4.32), ("AH", 4.40), ("P", 4.50), ("AH", 4.60), ("P", 4.74), ("IH", 4.84), ("T", 4.98), ("-", 5.15),
    ("B", 5.70), ("AH", 5.80), ("D", 5.94), ("AY", 6.02), ("AH", 6.18), ("M", 6.30), ("AO", 6.42), ("L", 6.60),
    ("W", 6.70), ("EY", 6.82), ("Z", 6.98), ("M", 7.10), ("UW", 7.22), ("V", 7.42), ("IH", 7.52), ("NG", 7.64),
    ("-", 7.85),
)  # fmt: skip
BLINKS_S = (0.42, 2.85, 3.98, 5.30, 7.05, 8.62)
# Slow keys: (time s, weight) between which they ease.
SLOW: dict[str, tuple[tuple[float, float], ...]] = {
    "browInnerUp": ((0.4, 0), (0.75, 0.55), (1.3, 0.1), (3.2, 0.0), (3.6, 0.7), (5.0, 0.45), (5.5, 0), (9, 0)),
    "browOuterUp": ((0.4, 0), (0.75, 0.45), (1.3, 0), (3.2, 0), (3.6, 0.65), (5.0, 0.3), (5.5, 0), (7.6, 0),
                    (8.0, 0.35), (8.6, 0.1), (9, 0)),
    "browDown": ((5.4, 0), (5.8, 0.6), (6.6, 0.5), (7.0, 0.0), (9, 0)),
    "mouthSmile": ((0.5, 0.05), (0.8, 0.25), (1.4, 0.2), (1.8, 0.05), (2.8, 0.3), (3.2, 0.08), (5.2, 0), (7.6, 0.1),
                   (8.1, 0.75), (8.6, 0.7), (9, 0.3)),
    "cheekSquint": ((2.5, 0), (2.8, 0.2), (3.2, 0), (7.7, 0), (8.15, 0.6), (8.6, 0.5), (9, 0.15)),
    "mouthDimple": ((7.7, 0), (8.1, 0.25), (9, 0.1)),
    "noseSneer": ((5.5, 0), (5.8, 0.22), (6.5, 0.1), (7, 0)),
    "eyeSquint": ((5.5, 0), (5.8, 0.35), (6.8, 0.15), (7.7, 0.1), (8.1, 0.4), (9, 0.1)),
    "eyeWide": ((0.45, 0), (0.75, 0.3), (1.2, 0), (3.3, 0), (3.6, 0.35), (4.4, 0.1), (5, 0)),
}  # fmt: skip
# Head: yaw to the character's left, pitch up, roll to her left shoulder, degrees.
TURNS = ((0, 0, 0, 0), (0.7, -4, 5, 1), (1.4, 6, -2, -2), (2.4, 11, -4, -3), (3.1, 4, 1, 0), (3.8, -13, 6, 5),
         (4.6, -20, 3, 6), (5.3, -8, -3, 2), (5.9, 7, -8, -3), (6.7, 20, -3, -5), (7.5, 12, 2, -1), (8.2, 0, 3, 3),
         (9, 0, 0, 0))  # fmt: skip
# Where she looks, degrees from the camera, in the world: yaw to her left, pitch up.
GLANCES = ((0, 0, 0), (4.2, 0, 0), (4.35, -16, 6), (4.9, -16, 6), (5.05, 0, 0), (6.3, 0, 0), (6.4, 10, -8),
           (6.9, 10, -8), (7.05, 0, 0), (9, 0, 0))  # fmt: skip
# The right side of the face does a little less.
RIGHT_SHARE = 0.9


@dataclass(frozen=True)
class Performance:
    """Curves of a take.

    Attributes:
        time_s: (F,) float64.
        weights: (F, 52) float64 in 0..1, columns as in ARKIT_KEYS.
        turn_rad: (F, 3) float64, yaw to the character's left, pitch up, roll to her left shoulder.
        shift_m: (F, 3) float64, of the neck, Blender's axes.
    """

    time_s: F64
    weights: F64
    turn_rad: F64
    shift_m: F64


def perform() -> Performance:
    """The whole performance, nine seconds at 25 frames per second."""
    time_s = np.arange(round(DURATION_S * FPS)) / FPS
    curves = _speech(time_s)
    for stem, knots in SLOW.items():
        curves[stem] = np.clip(curves.get(stem, 0.0) + _eased(knots, time_s), 0.0, 1.0)
    turn = np.stack([_eased([(k[0], k[i]) for k in TURNS], time_s) for i in (1, 2, 3)], axis=1)
    turn += 0.5 * np.stack(
        [np.sin(2 * np.pi * f * time_s + p) for f, p in ((0.9, 0.3), (1.3, 1.1), (0.7, 2.0))], axis=1
    )
    turn = np.radians(turn)
    weights = np.zeros((len(time_s), len(ARKIT_KEYS)))
    columns = {name: i for i, name in enumerate(ARKIT_KEYS)}
    for stem, curve in curves.items():
        if stem in columns:
            weights[:, columns[stem]] = curve
        else:
            weights[:, columns[stem + "Left"]] = curve
            weights[:, columns[stem + "Right"]] = RIGHT_SHARE * curve
    blink = _blinks(time_s)
    for side in ("Left", "Right"):
        weights[:, columns[f"eyeBlink{side}"]] = blink
        for stem in ("eyeSquint", "eyeWide"):
            weights[:, columns[stem + side]] *= 1 - blink
    for name, curve in _gaze(time_s, turn).items():
        weights[:, columns[name]] = curve
    sway = 0.004 * np.stack([np.sin(1.7 * time_s), 0.6 * np.sin(1.1 * time_s + 1), 0.4 * np.sin(2.3 * time_s)], axis=1)
    return Performance(time_s, np.clip(weights, 0, 1), turn, sway - sway[0])


def _speech(time_s: F64) -> dict[str, F64]:
    """Curves of the mouth's keys."""
    starts = np.array([start for _, start in SAID] + [DURATION_S])
    middles = 0.5 * (starts[:-1] + starts[1:])
    lengths = np.diff(starts)
    # Pauses reach as far as they last; sounds about a tenth of a second.
    reach = np.where([sound == "-" for sound, _ in SAID], 0.5 * lengths, 0.075)
    dominance = np.exp(-((np.abs(time_s[:, None] - middles) / reach) ** 2)) + 1e-9
    before = np.exp(-((np.maximum(time_s - starts[0] + 0.05, 0) / 0.09) ** 2))  # rest until the first sound
    share = dominance / (dominance.sum(1) + before + 1e-9)[:, None]
    shapes = [SHAPES[LIKE.get(sound, sound)] for sound, _ in SAID]
    curves = {
        stem: share @ np.array([shape.get(stem, 0.0) for shape in shapes])
        for stem in dict.fromkeys(stem for shape in shapes for stem in shape)
    }
    seal = np.zeros(len(time_s))
    for (sound, start), length in zip(SAID, lengths, strict=True):
        if sound in SHUT:
            ease = 0.06
            edge = np.minimum(time_s - (start - ease), start + length + 0.02 - time_s) / ease
            seal = np.maximum(seal, _smooth(np.clip(edge, 0, 1)))
    for stem in PARTING:
        curves[stem] = curves[stem] * (1 - seal)
    curves["mouthClose"] = curves["jawOpen"] * seal
    return curves


def _blinks(time_s: F64) -> F64:
    lid = np.zeros(len(time_s))
    for start in BLINKS_S:
        lid = np.maximum(lid, np.interp(time_s - start, [0, 0.08, 0.12, 0.30], [0, 1, 1, 0]))
    return lid


def _gaze(time_s: F64, turn: F64) -> dict[str, F64]:
    """The eyes stay where they look while the head turns."""
    yaw = np.interp(time_s, *zip(*[(t, a) for t, a, _ in GLANCES], strict=True)) - np.degrees(turn[:, 0])
    pitch = np.interp(time_s, *zip(*[(t, b) for t, _, b in GLANCES], strict=True)) - np.degrees(turn[:, 1])
    out, inward, up, down = (GAZE_DEGREES[name] for name in ("Out", "In", "Up", "Down"))
    left, right = np.maximum(yaw, 0), np.maximum(-yaw, 0)
    curves = {
        "eyeLookOutLeft": left / out, "eyeLookInRight": left / inward,
        "eyeLookInLeft": right / inward, "eyeLookOutRight": right / out,
    }  # fmt: skip
    for side in ("Left", "Right"):
        curves[f"eyeLookUp{side}"] = np.maximum(pitch, 0) / up
        curves[f"eyeLookDown{side}"] = np.maximum(-pitch, 0) / down
    return curves


def _eased(knots: tuple[tuple[float, float], ...] | list[tuple[float, float]], time_s: F64) -> F64:
    """Through all knots, resting at their extremes."""
    at, value = np.array(knots, float).T
    inside = np.clip(time_s, at[0], at[-1])
    return PchipInterpolator(at, value)(inside)


def _smooth(x: F64) -> F64:
    return x * x * (3 - 2 * x)
