"""Refine: the solved take, fitted to the pictures themselves."""

from __future__ import annotations

import bpy

from ..present import settings_in
from .base import FacecapPanel, draw_button, draw_next, draw_optional, draw_outcome, draw_torch, with_names


class FACECAP_PT_refine(FacecapPanel, bpy.types.Panel):
    bl_label = "Refine"
    bl_parent_id = "FACECAP_PT_more"
    bl_order = 0
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        draw_next(layout, context, take=True)
        draw_button(layout, "facecap.refine", "SHADING_RENDERED")
        draw_torch(layout, context)
        draw_outcome(layout, context, "facecap.refine")
        with_names(layout)
        refine = settings_in(context).refine
        column = layout.column()
        for name in ("use_timeline", "infill", "infill_frames", "camera_collection"):
            column.prop(refine, name)


class FACECAP_PT_refine_options(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_refine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        refine = settings_in(context).refine
        column = layout.column()
        for name in ("temporal", "reestimate", "schedule", "albedo", "looks", "network", "picture", "prior"):
            column.prop(refine, name)
        draw_optional(layout, refine, "reference_frame", "Calm Frame")
        column = layout.column()
        for name in ("jaw_joint", "device"):
            column.prop(refine, name)


CLASSES = (FACECAP_PT_refine, FACECAP_PT_refine_options)
