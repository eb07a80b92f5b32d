"""VRM's own expressions, made of ARKit's channels, and back.

What each is made of was written down by eye: five vowels and three moods cannot hold what 52 channels do. Names are
those of VRM 0; those of VRM 1 are read, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import nnls

from ...rig.channels import ARKIT_CHANNELS, arkit_name

_BOTH = ("Left", "Right")


def _on_both(**shares: float) -> dict[str, float]:
    """Shares of channels that are there once for either side."""
    return {f"{name}{side}": share for name, share in shares.items() for side in _BOTH}


RECIPES: Mapping[str, Mapping[str, float]] = {
    "A": {"jawOpen": 0.6, **_on_both(mouthLowerDown=0.2)},
    "I": _on_both(mouthStretch=0.6, mouthUpperUp=0.2),
    "U": {"mouthPucker": 0.8, "mouthFunnel": 0.2},
    "E": {"jawOpen": 0.25, **_on_both(mouthStretch=0.4, mouthLowerDown=0.4)},
    "O": {"jawOpen": 0.45, "mouthFunnel": 0.7},
    "Blink_L": {"eyeBlinkLeft": 1.0},
    "Blink_R": {"eyeBlinkRight": 1.0},
    "Joy": _on_both(mouthSmile=0.8, cheekSquint=0.5),
    "Angry": _on_both(browDown=1.0, noseSneer=0.4),
    "Sorrow": {"browInnerUp": 0.8, **_on_both(mouthFrown=0.6)},
}
"""What is sent, and made of what."""
_READ_ONLY: Mapping[str, Mapping[str, float]] = {
    "Blink": _on_both(eyeBlink=1.0),
    "Fun": _on_both(mouthSmile=0.5, eyeSquint=0.3),
    "Surprised": {"browInnerUp": 0.8, "jawOpen": 0.3, **_on_both(browOuterUp=0.8, eyeWide=0.8)},
    "LookUp": _on_both(eyeLookUp=1.0),
    "LookDown": _on_both(eyeLookDown=1.0),
    "LookLeft": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "LookRight": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
}
_OF_VRM_1 = {
    **{"aa": "A", "ih": "I", "ou": "U", "ee": "E", "oh": "O", "blinkleft": "Blink_L", "blinkright": "Blink_R"},
    **{"happy": "Joy", "sad": "Sorrow", "relaxed": "Fun"},
}
_KNOWN = {**RECIPES, **_READ_ONLY}
_BY_NAME = {name.lower(): name for name in _KNOWN} | _OF_VRM_1
_MATRIX = np.array([[recipe.get(channel, 0.0) for recipe in RECIPES.values()] for channel in ARKIT_CHANNELS])


def arkit_of_expressions(values: Mapping[str, float]) -> dict[str, float]:
    """The ARKit channels that VRM's expressions among some values stand for, of those that are not there themselves."""
    there = {arkit_name(name) for name in values if name.lower() not in _BY_NAME}
    found: dict[str, float] = {}
    for name, value in values.items():
        for channel, share in _KNOWN.get(_BY_NAME.get(name.lower(), ""), {}).items():
            if channel not in there:
                found[channel] = min(1.0, found.get(channel, 0.0) + share * value)
    return found


def expressions_of_arkit(weights: Mapping[str, float]) -> dict[str, float]:
    """VRM's expressions that come closest to a face, 0 to 1 each.

    Args:
        weights: of ARKit channels; those that are not there are 0.
    """
    wanted = np.array([max(0.0, weights.get(channel, 0.0)) for channel in ARKIT_CHANNELS])
    found, _ = nnls(_MATRIX, wanted)
    return {name: min(1.0, float(value)) for name, value in zip(RECIPES, found, strict=True)}
