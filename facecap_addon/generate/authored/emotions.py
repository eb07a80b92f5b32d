"""What the six basic emotions look like, in action units, and action units in ARKit's channels.

Action units are those of Ekman, Friesen and Hager (Facial Action Coding System, 2002); which of them make up an emotion
follows EMFACS (Friesen and Ekman 1983) and, for how often each is seen, Du, Tao and Martinez (2014, table 1).
"""

from __future__ import annotations

from dataclasses import dataclass

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")

CHANNELS_OF_UNIT: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp*": 1.0},
    4: {"browDown*": 1.0},
    5: {"eyeWide*": 1.0},
    6: {"cheekSquint*": 1.0, "eyeSquint*": 0.4},
    7: {"eyeSquint*": 1.0},
    9: {"noseSneer*": 1.0, "browDown*": 0.3},
    10: {"mouthUpperUp*": 1.0},
    12: {"mouthSmile*": 1.0},
    15: {"mouthFrown*": 1.0},
    16: {"mouthLowerDown*": 1.0},
    17: {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.4},
    20: {"mouthStretch*": 1.0},
    23: {"mouthPress*": 0.8, "mouthRollLower": 0.3, "mouthRollUpper": 0.3},
    25: {"mouthLowerDown*": 0.35, "mouthUpperUp*": 0.2, "jawOpen": 0.06},
    26: {"jawOpen": 0.7},  # a jaw that drops; one that is stretched open, all of the key, is unit 27
}
"""ARKit channels that show an action unit at full strength; `*` stands for Left and Right."""


@dataclass(frozen=True)
class Unit:
    """An action unit's part in an emotion.

    Attributes:
        number: of the unit.  low, high: its strength at the apex.  often: how often it takes part, 0 to 1.
    """

    number: int
    low: float
    high: float
    probability: float = 1.0


@dataclass(frozen=True)
class Emotion:
    """How an emotion is shown.

    Attributes:
        units: its action units.
        onset_s, apex_s, offset_s: shortest and longest time to rise, to stay, to fall.
        nod_deg: pitch of the head at the apex, positive is down.  back_mm: how far the head draws back.
    """

    units: tuple[Unit, ...]
    onset_s: tuple[float, float]
    apex_s: tuple[float, float]
    offset_s: tuple[float, float]
    nod_deg: float
    back_mm: float


EMOTIONS: dict[str, Emotion] = {
    "anger": Emotion(
        (Unit(4, 0.6, 1.0), Unit(5, 0.1, 0.5, 0.6), Unit(7, 0.4, 0.9), Unit(23, 0.4, 0.9), Unit(17, 0.2, 0.6, 0.5)),
        (0.35, 0.8),
        (0.9, 2.0),
        (0.6, 1.2),
        4.0,
        -4.0,
    ),
    "disgust": Emotion(
        (
            Unit(9, 0.5, 1.0),
            Unit(10, 0.4, 0.9),
            Unit(4, 0.2, 0.5, 0.5),
            Unit(15, 0.2, 0.6, 0.5),
            Unit(17, 0.2, 0.6, 0.6),
        ),
        (0.3, 0.7),
        (0.8, 1.8),
        (0.6, 1.2),
        -2.0,
        6.0,
    ),
    "fear": Emotion(
        (
            *(Unit(1, 0.5, 1.0), Unit(2, 0.3, 0.8), Unit(4, 0.2, 0.5), Unit(5, 0.5, 1.0)),
            *(Unit(20, 0.4, 0.9), Unit(25, 0.4, 1.0), Unit(26, 0.05, 0.3, 0.6)),
        ),
        (0.25, 0.6),
        (0.8, 1.9),
        (0.6, 1.3),
        -2.0,
        8.0,
    ),
    "happiness": Emotion(
        (Unit(6, 0.4, 1.0), Unit(12, 0.6, 1.0), Unit(25, 0.3, 1.0, 0.8), Unit(26, 0.05, 0.2, 0.4)),
        (0.4, 0.9),
        (0.9, 2.2),
        (0.7, 1.4),
        -1.5,
        2.0,
    ),
    "sadness": Emotion(
        (Unit(1, 0.5, 1.0), Unit(4, 0.3, 0.7), Unit(15, 0.5, 1.0), Unit(17, 0.2, 0.7, 0.7), Unit(7, 0.1, 0.4, 0.5)),
        (0.6, 1.1),
        (0.9, 2.0),
        (0.8, 1.4),
        6.0,
        1.0,
    ),
    "surprise": Emotion(
        (Unit(1, 0.7, 1.0), Unit(2, 0.7, 1.0), Unit(5, 0.5, 1.0), Unit(26, 0.35, 0.8), Unit(25, 0.2, 0.6, 0.5)),
        (0.18, 0.45),
        (0.5, 1.4),
        (0.5, 1.1),
        -3.5,
        6.0,
    ),
}
