"""Edits: the stack that is put on the take, from the top down, and the settings of the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ...settings_schema import fields_of
from ...takes.edits.kinds import KIND_OF
from ..operators.take.edits import chosen_edit, edits_in, user_presets
from ..present import settings_in
from ..properties.edits import COMMON, as_frames, has_list, prefix_of
from .base import FacecapList, FacecapPanel, draw_button, draw_outcome, with_names
from .text import wrapped

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from ..properties.edits import FACECAP_PG_edit

_ICONS: dict[str, IconItems] = {
    "calibration": "TRACKER",
    "gain": "FORCE_HARMONIC",
    "offset": "ADD",
    "clamp": "FULLSCREEN_EXIT",
    "mirror": "MOD_MIRROR",
    "balance": "ARROW_LEFTRIGHT",
    "filter": "SMOOTHCURVE",
    "lip-seal": "MOD_SIMPLIFY",
    "lid-contact": "HIDE_ON",
    "blink": "HIDE_OFF",
    "remap": "FCURVE",
    "hold": "FREEZE",
    "retime": "TIME",
}
_HERE = ("calibration_neutral_s", "hold_at_s")


class FACECAP_UL_edits(FacecapList, bpy.types.UIList):
    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        row = layout.row(align=True)
        row.active = item.on
        where = item.channels or ("" if item.region == "all" else item.region)
        what = " · ".join(filter(None, (KIND_OF[item.kind].label, where)))
        row.prop(item, "name", text="", emboss=False, placeholder=what, icon=_ICONS[item.kind])
        row.prop(item, "solo", text="", icon="SOLO_ON" if item.solo else "SOLO_OFF", emboss=False)
        row.prop(item, "on", text="", icon="HIDE_OFF" if item.on else "HIDE_ON", emboss=False)


class FACECAP_MT_edits(bpy.types.Menu):
    bl_label = "Edit Presets"

    def draw(self, context: bpy.types.Context) -> None:
        from ...takes.edits.stack_file import shipped_presets

        layout = self.layout
        if layout is None:
            return
        own = user_presets()
        for name, path in {**shipped_presets(), **own}.items():
            layout.operator("facecap.load_edits", text=name, translate=False).filepath = str(path)
        layout.separator()
        layout.operator("facecap.keep_edit_preset", icon="ADD")
        for name in own:
            text = f"Remove {name}"
            layout.operator("facecap.remove_edit_preset", text=text, icon="REMOVE", translate=False).title = name
        layout.separator()
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("facecap.load_edits", text="Load File...", icon="FILE_FOLDER").filepath = ""
        layout.operator("facecap.save_edits", text="Save File...", icon="FILE_TICK")


class FACECAP_PT_edits(FacecapPanel, bpy.types.Panel):
    bl_label = "Edits"
    bl_parent_id = "FACECAP_PT_result"
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        edits = edits_in(context)
        row = layout.row(align=True)
        row.operator_menu_enum("facecap.add_edit", "kind", icon="ADD")
        row.menu("FACECAP_MT_edits", text="", icon="PRESET")
        if not edits.stack:
            text = "Stronger, calmer, closed, earlier: edits change what the take shows and never the take"
            wrapped(layout, context, text, icon="INFO")
            return
        row = layout.row()
        row.template_list("FACECAP_UL_edits", "", edits, "stack", edits, "active", rows=4)
        side = row.column(align=True)
        side.operator("facecap.remove_edit", text="", icon="REMOVE")
        side.operator("facecap.duplicate_edit", text="", icon="DUPLICATE")
        side.separator()
        side.operator("facecap.move_edit", text="", icon="TRIA_UP").direction = "up"
        side.operator("facecap.move_edit", text="", icon="TRIA_DOWN").direction = "down"
        edit = chosen_edit(context)
        if edit is not None:
            _draw_edit(with_names(layout.column()), edit)
        if edits.problem:
            wrapped(layout, context, edits.problem, icon="ERROR")
        if settings_in(context).result.take:
            draw_button(layout, "facecap.apply_edits", "ACTION")
        else:
            wrapped(layout, context, "After a solve, edits show on the character while you change them", icon="INFO")
        draw_outcome(layout, context, *(f"facecap.{name}" for name in ("apply_edits", "load_edits", "save_edits")))


def _draw_edit(column: bpy.types.UILayout, edit: FACECAP_PG_edit) -> None:
    """The settings of an edit: its own first, then what it works on, and when."""
    kind = KIND_OF[edit.kind]
    for item in fields_of(kind):
        if item.name in COMMON:
            continue
        name = prefix_of(edit.kind) + item.name
        row = column.row(align=True)
        row.active = not (has_list(kind, "points") and edit.points and item.name == "speed")
        row.prop(edit, as_frames(name))
        if name in _HERE:
            row.operator("facecap.edit_frame_here", text="", icon="TIME").setting = name
    if has_list(kind, "points"):
        _draw_points(column, edit)
    for one in edit.levels if has_list(kind, "levels") else ():
        column.prop(one, "y", text=one.name, slider=True)
    column.separator()
    column.prop(edit, "channels")
    row = column.row()
    row.active = not edit.channels
    row.prop(edit, "region")
    column.prop(edit, "side")
    for name, heading in (("start_s", "First Frame"), ("end_s", "Last Frame")):
        row = column.row(heading=heading, align=True)
        row.prop(edit, f"use_{name}", text="")
        value = row.row(align=True)
        value.active = getattr(edit, f"use_{name}")
        value.prop(edit, as_frames(name), text="")
        row.operator("facecap.edit_frame_here", text="", icon="TIME").setting = name
    if edit.use_start_s:
        column.prop(edit, as_frames("blend_in_s"))
    if edit.use_end_s:
        column.prop(edit, as_frames("blend_out_s"))


def _draw_points(column: bpy.types.UILayout, edit: FACECAP_PG_edit) -> None:
    for number, point in enumerate(edit.points):
        row = column.row(align=True)
        row.use_property_split = False
        row.prop(point, "x_frame" if edit.kind == "retime" else "x", text="From")
        row.prop(point, "y_frame" if edit.kind == "retime" else "y", text="To")
        row.operator("facecap.edit_point", text="", icon="X").remove = number
    column.operator("facecap.edit_point", text="Add Point", icon="ADD").remove = -1


CLASSES = (FACECAP_UL_edits, FACECAP_MT_edits, FACECAP_PT_edits)
