"""A mapping for a rig that nobody has described: by the names of its controls, then by what they move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32
from ..channels import ARKIT_CHANNELS, arkit_name, is_corrective, mirror_name, pair_side
from ..sides import SIDEWAYS
from .mapping import Link, Mapping, Target
from .mapping_file import load_mapping
from .match_motion import Meaning, cover, list_meanings, match_motion, measure_likeness
from .motion import Motion
from .presets import shipped_presets

_PRESET_SHARE = 0.5
"""A preset is taken for a rig's own that has at least this part of its targets."""
_OTHER_SIDE, _OWN_SIDE = 0.6, 0.2


@dataclass(frozen=True)
class KnownHead:
    """A head whose channels are known, to compare with.

    Attributes:
        motion: of its keys.  channels: ARKit's names of them.
    """

    motion: Motion
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Guess:
    """A guessed mapping and what it leaves open.

    Attributes:
        mapping: its links; those that are not certain are not `sure`.
        missing: ARKit's channels that move nothing.
        left_out: targets that nothing moves.
        notes: what there is to say, a sentence each.
    """

    mapping: Mapping
    missing: tuple[str, ...]
    left_out: tuple[Target, ...]
    notes: tuple[str, ...]


def guess_mapping(
    name: str,
    targets: Sequence[Target],
    motion: Motion | None = None,
    known: KnownHead | None = None,
    ranges: NDArray[np.floating] | None = None,
) -> Guess:
    """Guess which of ARKit's channels move which controls.

    A name that says so decides; then the shipped preset most of whose targets are there; then what moves.

    Args:
        name: of the mapping.
        targets: K controls of the character.
        motion: how each of them moves its face, see `measure_motion`; None: names alone decide.
        known: the head to compare with; needed with `motion`.
        ranges: (K, 2) smallest and largest value of each, in its unit; absent: 0 to 1. `motion` is at 1.
    """
    bounds = np.tile([0.0, 1.0], (len(targets), 1)) if ranges is None else np.asarray(ranges, np.float64)
    links, notes = _link_by_name(targets, bounds)
    if motion is not None and known is not None:
        links, said = _check_sides(links, targets, motion, known)
        notes += said
        links += _link_by_motion(links, targets, bounds, motion, known)
    moved, used = {link.target for link in links}, {link.channel for link in links}
    order = {target: k for k, target in enumerate(targets)}
    links.sort(key=lambda link: (ARKIT_CHANNELS.index(link.channel), order[link.target]))
    return Guess(
        Mapping(name, tuple(links)),
        tuple(channel for channel in ARKIT_CHANNELS if channel not in used),
        tuple(target for target in targets if target not in moved),
        tuple(notes),
    )


def add_links(mapping: Mapping, guessed: Mapping) -> Mapping:
    """A mapping with guessed links for the channels that it has none for; what it has stays, and is moved by no more.

    Args:
        guessed: of the same character.
    """
    used, moved = {link.channel for link in mapping.links}, set(mapping.targets)
    fresh = tuple(link for link in guessed.links if link.channel not in used and link.target not in moved)
    return replace(mapping, links=mapping.links + fresh)


def _link_by_name(targets: Sequence[Target], bounds: NDArray[np.float64]) -> tuple[list[Link], list[str]]:
    """Links of the controls whose names say what they are."""
    links: list[Link] = []
    taken: dict[tuple[str, str | None], str] = {}
    twice: list[str] = []
    for target, (_, high) in zip(targets, bounds, strict=True):
        channel = None if target.kind == "bone" else arkit_name(target.name)
        if channel is None:
            continue
        # The same name on several meshes is one control; another spelling of it would move the face twice.
        if taken.setdefault((channel, pair_side(target.name)), target.name) != target.name:
            twice.append(target.name)
            continue
        links.append(Link(channel, target, factor=float(high) if target.kind == "property" and high > 0 else 1.0))
    links += _link_both_sides(targets, {link.channel for link in links})
    notes = [f"left out, as other spellings of what is there: {', '.join(twice)}"] if twice else []
    preset = _find_preset(targets)
    if preset is not None:
        covered = {link.channel for link in links} | {link.target.name for link in links}
        by_name: dict[str, list[Target]] = {}
        for target in targets:
            by_name.setdefault(target.name, []).append(target)
        fresh = [
            Link(link.channel, target, link.factor, link.offset, link.curve, link.sure)
            for link in preset.links
            if link.channel not in covered and link.target.name not in covered
            for target in by_name.get(link.target.name, [])
        ]
        if fresh:
            notes.append(f"names as in the preset {preset.name}")
        links += fresh
    return links, notes


