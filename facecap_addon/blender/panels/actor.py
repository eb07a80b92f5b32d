"""Solve › Actor: who performs, how large she is against the character, and a minute of calibration."""

from __future__ import annotations

import bpy

from ...takes.region_scale import SCALED_REGIONS
from ..present import settings_in
from ..takes import found_scales
from .base import FacecapPanel, draw_outcome, with_names
from .text import wrapped


class FACECAP_PT_actor(FacecapPanel, bpy.types.Panel):
    bl_label = "Actor"
    bl_parent_id = "FACECAP_PT_solve"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        settings = settings_in(context)
        solve, found = settings.solve, found_scales(settings.result)
        layout.prop(solve, "actor_file")
        if not found and not solve.actor_file:
            wrapped(layout, context, "Solve first, to see how large hers are against the character's", icon="INFO")
        column = layout.column(align=True)
        if found:
            row = column.row()
            row.alignment = "RIGHT"
            row.label(text="Found")
        for region in SCALED_REGIONS:
            row = column.row(heading=region.capitalize(), align=True)
            row.prop(solve, f"use_{region}_scale", text="")
            value = row.row(align=True)
            value.active = getattr(solve, f"use_{region}_scale")
            value.prop(solve, f"{region}_scale", text="")
            if region in found:
                row.label(text=f"{100 * found[region]:.0f} %")
        layout.operator("facecap.save_actor", text="Save Actor...", icon="EXPORT")
        draw_outcome(layout, context, "facecap.save_actor")


class FACECAP_PT_calibration(FacecapPanel, bpy.types.Panel):
    bl_label = "Calibration"
    bl_parent_id = "FACECAP_PT_actor"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        from ...fit.actor.guide import GUIDE

        with_names(layout)
        asked = f"About two seconds each, resting in between: {', '.join(one.name for one in GUIDE)}"
        wrapped(layout, context, asked, icon="INFO")
        layout.prop(settings_in(context).solve, "marks_file")
        layout.operator("facecap.calibrate", icon="USER")
        draw_outcome(layout, context, "facecap.calibrate")


CLASSES = (FACECAP_PT_actor, FACECAP_PT_calibration)
