"""Generate and Other Meshes; and what a head without shape keys is offered."""

from __future__ import annotations

import bpy

from ..present import settings_in
from .base import FacecapPanel, draw_button, draw_next, draw_optional, draw_outcome, with_names


def draw_bare(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What can be done with a head that has no shape keys."""
    layout.label(text="No shape keys yet", icon="SHAPEKEY_DATA")
    column = with_names(layout.column())
    keys = settings_in(context).keys
    for name in ("strength", "symmetric", "contact"):
        column.prop(keys, name)
    draw_button(layout, "facecap.make_keys", "SHAPEKEY_DATA")
    draw_outcome(layout, context, "facecap.make_keys")


class FACECAP_PT_generate(FacecapPanel, bpy.types.Panel):
    bl_label = "Generate"
    bl_parent_id = "FACECAP_PT_more"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        chosen = settings_in(context).generate
        column = layout.column()
        column.prop(chosen, "chain" if chosen.use_chain else "expression")
        column.prop(chosen, "use_chain")
        if chosen.use_chain:
            column.prop(chosen, "overlap_s")
        for name in ("seed", "intensity", "repeat"):
            column.prop(chosen, name)
        draw_optional(layout, chosen, "duration_s", "Duration (s)")
        column = layout.column()
        for name in ("head", "loop"):
            column.prop(chosen, name)
        draw_button(layout, "facecap.generate", "FORCE_TURBULENCE")
        draw_next(layout, context, character=True)
        draw_outcome(layout, context, "facecap.generate")


class FACECAP_PT_generate_advanced(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        column = with_names(layout).column()
        for name in ("variation", "motion", "blinks", "gaze", "breathing", "as_strip"):
            column.prop(settings_in(context).generate, name)


class FACECAP_PT_retarget(FacecapPanel, bpy.types.Panel):
    bl_label = "Other Meshes"
    bl_parent_id = "FACECAP_PT_more"
    bl_order = 4
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        chosen = settings_in(context).retarget
        column = layout.column()
        for name in ("head", "scale"):
            column.prop(chosen, name)
        draw_next(layout, context, take=True)
        layout.operator("facecap.retarget", icon="MOD_MESHDEFORM")
        layout.operator("facecap.follow_empties", icon="EMPTY_AXIS")
        draw_outcome(layout, context, "facecap.retarget", "facecap.follow_empties")


class FACECAP_PT_retarget_advanced(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        chosen = settings_in(context).retarget
        layout.prop(chosen, "kernel")
        draw_optional(layout, chosen, "sigma_mm", "Width (mm)")
        layout.prop(chosen, "reach")


CLASSES = (
    FACECAP_PT_generate,
    FACECAP_PT_generate_advanced,
    FACECAP_PT_retarget,
    FACECAP_PT_retarget_advanced,
)
