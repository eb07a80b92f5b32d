"""Functions that draw into Blender's editors, after everything else there, for as long as FaceCap is enabled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import bpy

_added: dict[Callable[[], None], list[tuple[Any, object]]] = {}


def draw_in(editors: Sequence[str], draw: Callable[[], None]) -> None:
    """Let a function draw into the main region of some kinds of editors; without a window nothing is drawn.

    Args:
        editors: as "SpaceView3D".
    """
    if bpy.app.background:
        return
    for name in editors:
        editor = getattr(bpy.types, name)
        _added.setdefault(draw, []).append((editor, editor.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")))


def end_drawing(draw: Callable[[], None]) -> None:
    """Let it draw no longer."""
    for editor, handle in _added.pop(draw, []):
        editor.draw_handler_remove(handle, "WINDOW")
