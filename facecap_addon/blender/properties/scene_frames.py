"""Frames of the footage, shown as the frames of the scene at which they play; what is stored stays the footage's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..present import scene_with, settings_of
from ..scene.footage import frame_of_time, scene_rate
from .declare import IntProperty

if TYPE_CHECKING:
    from .settings import FACECAP_PG_scene


def scene_frame_of(settings: FACECAP_PG_scene, footage_frame: int) -> int:
    """The scene frame at which a frame of the footage, counted from 0, plays."""
    return round(settings.start_frame + footage_frame * _per_frame(settings))


def footage_frame_at(settings: FACECAP_PG_scene, scene_frame: int) -> int:
    """The frame of the footage, counted from 0, that plays at a scene frame; its first one before it starts."""
    return max(0, round((scene_frame - settings.start_frame) / _per_frame(settings)))


def scene_frame_at(settings: FACECAP_PG_scene, time_s: float) -> int:
    """The scene frame nearest to a time of the footage."""
    return round(frame_of_time(scene_with(settings), time_s))


def scene_frame_property(stored: str, name: str, description: str) -> Any:
    """A property that shows the footage frame stored under another name of its group as a frame of the scene."""

    def get(group: bpy.types.PropertyGroup) -> int:
        return scene_frame_of(settings_of(scene_with(group)), getattr(group, stored))

    def put(group: bpy.types.PropertyGroup, value: int) -> None:
        setattr(group, stored, footage_frame_at(settings_of(scene_with(group)), value))

    return IntProperty(name=name, description=description, get=get, set=put)


def _per_frame(settings: FACECAP_PG_scene) -> float:
    """Frames of the scene for one of the footage; 1 while the footage's rate is not known."""
    rate = settings.footage_fps
    return scene_rate(scene_with(settings)) / rate if rate > 0 else 1.0