def _link_both_sides(targets: Sequence[Target], used: set[str]) -> list[Link]:
    """Links of controls that are called as both sides of a channel together: `mouthSmile` takes the mean of the two."""
    links: list[Link] = []
    for target in targets:
        left = None if target.kind == "bone" or arkit_name(target.name) else arkit_name(f"{target.name}_L")
        if left is None or left in SIDEWAYS or pair_side(f"{target.name}_L"):
            continue
        both = (left, mirror_name(left))
        if not used.intersection(both):
            links += [Link(channel, target, factor=0.5) for channel in both]
    return links


def _find_preset(targets: Sequence[Target]) -> Mapping | None:
    """The shipped preset of shape keys most of whose targets the character has; None where none has enough."""
    names = {target.name for target in targets if target.kind != "bone"}
    best, most = None, _PRESET_SHARE
    for path in shipped_presets().values():
        preset = load_mapping(path)
        wanted = {target.name for target in preset.targets if target.kind == "key"}
        share = len(wanted & names) / len(wanted) if len(wanted) == len(preset.targets) else 0.0
        if share > most:
            best, most = preset, share
    return best


def _check_sides(
    links: list[Link], targets: Sequence[Target], motion: Motion, known: KnownHead
) -> tuple[list[Link], list[str]]:
    """Links whose control moves the other side of the face than its name says are turned round and marked."""
    place = {channel: k for k, channel in enumerate(known.channels)}
    row = {target: k for k, target in enumerate(targets)}
    alike = measure_likeness(motion.fields, known.motion.fields, motion.valid & known.motion.valid)
    checked: list[Link] = []
    turned: list[str] = []
    for link in links:
        own, other = place.get(link.channel), place.get(mirror_name(link.channel))
        k = row[link.target]
        if own is not None and other is not None and alike[k, own] < _OWN_SIDE and alike[k, other] > _OTHER_SIDE:
            link = Link(mirror_name(link.channel), link.target, link.factor, sure=False)
            turned.append(link.target.name)
        checked.append(link)
    said = [f"move the other side of the face than their names say, so they are turned round: {', '.join(turned)}"]
    return checked, said if turned else []


def _link_by_motion(
    links: list[Link], targets: Sequence[Target], bounds: NDArray[np.float64], motion: Motion, known: KnownHead
) -> list[Link]:
    """Links of the controls that have none yet, by what they move."""
    named = {link.target for link in links}
    # Either direction of a control that goes both ways is a candidate of its own.
    ways = [
        (k, float(bound))
        for k, target in enumerate(targets)
        if target not in named and not is_corrective(target.name)
        for bound in bounds[k]
        if bound != 0.0
    ]
    if not ways:
        return []
    fields: F32 = np.stack([motion.fields[k] * np.float32(bound) for k, bound in ways])
    meanings, theirs = list_meanings(known.motion, known.channels)
    covered = {part for link in links for part in cover(((link.channel, pair_side(link.target.name)),))}
    valid = motion.valid & known.motion.valid
    made: list[Link] = []
    for match in match_motion(fields, meanings, theirs, valid, covered):
        k, bound = ways[match.control]
        made += _link_parts(match.meaning, targets[k], bound, match.sure)
    return made


def _link_parts(meaning: Meaning, target: Target, bound: float, sure: bool) -> list[Link]:
    """A control that stands for several channels takes their mean."""
    return [Link(channel, target, factor=bound / len(meaning), sure=sure) for channel, _ in meaning]
