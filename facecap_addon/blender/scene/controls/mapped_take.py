"""A take through a character's mapping: values of targets over time."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ....arrays import F32
from ....errors import FacecapError
from ....rig.mapping.evaluate import evaluate, find_sources
from ....rig.mapping.mapping import Mapping, Target
from ....takes.gaze_channels import GAZE_CHANNELS, channels_with_gaze
from ....takes.take import Take
from .check import check_targets
from .stored_mapping import mapping_of
from .targets import Controls, controls_of


@dataclass(frozen=True)
class MappedTake:
    """What a mapping makes of a take.

    Attributes:
        targets: T, each in its unit.  values: (F, T) float32.
        unlinked: channels that were observed and move nothing.
    """

    targets: tuple[Target, ...]
    values: F32
    unlinked: list[str]


def map_take(take: Take, mapping: Mapping, gain: float = 1.0) -> MappedTake:
    """A take through a mapping. Raises FacecapError if no link is of one of its channels."""
    channels, weights = channels_with_gaze(take, gain)
    targets, values = evaluate(mapping, channels, weights)
    if not targets:
        raise FacecapError(
            f"No link of the mapping “{mapping.name}” is of one of the take's channels"
            + (f" (for example “{channels[0]}”)." if channels else "."),
            "Choose another preset, or press Auto-Fill in Character › Mapping.",
        )
    used = {k for link in mapping.links for k in find_sources(link.channel, channels)}
    unlinked = [name for k, name in enumerate(channels) if k not in used and name not in GAZE_CHANNELS]
    return MappedTake(targets, values, unlinked)


def mapping_for(obj: bpy.types.Object, given: Mapping | None = None) -> Mapping | None:
    """What a take moves a character by: the mapping given, else its own, else, where it has bones and no shape keys,
    each control by itself; None: shape keys of the same name."""
    from ..head.character import is_moved_by_controls
    from ..head.own_controls import find_own_controls

    found = given or mapping_of(obj)
    return find_own_controls(obj) if found is None and is_moved_by_controls(obj) else found


def mapped_controls(obj: bpy.types.Object, scene: bpy.types.Scene | None = None) -> Controls | None:
    """What a character's own mapping may move; None where takes go onto shape keys of the same name."""
    return None if mapping_for(obj) is None else controls_of(obj, scene)


def checked_controls(
    obj: bpy.types.Object, mapping: Mapping, scene: bpy.types.Scene | None = None
) -> tuple[Controls, list[str]]:
    """A character's controls and what there is to note. Raises FacecapError where a mapping cannot be keyed on it."""
    problems = check_targets(obj, mapping, scene=scene)
    problems.refuse(mapping.name)
    return controls_of(obj, scene), problems.notes
