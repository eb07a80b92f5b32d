"""A take as a layer: a strip of the NLA on a track of its own, above the animation that is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from .curves import SLOTTED, Animated, curves_in, curves_of, new_action, write_keys
from .nla import fit_strip, push_down
from .own_action import TAKE

REPLACE, COMBINE = "REPLACE", "COMBINE"
_REST = "Neutral Face"
"""What the action and the strip are called that hold keys at 0."""
Playing = tuple[bpy.types.Action | None, "bpy.types.ActionSlot | None"]


@dataclass(frozen=True)
class LayerSettings:
    """How a layer acts on what is below it.

    Attributes:
        blend: REPLACE, or COMBINE: the take's difference from the neutral face and the head's rest is added.
        blend_in, blend_out: frames in which its influence grows and fades.
    """

    blend: str = REPLACE
    blend_in: float = 0.0
    blend_out: float = 0.0


def read_playing(datablocks: Iterable[Animated]) -> dict[Animated, Playing]:
    """The actions that play on datablocks now, outside the NLA, with their slots."""
    playing: dict[Animated, Playing] = {}
    for datablock in datablocks:
        animation = datablock.animation_data
        if animation is not None and animation.action is not None:
            playing[datablock] = animation.action, animation.action_slot if SLOTTED else None
    return playing


@contextmanager
def opened_strips(datablocks: Iterable[Animated], takes: Collection[str]) -> Iterator[bool]:
    """While it lasts, the uppermost strips of some takes play as the datablocks' own actions: keys can go into them.

    Args:
        takes: ids.
    Yields:
        whether there is such a strip.
    """
    before: dict[Animated, Playing] = {}
    for datablock in datablocks:
        animation = datablock.animation_data
        if animation is None or animation.use_tweak_mode:
            continue
        strips = [strip for track in animation.nla_tracks for strip in track.strips]
        found = next(
            (one for one in reversed(strips) if one.action is not None and one.action.get(TAKE) in takes), None
        )
        if found is not None:
            before[datablock] = animation.action, animation.action_slot if SLOTTED else None
            _play(animation, (found.action, found.action_slot if SLOTTED else None))
    try:
        yield bool(before)
    finally:
        for datablock, playing in before.items():
            if datablock.animation_data is not None:
                _play(datablock.animation_data, playing)


def is_animated_below(datablock: Animated, paths: Iterable[tuple[str, int]], playing: dict[Animated, Playing]) -> bool:
    """Whether every channel of some is animated without the layer: only there is something to add to."""
    actions = [playing[datablock]] if datablock in playing else []
    if datablock.animation_data is not None:
        for track in datablock.animation_data.nla_tracks:
            actions += [(strip.action, strip.action_slot if SLOTTED else None) for strip in track.strips]
    there = {
        (curve.data_path, curve.array_index)
        for action, slot in actions
        if action is not None
        for curve in curves_in(action, slot)
    }
    return there.issuperset(paths)


def lift(datablock: Animated, below: Playing | None, name: str, settings: LayerSettings) -> None:
    """Move a datablock's present action, a take's, into a strip above all others.

    Args:
        below: what played before the take was put on. Where the layer is new, it goes into a strip beneath; where the
            layer was there already, it is what was animated on top, and plays on.
        name: of a new track and strip.
    """
    animation = datablock.animation_data
    if animation is None or animation.action is None:
        return
    action, slot = animation.action, animation.action_slot if SLOTTED else None
    present = [strip for track in animation.nla_tracks for strip in track.strips if strip.action == action]
    under = below if below is not None and below[0] != action else None
    animation.action = None
    if isinstance(datablock, bpy.types.Key) and not present:
        _lay_rest(datablock, curves_in(action, slot), [under] if under is not None else [])
    if under is not None and under[0] is not None:
        _play(animation, under)
        if not present:
            beneath = push_down(datablock, under[0].name)
            if beneath is not None:
                beneath.extrapolation = "HOLD"
    strip = present[0] if present else _new_strip(animation, name, action)
    if slot is not None:
        strip.action_slot = slot
    fit_strip(strip, curves_in(action, slot))
    # Combining takes off a property's default, which is 1 for shape keys in Blender 5; turns have no other way.
    adding = "ADD" if isinstance(datablock, bpy.types.Key) else "COMBINE"
    strip.blend_type = adding if settings.blend == COMBINE else "REPLACE"
    strip.extrapolation, strip.use_auto_blend = "NOTHING", False
    long = strip.frame_end - strip.frame_start
    strip.blend_in = min(settings.blend_in, long)
    strip.blend_out = min(settings.blend_out, long - strip.blend_in)


def lay_down(datablock: Animated, name: str) -> bpy.types.NlaStrip | None:
    """Move a datablock's action into a strip above all others, at rest beside it; None if it has none.

    Args:
        name: of track and strip.
    """
    animation = datablock.animation_data
    if animation is None or animation.action is None:
        return None
    if isinstance(datablock, bpy.types.Key):
        playing = animation.action, animation.action_slot if SLOTTED else None
        animation.action = None
        _lay_rest(datablock, curves_in(*playing), [])
        _play(animation, playing)
    return push_down(datablock, name)


def _lay_rest(keys: bpy.types.Key, curves: Iterable[bpy.types.FCurve], others: list[Playing]) -> None:
    """Hold shape keys at 0 that only the layer animates: beside its strip Blender shows a property's default, from
    version 5 on 1.
    """
    animation = keys.animation_data
    if animation is None or not len(keys.key_blocks):
        return
    value = keys.key_blocks[0].bl_rna.properties["value"]
    if not isinstance(value, bpy.types.FloatProperty) or value.default == 0.0:
        return
    for track in animation.nla_tracks:
        others = others + [(strip.action, strip.action_slot if SLOTTED else None) for strip in track.strips]
    there = {curve.data_path for action, slot in others if action is not None for curve in curves_in(action, slot)}
    alone = [curve.data_path for curve in curves if curve.data_path not in there]
    if not alone:
        return
    new_action(keys, _REST)
    for path in alone:
        write_keys(curves_of(keys).new(path), np.array([0.0, 1.0]), np.zeros(2))
    strip = push_down(keys, _REST)
    if strip is not None:
        strip.extrapolation = "HOLD"


def _new_strip(animation: bpy.types.AnimData, name: str, action: bpy.types.Action) -> bpy.types.NlaStrip:
    track = animation.nla_tracks.new()
    track.name = name
    strip = track.strips.new(name, int(action.frame_range[0]), action)
    strip.name = name  # Blender 4.2 calls it after the action
    return strip


def _play(animation: bpy.types.AnimData, playing: Playing) -> None:
    animation.action = playing[0]
    if playing[1] is not None:
        animation.action_slot = playing[1]
