"""Corrections: frames that were put right by hand, and what is solved anew around them."""

from __future__ import annotations

from typing import Any

import bpy

from ..corrections import is_of_footage
from ..present import scene_in, settings_in
from ..scene.footage import frame_of_time
from .base import FacecapList, FacecapPanel, draw_button, draw_outcome, with_names
from .text import wrapped


class FACECAP_UL_corrections(FacecapList, bpy.types.UIList):
    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        row = layout.row(align=True)
        here = is_of_footage(scene_in(context), item)
        row.active = not item.muted and here
        row.label(text=f"{frame_of_time(scene_in(context), item.time_s):.0f}", icon="KEYFRAME_HLT")
        row.label(text=item.summary if here else f"{item.summary} ({item.clip})")
        row.prop(item, "muted", text="", icon="HIDE_ON" if item.muted else "HIDE_OFF", emboss=False)


class FACECAP_PT_corrections(FacecapPanel, bpy.types.Panel):
    bl_label = "Corrections"
    bl_parent_id = "FACECAP_PT_result"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        listed = settings.corrections
        if not settings.result.take:
            wrapped(layout, context, "After a solve, put wrong frames right here", icon="INFO")
            return
        column = with_names(layout.column())
        column.prop(listed, "grip")
        column.prop(listed, "radius")
        column.prop(listed, "reach_s")
        column = layout.column(align=True)
        column.operator("facecap.correct_landmarks", icon="RESTRICT_SELECT_OFF")
        column.operator("facecap.keep_pose", icon="SHAPEKEY_DATA")
        if not listed.frames:
            wrapped(layout, context, "Drag a landmark over the footage, or set shape keys and keep them", icon="INFO")
        else:
            row = layout.row()
            row.template_list("FACECAP_UL_corrections", "", listed, "frames", listed, "active", rows=3)
            side = row.column(align=True)
            side.operator("facecap.delete_correction", text="", icon="REMOVE")
            side.operator("facecap.copy_correction", text="", icon="COPYDOWN")
            side.operator("facecap.go_to_correction", text="", icon="TIME")
            if 0 <= listed.active < len(listed.frames):
                with_names(layout.column()).prop(listed.frames[listed.active], "reach_s", text="Reach of This")
        draw_button(layout, "facecap.solve_range", "FILE_REFRESH")
        names = ("correct_landmarks", "move_landmarks", "keep_pose", "solve_range", "copy_correction")
        draw_outcome(layout, context, *(f"facecap.{name}" for name in names))
        if listed.frames:
            row = layout.row(align=True)
            row.operator("facecap.teach_actor", icon="USER")
            row.operator("facecap.send_to_set", text="To Training Set", icon="FILE_NEW")
            draw_outcome(layout, context, "facecap.teach_actor", "facecap.send_to_set")


CLASSES = (FACECAP_UL_corrections, FACECAP_PT_corrections)
