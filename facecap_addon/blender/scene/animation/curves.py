"""F-curves of an action on every supported Blender: slotted and layered (4.4 and later) or flat (4.2, 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ....errors import FacecapError

Animated = bpy.types.Object | bpy.types.Key
"""What FaceCap keys."""
SLOTTED = bpy.app.version >= (4, 4, 0)
LINEAR, BEZIER = 1, 2
"""Interpolations of keys, as arrays of them hold them; new keys are linear."""
_COPIED = ("interpolation", "easing", "handle_left_type", "handle_right_type", "type", "amplitude", "back", "period")
_FLOATS = {"amplitude", "back", "period"}
_HANDLES = ("handle_left", "handle_right")
_FREE = (0, 3)  # handle types FREE and ALIGNED
_AUTO_CLAMPED = 4
_FRESH = {"interpolation": LINEAR, "handle_left_type": _AUTO_CLAMPED, "handle_right_type": _AUTO_CLAMPED}
_FRESH |= {"easing": 0, "type": 0, "amplitude": 0.0, "back": 0.0, "period": 0.0}
"""What new keys are."""


def new_action(datablock: Animated, name: str, *, within: bpy.types.Action | None = None) -> bpy.types.Action:
    """Give a datablock an empty action and, where Blender has them, a slot of its own that evaluates.

    Args:
        datablock: what shall be animated.
        name: the action's name.
        within: an action that shall also animate this datablock; used where actions can have several slots.
    Returns:
        the action. An action that was there before is kept in the file, without a user.
    """
    animation = datablock.animation_data or datablock.animation_data_create()
    refuse_tweak_mode(datablock)
    previous = animation.action
    if previous is not None:
        previous.use_fake_user = True
    action = within if SLOTTED and within is not None else bpy.data.actions.new(name)
    animation.action = action
    if SLOTTED:
        slot = action.slots.new(id_type=datablock.id_type, name=datablock.name)
        animation.action_slot = slot
    animation.action_influence = 1.0
    animation.action_blend_type = "REPLACE"
    return action


def present_action(datablock: Animated) -> bpy.types.Action | None:
    """The action that animates a datablock now, or None. Raises FacecapError if it cannot be changed."""
    animation = datablock.animation_data
    if animation is None or animation.action is None or (SLOTTED and animation.action_slot is None):
        return None
    refuse_tweak_mode(datablock)
    if animation.action.library is not None:
        raise FacecapError(
            f"The action “{animation.action.name}” is linked from a library and cannot be changed.",
            "Bake into a new action, or make the linked one local.",
        )
    return animation.action


def curves_of(datablock: Animated):
    """The collection of f-curves with which the datablock's present action moves it; made if it is not there.

    Raises FacecapError if the datablock has no action.
    """
    animation = datablock.animation_data
    action = None if animation is None else animation.action
    if animation is None or action is None:
        raise FacecapError(f"“{datablock.name}” has no action.", "Bake into a new action.")
    return channelbag_of(datablock).fcurves if SLOTTED else action.fcurves


def channelbag_of(datablock: Animated) -> bpy.types.ActionChannelbag:
    """What holds a datablock's curves in its present slotted action; made if it is not there. Raises FacecapError."""
    animation = datablock.animation_data
    action = None if animation is None else animation.action
    if animation is None or action is None:
        raise FacecapError(f"“{datablock.name}” has no action.", "Bake into a new action.")
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    if not isinstance(strip, bpy.types.ActionKeyframeStrip):
        raise FacecapError(f"The action “{action.name}” holds no keyframes.", "Bake into a new action.")
    return strip.channelbag(animation.action_slot, ensure=True)


def curves_in(action: bpy.types.Action, slot: bpy.types.ActionSlot | None) -> Sequence[bpy.types.FCurve]:
    """The f-curves of a slot of an action, of all of it where actions have no slots."""
    if not SLOTTED or slot is None:
        return list(action.fcurves)
    found: list[bpy.types.FCurve] = []
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot) if isinstance(strip, bpy.types.ActionKeyframeStrip) else None
            found += bag.fcurves if bag is not None else ()
    return found


def write_keys(
    curve: bpy.types.FCurve,
    frames: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    kept: NDArray[np.bool_] | None = None,
) -> None:
    """Give a curve keys; those of its present ones that are kept stay as they are, with handles and interpolation.

    Args:
        curve: an f-curve, empty or not.
        frames: (F,) float64, ascending, scene frames, fractions allowed.
        values: (F,) float64.
        kept: (N,), which of its present keys stay; None: none.
    """
    points = curve.keyframe_points
    before = read_keys(curve, kept) if kept is not None and kept.any() else None
    old = 0 if before is None else len(before["co"])
    count = old + len(frames)
    co = np.empty((count, 2), np.float32)
    co[old:, 0], co[old:, 1] = frames, values
    if before is None:
        points.clear()
        points.add(count)
        points.foreach_set("co", co.ravel())
        points.foreach_set("interpolation", np.full(count, LINEAR, np.int32))
        curve.update()
        return
    co[:old] = before["co"]
    order = np.argsort(co[:, 0], kind="stable")
    keys: dict[str, NDArray[np.generic]] = {"co": co[order]}
    for name in (*_COPIED, *_HANDLES):
        values_all = co.copy() if name in _HANDLES else np.full(count, _FRESH[name], before[name].dtype)
        values_all[:old] = before[name]
        keys[name] = values_all[order]
    set_keys(curve, keys)


def set_keys(curve: bpy.types.FCurve, keys: dict[str, NDArray[np.generic]]) -> None:
    """Replace all keys of a curve.

    Args:
        keys: as `read_keys` gives them, ascending.
    """
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys["co"]))
    points.foreach_set("co", keys["co"].ravel())
    for name in _COPIED:
        if name == "interpolation" or not (keys[name] == _FRESH[name]).all():  # else points.add gave it already
            points.foreach_set(name, keys[name])
    if any(np.isin(keys[f"{side}_type"], _FREE).any() for side in _HANDLES):
        for side in _HANDLES:  # automatic handles are found by curve.update(), free ones are the user's
            points.foreach_set(side, keys[side].ravel())
    curve.update()


def read_keys(curve: bpy.types.FCurve, which: NDArray[np.bool_]) -> dict[str, NDArray[np.generic]]:
    """Some keys of a curve, with handles and interpolation."""
    points = curve.keyframe_points
    count = len(points)
    read: dict[str, NDArray[np.generic]] = {}
    for name in ("co", *_HANDLES):
        flat = np.empty(count * 2, np.float32)
        points.foreach_get(name, flat)
        read[name] = flat.reshape(count, 2)
    for name in _COPIED:
        values = np.empty(count, np.float32 if name in _FLOATS else np.int32)
        points.foreach_get(name, values)
        read[name] = values
    return {name: values[which] for name, values in read.items()}


def refuse_tweak_mode(datablock: Animated) -> None:
    animation = datablock.animation_data
    if animation is not None and animation.use_tweak_mode:
        raise FacecapError(
            "The animation is being edited inside an NLA strip, so no keys can be added now.",
            "Leave tweak mode (Tab in the NLA editor) and bake again.",
        )
