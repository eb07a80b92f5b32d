"""A character moved for a moment, by values of its targets, and put back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ....rig.mapping.mapping import Target
from ...present import scene_in, view_layer_in
from ..animation.curves import SLOTTED, Animated, refuse_tweak_mode
from ..objects import keys_of, owner_of
from .bone_channels import bone_channels
from .targets import Controls, controls_of, find_places, property_limits

_BONE = ("rotation_mode", "location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")
_ANIMATION = ("action_influence", "action_blend_type", "action_extrapolation", "use_nla")


@contextmanager
def held_controls(obj: bpy.types.Object, *, scene: bpy.types.Scene | None = None) -> Iterator[Controls]:
    """While a character is tried: its actions and strips do not play, and afterwards all is as it was.

    Shape keys, pose bones, custom properties, actions and the scene's frame are put back to the last bit, whatever
    happens meanwhile.

    Raises:
        FacecapError: a strip of the NLA is being edited.
    """
    scene = scene or scene_in(bpy.context)
    controls = controls_of(obj, scene)
    animated: list[Animated] = [*controls.objects, *(k for o in controls.objects if (k := keys_of(o)) is not None)]
    for datablock in animated:
        refuse_tweak_mode(datablock)
    frame = scene.frame_current, scene.frame_subframe
    values = read_values(controls)
    playing = [(one, _stop(one)) for one in animated if one.animation_data is not None]
    try:
        yield controls
    finally:
        if frame != (scene.frame_current, scene.frame_subframe):
            scene.frame_set(frame[0], subframe=frame[1])
        for datablock, state in playing:
            _play(datablock, state)
        view_layer_in(bpy.context).update()  # what plays again shows itself once, whatever stood there
        put_back(controls, values)
        view_layer_in(bpy.context).update()


def set_targets(
    obj: bpy.types.Object, values: Mapping[Target, float], *, controls: Controls | None = None
) -> list[Target]:
    """Set targets to values, inside their limits, without keys; others stay as they are.

    Args:
        controls: as `held_controls` or `controls_of` gave them; found if left out.
    Returns:
        those that are not there.
    """
    controls = controls or controls_of(obj)
    missing: list[Target] = []
    bones: dict[bpy.types.PoseBone, dict[str, np.ndarray]] = {}
    changed: dict[bpy.types.Object, None] = {}
    for target, value in values.items():
        places = find_places(controls, target)
        if not places:
            missing.append(target)
        for place in places:
            if place.block is not None:
                place.block.value = min(max(float(value), place.block.slider_min), place.block.slider_max)
            elif target.kind == "bone" and place.bone is not None:
                bones.setdefault(place.bone, {})[target.axis] = np.array([value], np.float64)
            else:
                set_property(place.has_properties, target.name, value, property_limits(target, place))
                changed[place.owner] = None
    for bone, axes in bones.items():
        for (path, index), column in bone_channels(bone, axes).items():
            getattr(bone, path)[index] = float(column[0])
        changed[owner_of(bone)] = None
    for owner in changed:
        owner.update_tag(refresh={"OBJECT", "DATA"})
    return missing


def set_property(owner: Any, name: str, value: float, limits: tuple[float, float]) -> None:
    """Set a custom property, inside its limits, to a number of the kind that it has."""
    inside = min(max(float(value), limits[0]), limits[1])
    present = owner[name]
    owner[name] = bool(round(inside)) if isinstance(present, bool) else type(present)(_whole(present, inside))


def read_values(controls: Controls) -> dict[str, Any]:
    """All that targets of a character could be, as it is now; `put_back` takes it."""
    found: dict[str, Any] = {}
    for owner in controls.objects:
        keys = keys_of(owner)
        bones = [] if owner.pose is None else list(owner.pose.bones)
        found[owner.name_full] = {
            "keys": {} if keys is None else {block.name: block.value for block in keys.key_blocks},
            "bones": {bone.name: [_plain(getattr(bone, path)) for path in _BONE] for bone in bones},
            "own": _numbers(owner),
            "properties": {bone.name: own for bone in bones if (own := _numbers(bone))},
        }
    return found


def put_back(controls: Controls, values: Mapping[str, Any]) -> None:
    """Give targets the values that they had; what is there no more is left out."""
    for owner in controls.objects:
        state = values.get(owner.name_full)
        if state is None:
            continue
        keys = keys_of(owner)
        for name, value in state["keys"].items():
            block = None if keys is None else keys.key_blocks.get(name)
            if block is not None and block.value != value:
                block.value = value
        for name, own in state["bones"].items():
            bone = None if owner.pose is None else owner.pose.bones.get(name)
            if bone is None or [_plain(getattr(bone, path)) for path in _BONE] == own:
                continue
            for path, value in zip(_BONE, own, strict=True):
                setattr(bone, path, value)
        changed = _set_numbers(owner, state["own"])
        for name, own in state["properties"].items():
            bone = None if owner.pose is None else owner.pose.bones.get(name)
            changed |= bone is not None and _set_numbers(bone, own)
        if changed:
            owner.update_tag(refresh={"OBJECT", "DATA"})


def _stop(datablock: Animated) -> tuple[Any, ...]:
    """Let nothing animate a datablock; what did."""
    animation = datablock.animation_data
    assert animation is not None
    slot = animation.action_slot if SLOTTED else None
    state = (animation.action, slot, *(getattr(animation, name) for name in _ANIMATION))
    animation.action = None
    animation.use_nla = False
    return state


def _play(datablock: Animated, state: tuple[Any, ...]) -> None:
    animation = datablock.animation_data
    if animation is None:
        return
    action, slot, *settings = state
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    for name, value in zip(_ANIMATION, settings, strict=True):
        if getattr(animation, name) != value and not animation.is_property_readonly(name):
            setattr(animation, name, value)


def _numbers(owner: Any) -> dict[str, float]:
    return {
        name: owner[name]
        for name in owner.keys()  # noqa: SIM118  a datablock, no dictionary
        if isinstance(owner.get(name), (int, float))
    }


def _set_numbers(owner: Any, values: Mapping[str, float]) -> bool:
    """Set custom properties that are others now; whether there were any."""
    changed = [name for name, value in values.items() if name in owner and owner[name] != value]
    for name in changed:
        owner[name] = values[name]
    return bool(changed)


def _whole(present: float, value: float) -> float:
    return round(value) if isinstance(present, int) else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else list(value)
