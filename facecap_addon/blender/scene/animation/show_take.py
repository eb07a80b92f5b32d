"""A take on a character while it is edited: its present frame at once, and the keys of its own action."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from ....arrays import F64
from ....rig.mapping.mapping import Mapping
from ....takes.between import resample
from ....takes.take import Take
from ..controls.check import datablock_of, paths_of
from ..controls.hold import set_targets
from ..controls.key import columns_of
from ..controls.mapped_take import map_take
from ..controls.stored_mapping import mapping_of
from ..controls.targets import controls_of, find_places
from ..footage import scene_rate
from ..head.jaw import jaw_bone
from ..head.parts import parts_of, with_keys
from ..objects import keys_of
from .bake import gained, on_whole_frames, scene_frames
from .bake_settings import BakeSettings
from .curves import BEZIER, Animated, curves_in
from .own_action import TAKE
from .show_head import show_head, write_head
from .signature import identity_of
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
    mapping = mapping_of(obj)
    if mapping is not None:
        _show_mapped(obj, now, mapping, settings.gain, scene)
        return
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
    if mapping_of(obj) is not None:
        owners = [owner for one in controls_of(obj).objects for owner in (keys_of(one), one) if owner is not None]
        return next((action for owner in owners if (action := _own_action_of(owner, take)) is not None), None)
    keys = keys_of(obj)
    return None if keys is None else _own_action_of(keys, take)


def _own_action_of(datablock: Animated, take: Take) -> bpy.types.Action | None:
    """As `own_action`, of one that is animated."""
    animation, identity = datablock.animation_data, identity_of(take)
    action = None if animation is None or animation.use_tweak_mode else animation.action
    if not identity or action is None or action.get(TAKE) != identity or action.library is not None:
        return None
    record = record_of(datablock)
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
    mapping = mapping_of(obj)
    if mapping is not None:
        _write_mapped(obj, take, mapping, settings.gain, frames, scene)
    for mesh in _meshes(obj, take, scene) if mapping is None else ():
        keys = keys_of(mesh)
        if keys is None or own_action(mesh, take) is None:
            continue
        weights, present = gained(mesh, take, settings.gain)[take.solved], _curves(keys)
        wanted: dict[str, tuple[bpy.types.FCurve, F64]] = {}
        for column in _columns(take):
            block = keys.key_blocks.get(take.channels[column])
            curve = None if block is None else present.get(f"{block.path_from_id('value')}[0]")
            if curve is not None and not curve.lock and not is_there(curve, frames, weights[:, column]):
                wanted[name_of(curve)] = curve, weights[:, column]
        _write(keys, frames, wanted)
    action[EDITS] = edits
    if scene == bpy.context.scene:
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)


def _show_mapped(obj: bpy.types.Object, now: Take, mapping: Mapping, gain: float, scene: bpy.types.Scene) -> None:
    """Set the targets that have keys to what a mapping makes of a take's one frame."""
    controls, mapped = controls_of(obj, scene), map_take(now, mapping, gain)
    values = dict(zip(mapped.targets, mapped.values[0].tolist(), strict=True))
    places = {target: find_places(controls, target) for target in values}
    animated = {one: _animated(one) for found in places.values() for one in map(datablock_of, found)}
    shown = {
        target: value
        for target, value in values.items()
        if any(path in animated[datablock_of(place)] for place in places[target] for path, _ in paths_of(target, place))
    }
    set_targets(obj, shown, controls=controls)


def _write_mapped(
    obj: bpy.types.Object, take: Take, mapping: Mapping, gain: float, frames: F64, scene: bpy.types.Scene
) -> None:
    """Write what a mapping makes of a take into the curves that are there; the jaw's own motion stays."""
    controls, mapped = controls_of(obj, scene), map_take(take, mapping, gain)
    every = columns_of(controls, mapped.targets, mapped.values[take.solved])
    jaw = jaw_bone(obj) if take.jaw.any() else None
    for datablock, columns in every.items():
        if _own_action_of(datablock, take) is None:
            continue
        present = {(curve.data_path, curve.array_index): curve for curve in _curves(datablock).values()}
        wanted: dict[str, tuple[bpy.types.FCurve, F64]] = {}
        for channel, values in columns.items():
            curve = present.get(channel)
            is_jaw = jaw is not None and datablock == jaw.id_data and channel[0].startswith(jaw.path_from_id())
            if curve is not None and not is_jaw and not curve.lock and not is_there(curve, frames, values):
                wanted[name_of(curve)] = curve, values
        _write(datablock, frames, wanted)


def _write(keys: Animated, frames: F64, wanted: dict[str, tuple[bpy.types.FCurve, F64]]) -> None:
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
    """The curves of a datablock's present action, by "path[index]"; none is made."""
    animation = keys.animation_data
    if animation is None or animation.action is None:
        return {}
    slot = getattr(animation, "action_slot", None)
    return {name_of(curve): curve for curve in curves_in(animation.action, slot)}


def _animated(keys: Animated) -> set[str]:
    """What has keys: in a datablock's present action, or in strips of the NLA."""
    animation = keys.animation_data
    found = {curve.data_path for curve in _curves(keys).values()}
    for track in () if animation is None else animation.nla_tracks:
        for strip in track.strips:
            if strip.action is not None:
                found |= {curve.data_path for curve in curves_in(strip.action, getattr(strip, "action_slot", None))}
    return found


def _columns(take: Take) -> list[int]:
    return [k for k, channel in enumerate(take.channels) if channel not in take.not_observed]
