"""Keys of a character that do the same under two names: the character with each of them once, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .blendshapes import BlendshapeRig
from .channels import arkit_name, pair_side

_ALIKE = 0.1
"""Keys are twins whose displacements differ by less than this share of their own."""


@dataclass(frozen=True)
class DistinctKeys:
    """A character with each key once, and how all of its keys bear those weights.

    Attributes:
        rig: the character with D keys, no two of them spellings of one; the same object where it had none.
        names: K names of all keys.
        place: (K,) int, which of the D each key of the whole character is.
        share: (K,) float32, what part of that weight the key bears: twins share it, so that the face moves once.
    """

    rig: BlendshapeRig
    names: tuple[str, ...]
    place: NDArray[np.intp]
    share: NDArray[np.float32]

    def scatter(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """(..., K) weights of all keys from those of the distinct ones, (..., D)."""
        # In order of rows: numpy would choose another, and sums over a row then round differently.
        return np.ascontiguousarray(weights[..., self.place] * self.share)

    def gather(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """(..., D) weights of the distinct keys from those of all, (..., K): what twins bear adds up."""
        gathered = np.zeros((*weights.shape[:-1], len(self.rig.channels)), np.float32)
        np.add.at(np.moveaxis(gathered, -1, 0), self.place, np.moveaxis(weights, -1, 0))
        return gathered


def find_distinct_keys(rig: BlendshapeRig) -> DistinctKeys:
    """Find which keys of a character are spellings of one channel that also do the same.

    Keys of one channel that move different parts (head and teeth) are distinct: each bears its channel's weight whole.
    """
    twins = _find_twins(rig)
    place = np.empty(len(rig.channels), np.intp)
    for k, group in enumerate(twins):
        place[group] = k
    share = np.array([1.0 / len(twins[k]) for k in place], np.float32)
    if len(twins) == len(rig.channels):
        return all_keys(rig)
    once = replace(
        rig,
        deltas=np.stack([rig.deltas[group].mean(0) for group in twins]),
        channels=tuple(rig.channels[group[0]] for group in twins),
        ranges=np.stack([rig.ranges[group].mean(0) for group in twins]),
    )
    return DistinctKeys(once, rig.channels, place, share)


def all_keys(rig: BlendshapeRig) -> DistinctKeys:
    """A character's keys as they are, each bearing its own weight."""
    count = len(rig.channels)
    return DistinctKeys(rig, rig.channels, np.arange(count), np.ones(count, np.float32))


def _find_twins(rig: BlendshapeRig) -> list[list[int]]:
    """All keys, those that are one together, in the order of the first of each."""
    groups: list[list[int]] = []
    of_channel: dict[tuple[str, str | None], list[list[int]]] = {}
    for k, channel in enumerate(rig.channels):
        name = arkit_name(channel)
        known = of_channel.setdefault((name, pair_side(channel)), []) if name is not None else []
        size = float(np.linalg.norm(rig.deltas[k]))
        for group in known:
            if float(np.linalg.norm(rig.deltas[k] - rig.deltas[group[0]])) <= _ALIKE * size:
                group.append(k)
                break
        else:
            groups.append([k])
            known.append(groups[-1])
    return groups
