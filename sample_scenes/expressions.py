"""Twelve expressions of several keys, for looking at the head and for testing it. A stem without side means both."""

from __future__ import annotations

from .head.keys import ARKIT_KEYS

EXPRESSIONS: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.3, "mouthDimple": 0.2},
    "laugh": {"mouthSmile": 0.9, "jawOpen": 0.4, "cheekSquint": 0.8, "eyeSquint": 0.6, "mouthUpperUp": 0.3},
    "surprise": {"browInnerUp": 0.8, "browOuterUp": 0.9, "eyeWide": 0.8, "jawOpen": 0.6},
    "fear": {"browInnerUp": 1.0, "browDown": 0.3, "eyeWide": 0.9, "mouthStretch": 0.7, "jawOpen": 0.25},
    "sadness": {"browInnerUp": 1.0, "mouthFrown": 0.9, "mouthShrugLower": 0.5, "eyeSquint": 0.3, "eyeLookDown": 0.4},
    "anger": {"browDown": 1.0, "mouthPress": 0.9, "eyeSquint": 0.6, "noseSneer": 0.4},
    "disgust": {"noseSneer": 1.0, "mouthUpperUp": 0.6, "browDown": 0.7, "mouthShrugLower": 0.4, "eyeSquint": 0.4},
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "mouthSmileLeft": 0.6, "browDownLeft": 0.3},
    "m": {"jawOpen": 0.2, "mouthClose": 0.2, "mouthPress": 0.4},
    "f": {"jawOpen": 0.12, "mouthRollLower": 0.6, "mouthUpperUp": 0.25},
    "oo": {"mouthPucker": 0.8, "mouthFunnel": 0.3, "jawOpen": 0.15},
    "ee": {"mouthStretch": 0.6, "mouthSmile": 0.3, "mouthLowerDown": 0.6, "mouthUpperUp": 0.4, "jawOpen": 0.1},
}


def weights_of(shape: dict[str, float]) -> dict[str, float]:
    """Values by key name, of stems that may stand for a pair."""
    weights: dict[str, float] = {}
    for stem, value in shape.items():
        names = (stem,) if stem in ARKIT_KEYS else (f"{stem}Left", f"{stem}Right")
        weights.update(dict.fromkeys(names, value))
    return weights
