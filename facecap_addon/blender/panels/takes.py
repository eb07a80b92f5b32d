"""Takes: the list of them, compared and reduced, and what moves keys of other names."""

from __future__ import annotations

from typing import Any

import bpy

from ..present import scene_in, settings_in
from ..scene.objects import keys_of
from ..takes import chosen_index, is_baked, kind_text, length_text
from ..translations import phrase
from .base import FacecapList, FacecapPanel, draw_button, draw_checkbox, draw_outcome, with_names
from .text import wrapped


class FACECAP_UL_takes(FacecapList, bpy.types.UIList):
    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        from ...takes.measures.average_error import AverageError

        row = layout.row(align=True)
        baked = is_baked(item, settings_in(context).character)
        row.prop(item, "name", text="", emboss=False, icon="ACTION" if baked else "BLANK1")
        side = row.row()
        side.alignment = "RIGHT"
        side.label(text=AverageError(item.residual_px, item.error_of_eyes).rating or kind_text(item.kind))


class FACECAP_UL_mapping(FacecapList, bpy.types.UIList):
    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        row = layout.split(factor=0.5, align=True)
        row.label(text=item.source)
        character = settings_in(context).character
        keys = None if character is None else keys_of(character)
        if keys is None:
            row.prop(item, "key", text="")
        else:
            row.prop_search(item, "key", keys, "key_blocks", text="")


class FACECAP_PT_takes(FacecapPanel, bpy.types.Panel):
    bl_label = "Takes"
    bl_parent_id = "FACECAP_PT_result"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        row = layout.row()
        row.template_list("FACECAP_UL_takes", "", settings, "takes", settings.take_list, "chosen", rows=3)
        side = row.column(align=True)
        side.operator("facecap.load_take", text="", icon="ADD")
        side.operator("facecap.remove_take", text="", icon="REMOVE")
        index = chosen_index(settings)
        if index < 0:
            wrapped(layout, context, "Solve, or load a take from a file; or drop one into the viewport", icon="INFO")
        else:
            entry = settings.takes[index]
            column = layout.column(align=True)
            for line in facts_about(entry):
                wrapped(column, context, line, icon="BLANK1")
        if index >= 0:
            column = layout.column(align=True)
            column.operator_menu_enum("facecap.compare_takes", "take", text="Difference from...", icon="IPO_LINEAR")
            column.operator_menu_enum("facecap.compare_beside", "take", text="Side by Side with...", icon="MOD_ARRAY")
        if len(settings.takes) > 0 and settings.take_list.against:
            _draw_difference(layout, context)
        if settings.take_list.beside:
            layout.operator("facecap.end_comparison", icon="X")
        names = ("load_take", "remove_take", "compare_takes", "compare_beside", "end_comparison")
        draw_outcome(layout, context, *(f"facecap.{name}" for name in names))


def _draw_difference(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where two takes differ most: a button for each moment."""
    from ..difference import shown_difference
    from ..operators.take.compare import moments_of

    scene = scene_in(context)
    compared = shown_difference(scene)
    column = layout.column(align=True)
    if compared is None:
        wrapped(column, context, "The takes cannot be compared any more", icon="ERROR")
    else:
        for frame, what in moments_of(scene, compared.summary):
            button = column.operator("facecap.go_to_difference", text=f"{frame}: {what}", translate=False)
            button.frame = frame
        column.operator("facecap.plot_difference", icon="GRAPH")
    column.operator("facecap.end_difference", icon="X")


def facts_about(entry: Any) -> list[str]:
    """What there is to say about a take beside its name: clip, range, when it was made, how good it is."""
    from ...takes.measures.average_error import AverageError

    lines = [entry.clip.replace("\\", "/").rpartition("/")[2]] if entry.clip else []
    if entry.frames:
        lines.append(length_text(entry))
    if entry.made:
        kind = kind_text(entry.kind)
        lines.append(f"{kind[:1].upper()}{kind[1:]} {entry.made}")
    if entry.residual_px > 0.0:
        error = AverageError(entry.residual_px, entry.error_of_eyes).text
        lines.append(phrase("Average error {error}", error=error))
    return lines


class FACECAP_PT_reduce(FacecapPanel, bpy.types.Panel):
    bl_label = "Reduce Keys"
    bl_parent_id = "FACECAP_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        listed = settings_in(context).take_list
        column = layout.column()
        for name in ("value_tolerance", "turn_tolerance", "place_tolerance"):
            column.prop(listed, name)
        draw_checkbox(column, listed, "straight")
        draw_button(layout, "facecap.reduce_keys", "KEYFRAME")
        draw_outcome(layout, context, "facecap.reduce_keys")


class FACECAP_PT_mapping(FacecapPanel, bpy.types.Panel):
    bl_label = "Other Shape Key Names"
    bl_parent_id = "FACECAP_PT_takes"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        listed = settings_in(context).take_list
        layout.operator("facecap.fill_mapping", icon="SORTALPHA")
        if listed.mapping:
            draw_checkbox(layout, listed, "use_mapping")
            row = layout.row()
            row.active = listed.use_mapping
            row.template_list("FACECAP_UL_mapping", "", listed, "mapping", listed, "mapping_active", rows=6)
            row.operator("facecap.copy_mapping", text="", icon="ADD")
        else:
            wrapped(layout, context, "Keys with names like ARKit's are found without a table", icon="INFO")
        draw_outcome(layout, context, "facecap.fill_mapping", "facecap.copy_mapping")


CLASSES = (FACECAP_UL_takes, FACECAP_UL_mapping, FACECAP_PT_takes, FACECAP_PT_reduce, FACECAP_PT_mapping)
