"""A take on a character while it is edited: in its own action where it has one, else in the present frame alone."""

from __future__ import annotations

import bpy
import numpy as np

from ....takes.between import resample
from ....takes.take import Take
from ..footage import scene_rate
from ..head.parts import parts_of, with_keys
from ..objects import keys_of
from .action import key_channels
from .bake import BakeSettings, gained, identity_of, on_whole_frames, scene_frames
from .curves import curves_in
from .own_action import TAKE


def show_take(obj: bpy.types.Object, take: Take, settings: BakeSettings, scene: bpy.types.Scene) -> bool:
    """Show the face of a take that is being edited; where the head is stays as it was baked.

    An action that FaceCap made for this take gets its keys anew; keys that were made or changed by hand stay. Any other
    action is left as it is: the sliders it moves show the present frame until the frame changes.

    Returns whether keys were written; nothing is shown on a character that has no keys.
    """
    channels = [channel for channel in take.channels if channel not in take.not_observed]
    meshes = (obj, *with_keys(parts_of(obj, scene), channels))
    own = [mesh for mesh in meshes if _plays_own_action(mesh, take)]
    if own and take.solved.any():
        whole = on_whole_frames(take, scene, settings.start_frame) if settings.whole_frames else take
        frames, columns = scene_frames(whole, scene, settings.start_frame)[whole.solved], _columns(whole)
        for mesh in own:
            weights = gained(mesh, whole, settings.gain)[whole.solved][:, columns]
            key_channels(mesh, channels, frames, weights, take=identity_of(take), keep=settings.keep)
        if scene == bpy.context.scene:
            scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    for mesh in meshes:
        if mesh not in own:
            _show_frame(mesh, take, settings, scene)
    return bool(own)


def _plays_own_action(mesh: bpy.types.Object, take: Take) -> bool:
    """Whether what animates a mesh's shape keys is the action that FaceCap made for the take."""
    keys, identity = keys_of(mesh), identity_of(take)
    animation = None if keys is None else keys.animation_data
    action = None if animation is None or animation.use_tweak_mode else animation.action
    return bool(identity) and action is not None and action.get(TAKE) == identity and action.library is None


def _show_frame(mesh: bpy.types.Object, take: Take, settings: BakeSettings, scene: bpy.types.Scene) -> None:
    keys = keys_of(mesh)
    animation = None if keys is None else keys.animation_data
    if keys is None or animation is None or animation.action is None or not take.solved.any():
        return
    animated = {curve.data_path for curve in curves_in(animation.action, getattr(animation, "action_slot", None))}
    time_s = (scene.frame_current_final - settings.start_frame) / scene_rate(scene)
    now = resample(take, np.array([time_s]))
    if not now.solved.any():
        return
    weights = gained(mesh, now, settings.gain)[0]
    for column in _columns(now):
        block = keys.key_blocks.get(now.channels[column])
        if block is not None and block.path_from_id("value") in animated:
            block.value = float(weights[column])


def _columns(take: Take) -> list[int]:
    return [k for k, channel in enumerate(take.channels) if channel not in take.not_observed]
