"""The bad frames of a scene's take: listed with the scene, and gone to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .present import settings_of

if TYPE_CHECKING:
    from ..takes.take import Take
    from .properties.check import FACECAP_PG_bad_stretch

_SAME_FRAME = 0.51
"""Nearer than this, a frame counts as reached: keys may lie between whole frames."""


def list_bad_frames(scene: bpy.types.Scene, take: Take) -> None:
    """List the stretches of a scene's take that somebody should look at, in place of those of another."""
    from ..takes.measures.bad_frames import find_bad_stretches

    check = settings_of(scene).check
    check.stretches.clear()
    for one in find_bad_stretches(take):
        entry = check.stretches.add()
        entry.text, entry.severity = one.text, one.severity
        entry.first_s, entry.last_s = float(take.time_s[one.first]), float(take.time_s[one.last])
    check["active"] = 0  # without going there
    check.take = settings_of(scene).result.take


def list_again(scene: bpy.types.Scene) -> None:
    """List the bad frames of the take that a scene has now; none without one, or where its file is gone."""
    from ..errors import FacecapError
    from ..takes.npz import load_take
    from .takes import take_file

    check = settings_of(scene).check
    try:
        list_bad_frames(scene, load_take(take_file(settings_of(scene).result)))
    except FacecapError:
        check.stretches.clear()
        check.take = ""


def frames_of(scene: bpy.types.Scene, stretch: FACECAP_PG_bad_stretch) -> tuple[int, int]:
    """First and last scene frame of a stretch."""
    from .scene.footage import frame_of_time

    return round(frame_of_time(scene, stretch.first_s)), round(frame_of_time(scene, stretch.last_s))


def go_to_stretch(scene: bpy.types.Scene, index: int) -> None:
    """Show the first frame of a stretch of the list."""
    stretches = settings_of(scene).check.stretches
    if 0 <= index < len(stretches):
        # Not by frame_set: clip editors would stay at the frame before.
        scene.frame_current, scene.frame_subframe = frames_of(scene, stretches[index])[0], 0.0


def neighbouring_stretch(scene: bpy.types.Scene, *, forward: bool) -> int | None:
    """The stretch that begins next after the present frame, or last before it; None if there is none."""
    now = scene.frame_current + scene.frame_subframe
    first = [frames_of(scene, one)[0] for one in settings_of(scene).check.stretches]
    if forward:
        return next((i for i, frame in enumerate(first) if frame > now + _SAME_FRAME), None)
    return next((i for i, frame in reversed(list(enumerate(first))) if frame < now - _SAME_FRAME), None)
