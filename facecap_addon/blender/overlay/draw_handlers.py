"""Functions that draw into Blender's editors, after everything else there, for as long as FaceCap is enabled; and the
shader whose name is not the same in all Blenders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    import gpu

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


def point_shader() -> gpu.types.GPUShader:
    """The shader that draws points of one colour."""
    import gpu

    try:
        return gpu.shader.from_builtin("POINT_UNIFORM_COLOR")
    except ValueError:  # before 4.5 any shader could draw points
        return gpu.shader.from_builtin("UNIFORM_COLOR")
