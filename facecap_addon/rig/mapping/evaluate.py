"""What a mapping makes of a take's weights: one value a frame for each control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...arrays import F32
from ..channels import arkit_name, pair_side
from .mapping import Link, Mapping, Target


def evaluate(mapping: Mapping, channels: Sequence[str], weights: F32) -> tuple[tuple[Target, ...], F32]:
    """Values of a rig's controls.

    A channel is found under its own name, else under any that means the same ARKit channel (see `find_sources`). One
    that the take lacks counts as at rest; a target that no channel of the take moves is left out.

    Args:
        channels: K names, those of a take.  weights: (F, K) float32.
    Returns:
        the targets, in the mapping's order, and (F, T) float32, each in its target's unit (see `Target`).
    """
    sources = {name: find_sources(name, channels) for name in dict.fromkeys(link.channel for link in mapping.links)}
    moved = {link.target for link in mapping.links if sources[link.channel]}
    targets = tuple(target for target in mapping.targets if target in moved)
    place = {target: row for row, target in enumerate(targets)}
    values = np.zeros((len(targets), len(weights)), np.float32)
    rest = np.zeros(len(weights), np.float32)
    columns = {
        name: np.ascontiguousarray(weights[:, found].mean(axis=1, dtype=np.float32)) if found else rest
        for name, found in sources.items()
    }
    for link in mapping.links:
        if link.target in place:
            values[place[link.target]] += apply_link(link, columns[link.channel])
    return targets, np.ascontiguousarray(values.T)


def apply_link(link: Link, weight: F32) -> F32:
    """What a link adds to its target, in the target's unit: (F,) float32 of weights (F,)."""
    return (link.factor * apply_curve(link.curve, weight) + link.offset).astype(np.float32)


def apply_curve(curve: Sequence[tuple[float, float]], weight: F32) -> F32:
    """Weights (F,) after a curve of points in ascending order: straight between them, and going on so outside."""
    if not curve:
        return weight
    x, y = np.array(curve, np.float64).T
    if len(curve) == 1:
        return np.full_like(weight, y[0])
    piece = np.clip(np.searchsorted(x, weight, side="right") - 1, 0, len(x) - 2)
    slope = np.diff(y) / np.diff(x)
    return (y[piece] + slope[piece] * (weight - x[piece])).astype(np.float32)


def find_sources(name: str, channels: Sequence[str]) -> list[int]:
    """Which channels of a take a link's channel means: the one of its own name, else those with the same ARKit name.

    A channel that ARKit has as a whole is the mean of its halves, where the take has it in halves; a half takes its own
    half, else the whole.
    """
    if name in channels:
        return [list(channels).index(name)]
    wanted, side = arkit_name(name), pair_side(name)
    same = [k for k, channel in enumerate(channels) if wanted is not None and arkit_name(channel) == wanted]
    halves = {k: pair_side(channels[k]) for k in same}
    for best in ([side], [None], ["left", "right"] if side is None else []):
        found = [k for k in same if halves[k] in best]
        if found:
            return found
    return []


def scale_to_face(mapping: Mapping, face_size_m: float) -> Mapping:
    """The mapping for a face of another size: what bones are moved by grows with it; turns and keys stay.

    Args:
        face_size_m: of the character, measured as the mapping's own; 0: not known, nothing is scaled.
    """
    if not (mapping.face_size_m > 0 and face_size_m > 0):
        return mapping
    ratio = face_size_m / mapping.face_size_m
    links = tuple(
        replace(link, factor=link.factor * ratio, offset=link.offset * ratio)
        if link.target.kind == "bone" and link.target.axis.startswith("location")
        else link
        for link in mapping.links
    )
    return replace(mapping, links=links, face_size_m=face_size_m)
