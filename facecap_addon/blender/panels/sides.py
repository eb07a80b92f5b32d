"""Whether the footage shows the actor as in a mirror: a switch, and a picture with her left eye marked."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..present import settings_in
from .base import draw_checkbox, draw_outcome
from .text import wrapped

if TYPE_CHECKING:
    from ..properties.settings import FACECAP_PG_scene

_previews: Any = None
_SCALE = 6.0


def draw_sides(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The switch, the picture where there is one of the footage as it is set, and what to ask oneself."""
    settings = settings_in(context)
    column = layout.column()
    draw_checkbox(column, settings.solve, "mirror")
    column.operator("facecap.check_sides", icon="MOD_MIRROR")
    icon = _icon_of(shown_picture(settings))
    if icon:
        column.template_icon(icon_value=icon, scale=_SCALE)
        wrapped(column, context, "Is this the actor's left eye? If not, set Mirrored", icon="QUESTION")
    draw_outcome(layout, context, "facecap.check_sides")


def shown_picture(settings: FACECAP_PG_scene) -> Path | None:
    """The picture; None where there is none, or it shows the footage as it is no longer set."""
    if not settings.sides_picture or settings.sides_mirror != settings.solve.mirror:
        return None
    return Path(settings.sides_picture)


def _icon_of(path: Path | None) -> int:
    """A picture's icon; 0 where it cannot be shown."""
    global _previews
    if path is None:
        return 0
    import bpy.utils.previews

    _previews = _previews or bpy.utils.previews.new()
    with contextlib.suppress(OSError, RuntimeError, KeyError):
        name = f"{path}:{path.stat().st_mtime_ns}"
        return int((_previews.get(name) or _previews.load(name, str(path), "IMAGE")).icon_id)
    return 0


def register() -> None:
    """Nothing is loaded until there is a picture."""


def unregister() -> None:
    global _previews
    if _previews is not None:
        import bpy.utils.previews

        bpy.utils.previews.remove(_previews)
        _previews = None
