"""What a calibration teaches about single channels: how far each gets when it is meant fully, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32
from ...rig.channels import arkit_name, columns_by_name
from ...takes.actor import ChannelGain
from ...takes.corrections import Correction, about_frames, corrections_of
from ...takes.take import Take
from .expression_holds import Hold
from .guide import NEUTRAL, expression_named

# A channel that gets no further than this when it is meant was not seen; amplified, it would be noise.
_SEEN, _MOST_GAIN = 0.2, 1.8
# What comes with an expression by less than this share is no companion; more than the most is not taken away.
_COMPANION, _MOST_COMPANION = 0.1, 0.4
_MOST_OFFSET = 0.15
# Corrected poses: below the first a channel is to be at rest, from the second on it is meant; sliders are set by eye to
# about 0.08, and gains differ by about 0.3 from person to person: that is the ridge.
_AT_REST, _MEANT, _SHRINK, _REST_POSES, _MOST_TAUGHT = 0.05, 0.1, 0.07, 2, 2.5
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


def learn_from_corrections(
    gains: Mapping[str, ChannelGain], pairs: Mapping[str, Sequence[tuple[float, float]]]
) -> dict[str, ChannelGain]:
    """Gains and offsets with what corrected poses teach about them.

    A gain goes from where it is towards the one that maps what was seen onto what was wanted, the farther the more, and
    the fuller, poses say so (ridge regression). What was wanted to be at rest says how far the channel is up at rest.

    Args:
        gains: known before, by ARKit name.
        pairs: by channel of any name, weights as fitted before gains, each with the right one.
    """
    learned = dict(gains)
    named: dict[str, list[tuple[float, float]]] = {}
    for channel, each in pairs.items():
        name = arkit_name(channel)
        if name is not None:
            named.setdefault(name, []).extend(each)
    for name, each in named.items():
        before = gains.get(name, ChannelGain())
        up = [seen for seen, wanted in each if wanted < _AT_REST and seen > before.offset]
        offset = before.offset + sum(seen - before.offset for seen in up) / (len(up) + _REST_POSES)
        offset = min(offset, max(before.offset, _MOST_OFFSET))
        meant = np.array(
            [(seen - offset, wanted) for seen, wanted in each if wanted >= _MEANT and seen - offset >= _MEANT]
        )
        gain = before.gain
        if len(meant):
            seen, wanted = meant.T
            gain = float((seen @ wanted + _SHRINK * before.gain) / (seen @ seen + _SHRINK))
            gain = float(np.clip(gain, min(before.gain, 1 / _MOST_TAUGHT), max(before.gain, _MOST_TAUGHT)))
        learned[name] = ChannelGain(round(gain, 4), round(offset, 4), before.companions)
    return learned


def with_seen(corrections: Sequence[Correction], take: Take) -> tuple[Correction, ...]:
    """Corrections with what the fit gave the frames of their poses, before gains, where they do not say.

    Args:
        take: as it was solved; of poses that it has reached already nothing can be told.
    """
    held = {one.time_s for one in about_frames(corrections_of(take), take.time_s) if one.pose}
    rows = np.flatnonzero(take.solved)
    out: list[Correction] = []
    for one in corrections:
        near = rows[np.abs(take.time_s[rows] - one.time_s).argmin()] if len(rows) else -1
        known = one.seen if near < 0 or one.time_s in held else {**seen_in(take, int(near), one.pose), **one.seen}
        out.append(replace(one, seen=known))
    return tuple(out)


def seen_in(take: Take, row: int, channels: Iterable[str]) -> dict[str, float]:
    """What the fit gave a row, before the actor's gains, of some channels."""
    if not take.solved[row]:
        return {}
    gains = take.actor.gains if take.actor is not None else {}
    return {
        name: seen_before_gains(
            float(take.weights[row, take.channels.index(name)]), gains.get(arkit_name(name) or "", ChannelGain())
        )
        for name in channels
        if name in take.channels
    }


def seen_before_gains(weight: float, gain: ChannelGain) -> float:
    """What the fit gave, of a weight after `apply_gains`, companions aside."""
    return weight / gain.gain + gain.offset if weight > 0 and gain.gain > 0 else weight


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
