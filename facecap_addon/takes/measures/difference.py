"""Two takes of the same performance side by side: where they differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import F64
from ...errors import FacecapError
from ..between import resample
from ..take import Take

_APART_S = 0.3
"""Of frames listed, none is nearer than this to a worse one: they would be the same moment."""


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


def difference_of(one: Take, other: Take, *, moments: int = 5) -> TakeDifference:
    """Compare two takes.

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
    mine = one.weights[inside][:, [one.channels.index(channel) for channel in shared]].astype(np.float64)
    theirs = same.weights[there][:, [same.channels.index(channel) for channel in shared]]
    off = mine - theirs
    rms = np.sqrt((off**2).mean(0))
    order = np.argsort(-rms, kind="stable")
    time_s, largest = one.time_s[inside], np.abs(off).max(1)
    at = _find_peaks(time_s, largest, moments)
    cosine = np.abs((one.head_rotation_wxyz[inside] * same.head_rotation_wxyz[there]).sum(1, dtype=np.float64))
    angles = np.degrees(2 * np.arccos(np.clip(cosine, 0.0, 1.0)))
    return TakeDifference(
        tuple(shared[k] for k in order),
        rms[order],
        time_s[at],
        largest[at],
        tuple(shared[k] for k in np.abs(off[at]).argmax(1)),
        float(np.sqrt((angles**2).mean())),
        int(inside.sum()),
    )


def _find_peaks(time_s: F64, largest: F64, count: int) -> list[int]:
    """The worst frames, each a moment of its own."""
    found: list[int] = []
    for row in np.argsort(-largest, kind="stable").tolist():
        if len(found) == count or largest[row] <= 0.0:
            break
        if all(abs(time_s[row] - time_s[other]) >= _APART_S for other in found):
            found.append(row)
    return found
