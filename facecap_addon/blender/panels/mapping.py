"""Mapping: what each channel of a take moves on the character, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..operators.mapping import user_mappings
from ..present import WEIGHT, settings_in, window_manager_in
from .base import FacecapList, FacecapPanel, draw_checkbox, draw_next, draw_outcome, with_names
from .text import wrapped

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from ..properties.mapping import FACECAP_PG_link

_ICONS: dict[str, IconItems] = {"key": "SHAPEKEY_DATA", "bone": "BONE_DATA", "property": "PROPERTIES"}
_OPERATORS = (
    "bake_to_keys",
    "bake_to_controls",
    *("auto_fill_mapping", "fill_mapping_by_motion", "load_mapping", "save_mapping", "check_mapping", "clean_mapping"),
    "add_link",
)


class FACECAP_UL_links(FacecapList, bpy.types.UIList):
    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        row = layout.row(align=True)
        if not item.sure:
            row.label(text="", icon="QUESTION")
        names = row.split(factor=0.5, align=True)  # no room for a factor, which stands below the table
        names.label(text=item.channel, translate=False)
        what = f"{item.target} {item.axis.replace('.', ' ')}" if item.kind == "bone" else item.target
        names.label(text=what, icon=_ICONS[item.kind], translate=False)


class FACECAP_MT_mappings(bpy.types.Menu):
    bl_label = "Mapping Presets"

    def draw(self, context: bpy.types.Context) -> None:
        from ...rig.mapping.presets import shipped_presets

        layout = self.layout
        if layout is None:
            return
        own = user_mappings()
        for name, path in {**shipped_presets(), **own}.items():
            layout.operator("facecap.load_mapping", text=name, translate=False).filepath = str(path)
        layout.separator()
        layout.operator("facecap.keep_mapping_preset", icon="ADD")
        for name in own:
            text = f"Remove {name}"
            layout.operator("facecap.remove_mapping_preset", text=text, icon="REMOVE", translate=False).title = name
        layout.separator()
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("facecap.load_mapping", text="Load File...", icon="FILE_FOLDER").filepath = ""
        layout.operator("facecap.save_mapping", text="Save File...", icon="FILE_TICK")


class FACECAP_PT_links(FacecapPanel, bpy.types.Panel):
    bl_label = "Mapping"
    bl_parent_id = "FACECAP_PT_character"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        from ..scene.controls.stored_mapping import group_of

        obj = settings_in(context).character
        if obj is None:
            draw_next(layout, context, character=True)
            return
        group = group_of(obj)
        row = layout.row(align=True)
        row.operator("facecap.auto_fill_mapping", icon="AUTO")
        row.operator("facecap.fill_mapping_by_motion", text="", icon="SHAPEKEY_DATA")
        row.menu("FACECAP_MT_mappings", text="", icon="PRESET")
        if not len(group.links):
            text = "Not needed where shape keys have the channels' names; for bones, face boards and other names"
            wrapped(layout, context, text, icon="INFO")
            layout.operator("facecap.add_link", icon="ADD")
        else:
            draw_checkbox(layout, group, "use")
            row = layout.row()
            row.active = group.use
            row.template_list("FACECAP_UL_links", "", group, "links", group, "active", rows=7)
            side = row.column(align=True)
            side.operator("facecap.add_link", text="", icon="ADD")
            side.operator("facecap.remove_link", text="", icon="REMOVE")
            side.separator()
            side.operator("facecap.check_mapping", text="", icon="CHECKMARK")
            side.operator("facecap.clean_mapping", text="", icon="BRUSH_DATA")
            side.operator("facecap.clear_mapping", text="", icon="X")
            if 0 <= group.active < len(group.links):
                layout.prop(window_manager_in(context), WEIGHT, slider=True)
                _draw_link(with_names(layout.column()), group.links[group.active])
        if obj.find_armature() is not None:
            row = layout.row(align=True)
            row.operator("facecap.bake_to_keys", icon="SHAPEKEY_DATA")
            row.operator("facecap.bake_to_controls", icon="BONE_DATA")
        draw_outcome(layout, context, *(f"facecap.{name}" for name in _OPERATORS))


def _draw_link(column: bpy.types.UILayout, link: FACECAP_PG_link) -> None:
    """The settings of a link."""
    column.prop(link, "channel")
    column.prop(link, "kind")
    column.prop(link, "target")
    if link.kind == "bone":
        column.prop(link, "axis")
    elif link.kind == "property":
        column.prop(link, "bone")
    column.prop(link, "owner")
    column.prop(link, "factor")
    column.prop(link, "offset")
    for number, point in enumerate(link.points):
        row = column.row(align=True)
        row.use_property_split = False
        row.prop(point, "x")
        row.prop(point, "y")
        row.operator("facecap.link_point", text="", icon="X").remove = number
    column.operator("facecap.link_point", text="Add Point of Curve", icon="FCURVE").remove = -1
    draw_checkbox(column, link, "sure")


CLASSES = (FACECAP_UL_links, FACECAP_MT_mappings, FACECAP_PT_links)
