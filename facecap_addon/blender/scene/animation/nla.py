"""Actions as strips of the NLA, so that performances can be put one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from .curves import SLOTTED, Animated, curves_in, curves_of


def cycle(datablock: Animated) -> None:
    """Let every curve of a datablock's present action repeat before and after its keys."""
    if datablock.animation_data is None or datablock.animation_data.action is None:
        return
    for curve in curves_of(datablock):
        if not any(modifier.type == "CYCLES" for modifier in curve.modifiers):
            curve.modifiers.new("CYCLES")


def push_down(datablock: Animated, name: str) -> bpy.types.NlaStrip | None:
    """Move a datablock's action into a strip on a new track, where its keys begin; None if it has none.

    Args:
        name: of track and strip.
    """
    animation = datablock.animation_data
    if animation is None or animation.action is None:
        return None
    action = animation.action
    slot = animation.action_slot if SLOTTED else None
    track = animation.nla_tracks.new()
    track.name = name
    strip = track.strips.new(name, int(action.frame_range[0]), action)
    strip.name = name  # Blender 4.2 calls it after the action
    if slot is not None:
        strip.action_slot = slot
    fit_strip(strip, curves_in(action, slot))
    strip.blend_type = "REPLACE"
    strip.extrapolation = "HOLD_FORWARD" if len(animation.nla_tracks) == 1 else "NOTHING"
    animation.action = None
    return strip


def fit_strip(strip: bpy.types.NlaStrip, curves: Sequence[bpy.types.FCurve]) -> None:
    """Let a strip play its action's curves where their keys are, fractions of frames included."""
    ends = [curve.range() for curve in curves if len(curve.keyframe_points)]
    if not ends:
        return
    first, last = min(end[0] for end in ends), max(end[1] for end in ends)
    last = max(last, first + 1.0)
    strip.use_sync_length = False
    strip.scale, strip.repeat = 1.0, 1.0
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.frame_end = max(strip.frame_end, last)
    strip.frame_start = first
    strip.frame_end = last
    strip.scale = 1.0
