"""Blender's open editors of one kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import bpy

_Editor = TypeVar("_Editor", bound=bpy.types.Space)


def open_editors(kind: type[_Editor]) -> Iterator[_Editor]:
    """Every editor of a kind that is open in a screen of the file, `bpy.types.SpaceView3D` for instance."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            editor = area.spaces.active
            if isinstance(editor, kind):
                yield editor


def redraw_editors() -> None:
    """Ask every open editor to draw itself again."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            area.tag_redraw()
