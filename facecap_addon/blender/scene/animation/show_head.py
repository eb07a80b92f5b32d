"""The head of a take while it is edited: where it is in the present frame, and the keys of its own action."""

from __future__ import annotations

import bpy

from ....errors import FacecapError
from ....takes.merge import reference_pose
from ....takes.take import Take
from ..head.parts import parts_of
from ..head.rest import Target
from ..objects import owner_of
from .bake import head_motion, on_whole_frames, scene_frames
from .bake_settings import BakeSettings
from .curves import BEZIER, Animated, curves_of
from .head_carrier import head_carrier
from .head_pose import head_channels, place_head, placement_of
from .own_action import TAKE
from .signature import identity_of
from .written_keys import is_there, lay_keys, name_of, record_of, remember


def show_head(obj: bpy.types.Object, take: Take, now: Take, settings: BakeSettings, scene: bpy.types.Scene) -> None:
    """Turn and move what carries the head to where a take has it, where its keys are FaceCap's.

    Args:
        now: the take's present moment, a row.
    """
    rests = reference_pose(take)
    motion = head_motion(obj, now, now.solved, rests)[0]
    for target in _own_targets(obj, take, settings, scene):
        place_head(target, motion, placement_of(owner_of(target)), location=settings.head_location)


def write_head(obj: bpy.types.Object, take: Take, settings: BakeSettings, scene: bpy.types.Scene) -> None:
    """Write the head's keys in a take's own action anew where they are others; keys made by hand stay."""
    rests = reference_pose(take)
    if settings.whole_frames:
        take = on_whole_frames(take, scene, settings.start_frame)
    frames = scene_frames(take, scene, settings.start_frame)[take.solved]
    targets = _own_targets(obj, take, settings, scene)
    motion = head_motion(obj, take, take.solved, rests) if targets else []
    for target in targets:
        owner = owner_of(target)
        present = {(curve.data_path, curve.array_index): curve for curve in curves_of(owner)}
        record = record_of(owner) or {}
        written = dict(record)
        for channel, values in head_channels(target, motion, location=settings.head_location).items():
            curve = present.get(channel)
            if curve is None or curve.lock or name_of(curve) not in record or is_there(curve, frames, values):
                continue
            written[name_of(curve)] = lay_keys(curve, frames, values, record, whole=True, keep=True)
        remember(owner, written)
        owner.update_tag()


def _own_targets(obj: bpy.types.Object, take: Take, settings: BakeSettings, scene: bpy.types.Scene) -> list[Target]:
    """What carries the head, as far as the take's own action moves it."""
    try:
        carried = head_carrier(obj, settings, parts_of(obj, scene))
    except FacecapError:  # a bake says it
        return []
    if carried.neck is not None:  # both together are keyed by a bake
        return []
    targets = carried.moved
    return [target for target in targets if _is_own(owner_of(target), take)]


def _is_own(owner: Animated, take: Take) -> bool:
    animation = owner.animation_data
    action = None if animation is None or animation.use_tweak_mode else animation.action
    if action is None or action.library is not None or action.get(TAKE) != identity_of(take):
        return False
    record = record_of(owner)
    return record is not None and not any((rows[:, 6] == BEZIER).any() for rows in record.values())
