"""A take on a character while it is edited: its present frame at once, and the keys of its own action."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from ....arrays import F64
from ....takes.between import resample
from ....takes.take import Take
from ..footage import scene_rate
from ..head.parts import parts_of, with_keys
from ..objects import keys_of
from .bake import BakeSettings, gained, identity_of, on_whole_frames, scene_frames
from .curves import BEZIER, Animated, curves_in
from .own_action import TAKE
from .show_head import show_head, write_head
from .written_keys import is_there, lay_keys, name_of, record_of, remember

EDITS = "facecap_edits"
"""What an action says of the edits that its keys show."""


def show_frame(
    obj: bpy.types.Object, take: Take, settings: BakeSettings, scene: bpy.types.Scene, *, head: bool = False
) -> None:
    """Set the sliders that have keys to what a take has in the present frame; another frame shows the keys again.

    Args:
        head: whether the head, too, is put where the take has it.
    """
    if not take.solved.any():
        return
    light = replace(take, landmarks_px=np.zeros((take.frame_count, 0, 2), np.float32))
    now = resample(light, np.array([(scene.frame_current_final - settings.start_frame) / scene_rate(scene)]))
    if not now.solved.any():
        return
    if head:
        show_head(obj, take, now, settings, scene)
    for mesh in _meshes(obj, take, scene):
        keys = keys_of(mesh)
        if keys is None:
            continue
        animated = _animated(keys)
        weights = gained(mesh, now, settings.gain)[0]
        for column in _columns(now):
            block = keys.key_blocks.get(now.channels[column])
            if block is not None and block.path_from_id("value") in animated:
                block.value = float(weights[column])


def own_action(obj: bpy.types.Object, take: Take) -> bpy.types.Action | None:
    """The action of an object's shape keys, where FaceCap made it for this take and it may be changed.

    One whose keys were reduced is left to a bake, which reduces them again.
    """
    keys, identity = keys_of(obj), identity_of(take)
    animation = None if keys is None else keys.animation_data
    action = None if animation is None or animation.use_tweak_mode else animation.action
    if not identity or action is None or action.get(TAKE) != identity or action.library is not None:
        return None
    record = None if keys is None else record_of(keys)
    if record is None or any((rows[:, 6] == BEZIER).any() for rows in record.values()):
        return None
    return action


def write_take(
    obj: bpy.types.Object,
    take: Take,
    settings: BakeSettings,
    scene: bpy.types.Scene,
    edits: str,
    *,
    head: bool = False,
) -> None:
    """Write the keys of a take's own action anew where they are others.

    Keys that were made or changed by hand stay, and so do locked curves; a curve that was deleted does not come back.
    Other actions are left as they are.

    Args:
        edits: what the take was edited by, for the action to remember.
        head: whether the head's keys are written, too: it takes as long as all shape keys together.
    """
    action = own_action(obj, take)
    if action is None or not take.solved.any():
        return
    if head:
        write_head(obj, take, settings, scene)
    if settings.whole_frames:
        take = on_whole_frames(take, scene, settings.start_frame)
    frames = scene_frames(take, scene, settings.start_frame)[take.solved]
    for mesh in _meshes(obj, take, scene):
        keys = keys_of(mesh)
        if keys is None or own_action(mesh, take) is None:
            continue
        weights, present = gained(mesh, take, settings.gain)[take.solved], _curves(keys)
        wanted: dict[str, tuple[bpy.types.FCurve, F64]] = {}
        for column in _columns(take):
            block = keys.key_blocks.get(take.channels[column])
            curve = None if block is None else present.get(block.path_from_id("value"))
            if curve is not None and not curve.lock and not is_there(curve, frames, weights[:, column]):
                wanted[name_of(curve)] = curve, weights[:, column]
        _write(keys, frames, wanted)
    action[EDITS] = edits
    if scene == bpy.context.scene:
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)


def _write(keys: bpy.types.Key, frames: F64, wanted: dict[str, tuple[bpy.types.FCurve, F64]]) -> None:
    """Write curves of which FaceCap remembers that it wrote them."""
    record = record_of(keys) if wanted else None
    if record is None:
        return
    written = dict(record)
    for name, (curve, values) in wanted.items():
        if name in record:
            written[name] = lay_keys(curve, frames, values, record, whole=True, keep=True)
    remember(keys, written)
    keys.update_tag()


def _meshes(obj: bpy.types.Object, take: Take, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    return [obj, *with_keys(parts_of(obj, scene), [take.channels[k] for k in _columns(take)])]


def _curves(keys: Animated) -> dict[str, bpy.types.FCurve]:
    """The curves of a datablock's present action, by their paths; none is made."""
    animation = keys.animation_data
    if animation is None or animation.action is None:
        return {}
    slot = getattr(animation, "action_slot", None)
    return {curve.data_path: curve for curve in curves_in(animation.action, slot)}


def _animated(keys: Animated) -> set[str]:
    """What has keys: in a datablock's present action, or in strips of the NLA."""
    animation = keys.animation_data
    found = set(_curves(keys))
    for track in () if animation is None else animation.nla_tracks:
        for strip in track.strips:
            if strip.action is not None:
                found |= {curve.data_path for curve in curves_in(strip.action, getattr(strip, "action_slot", None))}
    return found


def _columns(take: Take) -> list[int]:
    return [k for k, channel in enumerate(take.channels) if channel not in take.not_observed]
