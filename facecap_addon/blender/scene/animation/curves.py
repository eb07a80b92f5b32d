"""F-curves of an action on every supported Blender: slotted and layered (4.4 and later) or flat (4.2, 4.3)."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ....errors import FacecapError

Animated = bpy.types.Object | bpy.types.Key
"""What FaceCap keys."""
SLOTTED = bpy.app.version >= (4, 4, 0)
_LINEAR = 1  # interpolation of new keys
_COPIED = ("interpolation", "easing", "handle_left_type", "handle_right_type", "type", "amplitude", "back", "period")
_FLOATS = {"amplitude", "back", "period"}
_HANDLES = ("handle_left", "handle_right")
_FREE = (0, 3)  # handle types FREE and ALIGNED
_AUTO_CLAMPED = 4


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
    _refuse_tweak_mode(datablock)
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
    _refuse_tweak_mode(datablock)
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
    if not SLOTTED:
        return action.fcurves
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    if not isinstance(strip, bpy.types.ActionKeyframeStrip):
        raise FacecapError(f"The action “{action.name}” holds no keyframes.", "Bake into a new action.")
    return strip.channelbag(animation.action_slot, ensure=True).fcurves


def write_keys(curve: bpy.types.FCurve, frames: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Replace the keys of a curve inside the range of `frames`; keys outside stay as they are.

    Args:
        curve: an f-curve, empty or not.
        frames: (F,) float64, ascending, scene frames, fractions allowed.
        values: (F,) float64.
    """
    points = curve.keyframe_points
    kept = _keys_outside(curve, float(frames[0]), float(frames[-1])) if len(points) else None
    old = 0 if kept is None else len(kept["co"])
    count = old + len(frames)
    co = np.empty((count, 2), np.float32)
    co[old:, 0], co[old:, 1] = frames, values
    if kept is not None:
        co[:old] = kept["co"]
    order = np.argsort(co[:, 0], kind="stable") if old else slice(None)
    if len(points):
        points.clear()
    points.add(count)
    points.foreach_set("co", co[order].ravel())
    if kept is None:
        points.foreach_set("interpolation", np.full(count, _LINEAR, np.int32))
        curve.update()
        return
    fresh = {"interpolation": _LINEAR, "handle_left_type": _AUTO_CLAMPED, "handle_right_type": _AUTO_CLAMPED}
    fresh |= {"easing": 0, "type": 0, "amplitude": 0.0, "back": 0.0, "period": 0.0}
    for name in _COPIED:
        if name != "interpolation" and (kept[name] == fresh[name]).all():
            continue  # what points.add gave them already
        values_all = np.full(count, fresh[name], kept[name].dtype)
        values_all[:old] = kept[name]
        points.foreach_set(name, values_all[order])
    if any(np.isin(kept[f"{side}_type"], _FREE).any() for side in _HANDLES):
        for side in _HANDLES:  # automatic handles are found by curve.update(), free ones are the user's
            handles = co.copy()
            handles[:old] = kept[side]
            points.foreach_set(side, handles[order].ravel())
    curve.update()


def _keys_outside(curve: bpy.types.FCurve, first: float, last: float) -> dict[str, NDArray[np.generic]]:
    """The keys of a curve before `first` and after `last`, with handles and interpolation."""
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
    frames = read["co"][:, 0]
    margin = 1e-3  # keys are float32: a key of the same take may differ in the last digit
    outside = (frames < first - margin) | (frames > last + margin)  # pyright: ignore[reportOperatorIssue]  floats
    return {name: values[outside] for name, values in read.items()}


def _refuse_tweak_mode(datablock: Animated) -> None:
    animation = datablock.animation_data
    if animation is not None and animation.use_tweak_mode:
        raise FacecapError(
            "The animation is being edited inside an NLA strip, so no keys can be added now.",
            "Leave tweak mode (Tab in the NLA editor) and bake again.",
        )
