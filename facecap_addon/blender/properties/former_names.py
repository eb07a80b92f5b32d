"""What a .blend file holds under the names of older versions, taken over under the present ones."""

from __future__ import annotations

from typing import Any

import bpy

from ...jobs.settings.train import TrainSettings
from ...settings_schema import fields_of
from ..present import settings_of

_PRESENT = {item.former_name: item.name for item in fields_of(TrainSettings) if item.former_name}


@bpy.app.handlers.persistent
def take_over_former_names(*_: object) -> None:
    """Give renamed properties of training the values that the open file has under their former names."""
    for scene in bpy.data.scenes:
        learn = settings_of(scene).learn
        saved = _saved_values(learn)
        for former, present in _PRESENT.items():
            if saved is not None and former in saved:
                setattr(learn, present, type(getattr(learn, present))(saved[former]))
                del saved[former]


def _saved_values(group: bpy.types.PropertyGroup) -> Any:
    """What the file holds of a group, by name, present or not; None if it holds nothing."""
    get = getattr(group, "bl_system_properties_get", None)  # of Blender 5.0 and later
    return group if get is None else get()


def register() -> None:
    bpy.app.handlers.load_post.append(take_over_former_names)
    if hasattr(bpy.data, "scenes"):  # not while Blender starts: it opens a file then
        take_over_former_names()


def unregister() -> None:
    bpy.app.handlers.load_post.remove(take_over_former_names)
