"""Result: the chosen take, and how it is baked and filtered."""

from __future__ import annotations

import bpy

from .. import session
from ..help.presets import FACECAP_PT_bake_presets, FACECAP_PT_filter_presets
from ..present import settings_in
from ..properties.smoothing import SLIDING
from ..takes import label_of, lines_about
from ..translations import phrase
from .base import FacecapPanel, draw_checkbox, draw_next, draw_outcome, with_names
from .text import wrapped


class FACECAP_PT_result(FacecapPanel, bpy.types.Panel):
    bl_label = "Result"
    bl_order = 3

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        result = settings_in(context).result
        if not result.take:
            wrapped(layout, context, "No take yet: Solve makes one, and bakes it onto the character", icon="INFO")
            return
        row = layout.row()
        row.enabled = len(settings_in(context).takes) > 1
        row.operator_menu_enum("facecap.choose_take", "take", text=label_of(result), icon="ACTION")
        column = layout.column(align=True)
        for line in lines_about(result):
            wrapped(column, context, line, icon="BLANK1")
        if result.frames_solved:
            done = {
                "generated": phrase("{count} frames generated", count=result.frames_solved),
                "recorded": phrase("{count} frames recorded", count=result.frames_solved),
            }.get(result.kind) or phrase("{count} frames solved", count=result.frames_solved)
            column.label(text=done, icon="CHECKMARK", translate=False)
        if result.frames_missing:
            missing = phrase("{count} frames without a face", count=result.frames_missing)
            column.label(text=missing, icon="ERROR", translate=False)
        if result.residual_px > 0.0:
            from ...takes.measures.average_error import AverageError

            error = AverageError(result.residual_px, result.error_of_eyes)
            # In the words of AverageError.rating, each a message of its own.
            rating = {"good": phrase("good"), "fair": phrase("fair"), "poor": phrase("poor")}.get(error.rating)
            text = phrase("Average error {px:.1f} px", px=error.px) + (f" ({rating})" if rating else "")
            wrapped(column, context, text, icon="BLANK1")
        if result.fps >= 1.0:
            speed = phrase("Speed {fps:.0f} frames per second", fps=result.fps)
            column.label(text=speed, icon="BLANK1", translate=False)
        outcome = session.outcome
        if outcome is not None and outcome.ok and outcome.take == result.take:
            for line in outcome.lines:
                wrapped(column, context, line, icon="BLANK1")
        for warning in result.warnings.splitlines():
            wrapped(column, context, warning, icon="INFO")
        hidden = result.not_observed.splitlines()
        if hidden:
            names = phrase("Not visible in the video, no keys: {names}", names=", ".join(hidden))
            wrapped(column, context, names, icon="HIDE_ON")
        row = layout.row(align=True)
        row.operator("facecap.open_report", icon="URL")
        row.operator("facecap.open_folder", icon="FILE_FOLDER", text="Folder")
        draw_outcome(layout, context, "facecap.open_report", "facecap.open_folder")


class FACECAP_PT_bake(FacecapPanel, bpy.types.Panel):
    bl_label = "Bake"
    bl_parent_id = "FACECAP_PT_result"
    bl_order = 4
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if self.layout is not None:
            FACECAP_PT_bake_presets.draw_panel_header(self.layout)

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        settings = settings_in(context)
        bake = settings.bake
        if not settings.result.take:
            wrapped(layout, context, "So a solve is baked when it is done", icon="INFO")
        column = layout.column()
        column.prop(bake, "mode", text="")
        if bake.mode == "mix":
            column.prop(bake, "influence", slider=True)
        if bake.mode == "layer":
            column.prop(bake, "layer_blend")
            column.prop(bake, "blend_in")
            column.prop(bake, "blend_out")
        draw_checkbox(column, bake, "keep_hand_keys")
        column.prop(bake, "gain")
        draw_checkbox(column, bake, "whole_frames")
        column.prop(bake, "reduce_keys")
        column = layout.column()
        column.prop(bake, "head")
        if bake.head == "bone":
            column.prop(bake, "armature")
            armature = bake.armature or (settings.character.find_armature() if settings.character else None)
            if armature is not None:
                column.prop_search(bake, "bone", armature.pose, "bones")
        if bake.head in ("auto", "bone"):
            column.prop(bake, "neck_share", slider=True)
        if bake.head != "none":
            draw_checkbox(column, bake, "head_location")
        row = layout.row()
        row.operator("facecap.bake", text="Bake Again", icon="ACTION")
        row = layout.row(align=True)
        row.operator("facecap.bake_points", text="Point Cache", icon="MOD_MESHDEFORM")
        row.operator("facecap.export_points", text="Export...", icon="EXPORT")
        names = ("bake", "bake_points", "export_points")
        draw_outcome(layout, context, *(f"facecap.{name}" for name in names))


class FACECAP_PT_filter(FacecapPanel, bpy.types.Panel):
    bl_label = "Filter"
    bl_parent_id = "FACECAP_PT_result"
    bl_order = 5
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if self.layout is not None:
            FACECAP_PT_filter_presets.draw_panel_header(self.layout)

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        chosen = settings_in(context).filter
        draw_next(layout, context, take=True)
        if chosen.filter in SLIDING:
            layout.prop(chosen, "smoothing", slider=True)
        layout.operator("facecap.filter", icon="SMOOTHCURVE")
        draw_outcome(layout, context, "facecap.filter")


class FACECAP_PT_filter_advanced(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_filter"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        column = with_names(layout).column()
        chosen = settings_in(context).filter
        column.prop(chosen, "filter")
        polynomial = ("cutoff_hz", "radius", "order")
        names = {"hybrid": polynomial, "kalman-sg": polynomial, "one-euro": ("cutoff_hz",), "median": ("radius",)}
        for name in names.get(chosen.filter, ()):
            column.prop(chosen, name)


CLASSES = (FACECAP_PT_result, FACECAP_PT_bake, FACECAP_PT_filter, FACECAP_PT_filter_advanced)
