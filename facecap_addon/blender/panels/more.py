"""More: what only some days need, in one place below the four sections of every day; and help, at its end."""

from __future__ import annotations

import bpy

from .. import session
from ..help.menus import draw_help
from .base import FacecapPanel, draw_outcome
from .text import wrapped


class FACECAP_PT_more(FacecapPanel, bpy.types.Panel):
    """The sections themselves name this one as their parent: Refine, Train on This Actor, Live and so on."""

    bl_label = "More"
    bl_order = 9
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        """Nothing of its own."""


class FACECAP_PT_help(FacecapPanel, bpy.types.Panel):
    bl_label = "Help"
    bl_parent_id = "FACECAP_PT_more"
    bl_order = 9
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        draw_help(layout.column(align=True))
        draw_outcome(layout, context, "facecap.check_installation", "facecap.report_problem", "facecap.open_manual")
        column = layout.column(align=True)
        for number, line in enumerate(session.installation_report):
            wrapped(column, context, line, icon="BLANK1" if number else "INFO")


CLASSES = (FACECAP_PT_more, FACECAP_PT_help)
