"""A take on a character whose shape keys have other names: which channel moves which key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..rig.channels import arkit_name, pair_side
from .take import Take

Pairs = Sequence[tuple[str, str]]
"""Channels of a take, each with the shape key that it moves; "" for none."""


def guess_keys(channel: str, keys: Sequence[str]) -> list[str]:
    """The shape keys that mean what a channel does: the one of its own name, else those with the same ARKit name.

    A channel that ARKit has as a whole moves both halves, where the character has it in halves.
    """
    if channel in keys:
        return [channel]
    name, side = arkit_name(channel), pair_side(channel)
    same = [key for key in keys if name is not None and arkit_name(key) == name]
    return [key for key in same if side is None or pair_side(key) in (None, side)]


def map_channels(take: Take, pairs: Pairs) -> Take:
    """A take with the names of a character's shape keys as its channels; a key that several move has their mean.

    Args:
        pairs: the channels that move a key; what is not among them is left out.
    """
    columns = {channel: column for column, channel in enumerate(take.channels)}
    sources: dict[str, list[int]] = {}
    for channel, key in pairs:
        if key and channel in columns:
            sources.setdefault(key, []).append(columns[channel])
    keys = tuple(sources)
    weights = np.zeros((take.frame_count, len(keys)), np.float32)
    for place, key in enumerate(keys):
        weights[:, place] = take.weights[:, sources[key]].mean(1)

    def named(channels: Sequence[str]) -> tuple[str, ...]:
        """Keys all of whose channels are among some."""
        there = {columns[channel] for channel in channels if channel in columns}
        return tuple(key for key in keys if there.issuperset(sources[key]))

    return replace(
        take, channels=keys, weights=weights, not_observed=named(take.not_observed), inferred=named(take.inferred)
    )


def map_by_names(take: Take, keys: Sequence[str]) -> tuple[Take, Pairs]:
    """A take with channels that a character does not have under the names of keys that mean the same.

    Returns:
        the take, itself if there are none; and what was renamed.
    """
    taken = {channel for channel in take.channels if channel in keys}
    renamed = [
        (channel, key)
        for channel in take.channels
        if channel not in taken
        for key in guess_keys(channel, keys)
        if key not in taken
    ]
    if not renamed:
        return take, []
    moved = {channel for channel, _ in renamed}
    stay = [(channel, channel) for channel in take.channels if channel not in moved]
    return map_channels(take, [*stay, *renamed]), renamed
