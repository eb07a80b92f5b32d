"""The action of a take: one of its own, found again when the take is baked again."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import bpy

from .curves import SLOTTED, Animated, new_action, refuse_tweak_mode
from .written_keys import has_hand_made

TAKE, OWNER, NAME = "facecap_take", "facecap_owner", "facecap_name"
_ENDINGS = (" head", " jaw")
"""Of the names of actions that animate something else than the shape keys, where that takes one of their own."""


def give_own_action(
    datablock: Animated, name: str, take: str, *, within: bpy.types.Action | None, keep: bool, in_strips: bool = False
) -> bpy.types.Action:
    """Let a datablock be animated by a take's own action: the one it has already, or a new one.

    Args:
        name: of a new action.  take: the take's id; "" is no take's: the action is always a new one.
        within: an action that shall hold these keys, too, where actions have slots.
        keep: keys made by hand will be kept. If not, an action that has such keys is not touched.
        in_strips: an action that plays in a strip of the NLA may be the one.
    """
    shared = within if SLOTTED else None
    action = shared or (find_own_action(datablock, take, in_strips=in_strips) if take else None)
    if action is None or (action is not shared and not keep and has_hand_made(action)):
        action = new_action(datablock, name)
        action[NAME] = action.name
    elif SLOTTED and find_slot(action, datablock) is None:
        new_action(datablock, name, within=action)
    else:
        _assign(datablock, action)
    if take:
        action[TAKE] = take
        if not SLOTTED:
            action[OWNER] = _owner_key(datablock)
    return action


def find_own_action(datablock: Animated, take: str, *, in_strips: bool = False) -> bpy.types.Action | None:
    """A datablock's action of a take; None if it has none that may be written into."""
    animation = datablock.animation_data
    present = None if animation is None else animation.action
    tracks = () if animation is None else animation.nla_tracks
    played = [strip.action for track in tracks for strip in track.strips if strip.action is not None]
    first = ([present] if present is not None else []) + (played if in_strips else [])
    for action in first + list(bpy.data.actions):
        if action.get(TAKE) != take or action.library is not None or (action in played and not in_strips):
            continue
        if find_slot(action, datablock) is not None if SLOTTED else action.get(OWNER) == _owner_key(datablock):
            return action
    return None


def hand_over(datablocks: Iterable[Animated], before: str, take: str) -> None:
    """Make the actions that play a take those of the take that a range was solved into from it: all other keys are its.

    Args:
        before, take: ids; "" is no take's.
    """
    for datablock in datablocks:
        animation = datablock.animation_data
        action = None if animation is None else animation.action
        if before and take and action is not None and action.library is None and action.get(TAKE) == before:
            action[TAKE] = take


def adopt(datablocks: Iterable[Animated], versions: Collection[str], take: str) -> None:
    """Let a take have the action of another version of it that plays, alone or in the uppermost strip.

    Where its own plays, nothing changes; without it both would play, one above the other.

    Args:
        versions: ids of takes that may be replaced.  take: the id; "" is no take's.
    """
    for datablock in datablocks:
        animation = datablock.animation_data
        if animation is None or not take:
            continue
        strips = [strip.action for track in animation.nla_tracks for strip in track.strips]
        playing = [action for action in (animation.action, *reversed(strips)) if action is not None]
        if any(action.get(TAKE) == take for action in playing):
            continue
        for action in playing:
            if action.library is None and action.get(TAKE) in versions:
                action[TAKE] = take
                break


def rename_actions(take: str, name: str) -> None:
    """Give a take's actions another name, but those that were given one by hand."""
    for action in bpy.data.actions:
        if action.get(TAKE) == take and action.get(NAME) == action.name and action.library is None:
            action.name = name + next((ending for ending in _ENDINGS if action.name.endswith(ending)), "")
            action[NAME] = action.name


def find_slot(action: bpy.types.Action, datablock: Animated) -> bpy.types.ActionSlot | None:
    """A datablock's slot in an action: the one that moves it now, or one of its name."""
    animation = datablock.animation_data
    if animation is not None and animation.action == action and animation.action_slot is not None:
        return animation.action_slot
    for slot in action.slots:
        if slot.target_id_type == datablock.id_type and slot.name_display == datablock.name:
            return slot
    return None


def _assign(datablock: Animated, action: bpy.types.Action) -> None:
    refuse_tweak_mode(datablock)
    animation = datablock.animation_data or datablock.animation_data_create()
    if animation.action is not None and animation.action != action:
        animation.action.use_fake_user = True
    slot = find_slot(action, datablock) if SLOTTED else None
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    animation.action_influence = 1.0
    animation.action_blend_type = "REPLACE"


def _owner_key(datablock: Animated) -> str:
    return f"{datablock.id_type}:{datablock.name}"
