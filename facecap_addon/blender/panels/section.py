"""What the sections of the FaceCap tab share."""

from __future__ import annotations

import bpy

from .. import session
from .text import wrapped


class FacecapPanel:
    """Mixin: a section of the FaceCap tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceCap"


def draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Why the latest job has no result."""
    if session.outcome is not None and not session.outcome.ok:
        for number, line in enumerate(session.outcome.lines):
            wrapped(layout, context, line, icon="BLANK1" if number else "ERROR")


def draw_optional(layout: bpy.types.UILayout, owner: bpy.types.bpy_struct, name: str, heading: str) -> None:
    """A value with a box beside it that says whether it is used."""
    row = layout.row(heading=heading, align=True)
    row.prop(owner, f"use_{name}", text="")
    value = row.row(align=True)
    value.active = getattr(owner, f"use_{name}")
    value.prop(owner, name, text="")
