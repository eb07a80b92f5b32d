"""More: what only some days need, in one place below the four sections of every day."""

from __future__ import annotations

import bpy

from .base import FacecapPanel


class FACECAP_PT_more(FacecapPanel, bpy.types.Panel):
    """The sections themselves name this one as their parent: Refine, Train on This Actor, Live and so on."""

    bl_label = "More"
    bl_order = 9
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        """Nothing of its own."""


CLASSES = (FACECAP_PT_more,)
