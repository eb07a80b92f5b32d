"""What is there wherever FaceCap's panels and operators run, though Blender's context may lack it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import bpy

from ..errors import FacecapError

if TYPE_CHECKING:
    from .properties.settings import FACECAP_PG_scene

SETTINGS = "facecap"
"""What a scene calls FaceCap's settings."""
MAPPING, WEIGHT = "facecap_mapping", "facecap_test_weight"
"""What an object calls its mapping, and the window manager the slider that tests a link."""
_Thing = TypeVar("_Thing")


def scene_in(context: bpy.types.Context) -> bpy.types.Scene:
    """The open scene. Raises FacecapError without one."""
    return _found(context.scene, "scene")


def view_layer_in(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """The open view layer. Raises FacecapError without one."""
    return _found(context.view_layer, "view layer")


def window_manager_in(context: bpy.types.Context) -> bpy.types.WindowManager:
    """What opens file dialogs and sets timers. Raises FacecapError without one."""
    return _found(context.window_manager, "window manager")


def user_preferences() -> bpy.types.Preferences:
    """Blender's preferences. Raises FacecapError without them."""
    return _found(bpy.context.preferences, "preferences")


def system_preferences() -> bpy.types.PreferencesSystem:
    """Of Blender's preferences, those of the system: the interface's scale, and so on."""
    return user_preferences().system


def settings_in(context: bpy.types.Context) -> FACECAP_PG_scene:
    """FaceCap's settings of the open scene. Raises FacecapError without one."""
    return settings_of(scene_in(context))


def settings_of(scene: bpy.types.Scene) -> FACECAP_PG_scene:
    """FaceCap's settings of a scene."""
    return getattr(scene, SETTINGS)  # registered as Blender runs: no stub knows it


def scene_with(group: bpy.types.PropertyGroup) -> bpy.types.Scene:
    """The scene that a group of FaceCap's settings belongs to. Raises TypeError if it is of something else."""
    scene = group.id_data
    if not isinstance(scene, bpy.types.Scene):
        raise TypeError(f"{type(group).__name__} belongs to {scene!r}, not to a scene")
    return scene


def _found(thing: _Thing | None, what: str) -> _Thing:
    if thing is None:
        raise FacecapError(f"Blender has no {what} here.", "Open a file in Blender's window, and try again.")
    return thing
