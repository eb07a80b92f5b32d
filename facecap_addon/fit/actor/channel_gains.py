"""What a calibration teaches about single channels: how far each gets when it is meant fully, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32
from ...rig.channels import columns_by_name
from ...takes.actor import ChannelGain
from ...takes.take import Take
from .expression_holds import Hold
from .guide import NEUTRAL, expression_named

# A channel that gets no further than this when it is meant was not seen; amplified, it would be noise.
_SEEN, _MOST_GAIN = 0.2, 1.8
# What comes with an expression by less than this share is no companion; more than the most is not taken away.
_COMPANION, _MOST_COMPANION = 0.1, 0.4
_MOST_OFFSET = 0.15
# Where eyes look, and whether they are shut, is nobody's companion; jaw and closed lips hold each other's balance.
_NEVER_COMPANIONS = ("eyeLook", "eyeBlink", "jawOpen", "mouthClose")
# Errors of the fit go to neighbours. What moves elsewhere was done on purpose: a blink during a smile.
_UPPER, _LOWER = ("brow", "eye", "nose"), ("mouth", "jaw", "cheek", "nose")


def learn_gains(take: Take, holds: Sequence[Hold]) -> dict[str, ChannelGain]:
    """Gain, offset and companions of channels, by ARKit name, from the holds of a take.

    At neutral a channel should be 0, and where it is meant 1. Of several holds of one expression the fullest counts.
    """
    names = columns_by_name(take.channels)

    def level(hold: Hold) -> dict[str, float]:
        middle = np.median(take.weights[hold.rows], axis=0)
        return {name: float(middle[at].mean()) for name, at in names.items()}

    rest = [level(hold) for hold in holds if hold.name == NEUTRAL]
    offsets = {name: min(float(np.mean([one[name] for one in rest])), _MOST_OFFSET) if rest else 0.0 for name in names}
    gains: dict[str, float] = {}
    companions: dict[str, dict[str, float]] = {}
    for expression in dict.fromkeys(hold.name for hold in holds if hold.name != NEUTRAL):
        asked = expression_named(expression)
        meant = [name for name in asked.meant if name in names]
        levels = [level(hold) for hold in holds if hold.name == expression]
        fullest = max(levels, key=lambda one: sum(one[name] for name in meant)) if meant else {}
        reached = {name: fullest[name] - offsets[name] for name in meant}
        seen = [name for name in meant if reached[name] >= _SEEN]
        for name in seen:
            gains[name] = float(np.clip(1 / reached[name], 1.0, _MOST_GAIN))
        part = tuple(prefix for near in (_UPPER, _LOWER) if any(m.startswith(near) for m in seen) for prefix in near)
        for other in set(names) - {*asked.meant, *asked.natural} if seen else ():
            beside = fullest[other] - offsets[other]
            if beside >= _COMPANION and other.startswith(part) and not other.startswith(_NEVER_COMPANIONS):
                for name in seen:  # they share it
                    share = min(beside / (len(seen) * reached[name]), _MOST_COMPANION / len(seen))
                    companions.setdefault(name, {})[other] = round(share, 4)
    learned = {*gains, *companions, *(name for name, offset in offsets.items() if offset > 0.01)}
    return {
        name: ChannelGain(round(gains.get(name, 1.0), 4), round(offsets[name], 4), companions.get(name, {}))
        for name in names
        if name in learned
    }


def apply_gains(
    weights: F32, channels: tuple[str, ...], gains: Mapping[str, ChannelGain], ranges: NDArray[np.floating]
) -> F32:
    """Weights as the actor means them.

    Args:
        weights: (F, K) of channels.  gains: by ARKit name.  ranges: (K, 2) smallest and largest weights.
    """
    if not gains:
        return weights
    names = columns_by_name(channels)
    above = weights.astype(np.float64)
    for name, one in gains.items():
        for k in names.get(name, ()):
            above[:, k] = np.maximum(above[:, k] - one.offset, np.minimum(above[:, k], 0))
    out = above.copy()
    for name, one in gains.items():
        for other, share in one.companions.items():
            for k in names.get(other, ()):
                taken = share * above[:, names[name]].mean(1) if name in names else 0.0
                out[:, k] = np.where(out[:, k] > 0, np.maximum(out[:, k] - taken, 0), out[:, k])
    for name, one in gains.items():
        out[:, names.get(name, [])] *= one.gain
    return np.clip(out, *ranges.T).astype(np.float32)
