"""The Check section: what of the take somebody should look at, and how it is shown."""

from __future__ import annotations

from typing import Any

import bpy

from ..check import frames_of
from ..present import scene_in, settings_in
from .base import FacecapList, FacecapPanel, draw_outcome, with_names

_ROWS = 4


class FACECAP_UL_bad_frames(FacecapList, bpy.types.UIList):
    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        first, last = frames_of(scene_in(context), item)
        row = layout.row(align=True)
        frames = row.row()
        frames.ui_units_x = 5.8
        frames.label(
            text=f"{first}" if first == last else f"{first}–{last}", icon="ERROR" if item.severity > 0.5 else "DOT"
        )
        row.label(text=item.text)


class FACECAP_PT_check(FacecapPanel, bpy.types.Panel):
    bl_label = "Check"
    bl_parent_id = "FACECAP_PT_result"
    bl_order = 0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(settings_in(context).result.take)  # Result says that there is none

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        check = settings.check
        row = layout.row()
        row.scale_y = 1.3
        row.operator("facecap.check_view", icon="WORKSPACE")
        draw_outcome(layout, context, "facecap.check_view", "facecap.go_to_bad_frame", "facecap.find_bad_frames")
        if check.take != settings.result.take:
            layout.operator("facecap.find_bad_frames", icon="VIEWZOOM")
        elif not len(check.stretches):
            layout.label(text="No bad frames", icon="CHECKMARK")
        else:
            row = layout.row(align=True)
            row.operator("facecap.go_to_bad_frame", text="Previous", icon="TRIA_LEFT").forward = False
            row.operator("facecap.go_to_bad_frame", text="Next", icon="TRIA_RIGHT").forward = True
            layout.template_list(
                "FACECAP_UL_bad_frames", "", check, "stretches", check, "active", rows=min(_ROWS, len(check.stretches))
            )
        column = layout.column()
        column.prop(check, "show_landmarks")
        column.prop(check, "show_lane")
        column = with_names(layout).column()
        column.prop(check, "head_opacity", slider=True)
        column.prop(check, "wipe", slider=True)


CLASSES = (FACECAP_UL_bad_frames, FACECAP_PT_check)
