"""Two takes of the same performance side by side: where they differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import F64, Bools
from ...errors import FacecapError
from ...rig.channels import arkit_name, region_of
from ..between import resample
from ..take import Take

OTHER = "other"
"""The region of channels whose names are none of ARKit's."""
_SMALL = 0.05
"""Moments that differ by less than this share of the worst are none."""
_APART_S = 0.3
"""Of frames listed, none is nearer than this to a worse one: they would be the same moment."""


@dataclass(frozen=True)
class Comparison:
    """Two takes frame by frame, at the times of the first; NaN where not both show a face.

    Attributes:
        channels: K that both have.  time_s: (F,) s.
        mine, theirs: (F, K) weights of the first and of the other.  head_degrees: (F,) angle between the heads.
    """

    channels: tuple[str, ...]
    time_s: F64
    mine: F64
    theirs: F64
    head_degrees: F64

    @property
    def there(self) -> Bools:
        """(F,) bool: frames in which both show a face."""
        return np.isfinite(self.head_degrees)

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """R regions that the channels belong to."""
        return tuple(dict.fromkeys(_region(channel) for channel in self.channels))

    @cached_property
    def summary(self) -> TakeDifference:
        """What differs most."""
        return summarise(self)

    def by_region(self) -> F64:
        """(F, R) the largest difference in any channel of each region; NaN as above."""
        of = [_region(channel) for channel in self.channels]
        off = np.abs(self.mine - self.theirs)
        return np.stack([off[:, [k for k, one in enumerate(of) if one == name]].max(1) for name in self.regions], 1)


@dataclass(frozen=True)
class TakeDifference:
    """How two takes differ, at the times of the first.

    Attributes:
        channels: those that both have, most different first.  rms: (K,) of theirs, over the frames that both solved.
        time_s: (N,) the moments at which they differ most, worst first.
        worst: (N,) by how much there.  channel_at: (N,) in which channel.
        head_degrees: rms of the angle between the heads.
        frames: that both solved.
    """

    channels: tuple[str, ...]
    rms: F64
    time_s: F64
    worst: F64
    channel_at: tuple[str, ...]
    head_degrees: float
    frames: int


def compare(one: Take, other: Take) -> Comparison:
    """Lay two takes over each other, by the times at which they play: a retimed one where it was moved to.

    Raises FacecapError if they have no channel or no time in common.
    """
    shared = [channel for channel in one.channels if channel in other.channels]
    if not shared:
        raise FacecapError("The takes have no channel in common.", "Compare takes of the same character.")
    seen_s = other.time_s[other.solved] if other.solved.any() else np.array([np.inf])
    inside = one.solved & (one.time_s >= seen_s[0]) & (one.time_s <= seen_s[-1])
    if not inside.any():
        raise FacecapError("The takes have no time in common.", "Compare takes of the same footage.")
    same = resample(other, one.time_s[inside])
    inside[np.flatnonzero(inside)[~same.solved]] = False
    there = same.solved
    if not there.any():
        raise FacecapError("No frame shows a face in both takes.", "Compare other takes.")
    mine, theirs = (np.full((one.frame_count, len(shared)), np.nan) for _ in range(2))
    mine[inside] = one.weights[inside][:, [one.channels.index(channel) for channel in shared]]
    theirs[inside] = same.weights[there][:, [same.channels.index(channel) for channel in shared]]
    cosine = np.abs((one.head_rotation_wxyz[inside] * same.head_rotation_wxyz[there]).sum(1, dtype=np.float64))
    angles = np.full(one.frame_count, np.nan)
    angles[inside] = np.degrees(2 * np.arccos(np.clip(cosine, 0.0, 1.0)))
    return Comparison(tuple(shared), one.time_s, mine, theirs, angles)


def difference_of(one: Take, other: Take, *, moments: int = 5) -> TakeDifference:
    """Compare two takes, as `compare`, and sum it up."""
    return summarise(compare(one, other), moments=moments)


def summarise(compared: Comparison, *, moments: int = 5) -> TakeDifference:
    """Which channels of two takes differ most, and when."""
    there = compared.there
    off = (compared.mine - compared.theirs)[there]
    rms = np.sqrt((off**2).mean(0))
    order = np.argsort(-rms, kind="stable")
    time_s, largest = compared.time_s[there], np.abs(off).max(1)
    at = _find_peaks(time_s, largest, moments)
    return TakeDifference(
        tuple(compared.channels[k] for k in order),
        rms[order],
        time_s[at],
        largest[at],
        tuple(compared.channels[k] for k in np.abs(off[at]).argmax(1)),
        float(np.sqrt((compared.head_degrees[there] ** 2).mean())),
        int(there.sum()),
    )


def _region(channel: str) -> str:
    name = arkit_name(channel)
    return OTHER if name is None else region_of(name)


def _find_peaks(time_s: F64, largest: F64, count: int) -> list[int]:
    """The worst frames, each a moment of its own."""
    found: list[int] = []
    for row in np.argsort(-largest, kind="stable").tolist():
        if len(found) == count or largest[row] <= _SMALL * float(largest.max()):
            break
        if all(abs(time_s[row] - time_s[other]) >= _APART_S for other in found):
            found.append(row)
    return found
