"""The FaceCap tab: footage, character, solve, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ...errors import FacecapError
from .. import session
from ..help.presets import FACECAP_PT_solve_presets
from ..operators.footage import is_sequence
from ..operators.solve import what_a_solve_lacks
from ..overlay.landmarks import embedding_path
from ..present import scene_in, settings_in
from ..properties.derive import FILE_CHOICE
from ..properties.scene_frames import scene_frame_at
from ..scene.objects import key_blocks_of
from ..translations import phrase
from .base import FacecapPanel, draw_checkbox, draw_optional, draw_outcome, with_names
from .create import draw_bare
from .sides import draw_sides
from .text import wrapped

if TYPE_CHECKING:
    from ..properties.settings import FACECAP_PG_scene


class FACECAP_PT_footage(FacecapPanel, bpy.types.Panel):
    bl_label = "Footage"
    bl_order = 0

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        if not settings.video:
            row = layout.row()
            row.scale_y = 1.4
            row.operator("facecap.import_footage", text="Import Video...", icon="FILE_MOVIE")
            wrapped(layout, context, "A video of one face, or one picture of an image sequence", icon="INFO")
            draw_outcome(layout, context, "facecap.import_footage")
            return
        layout.prop(settings, "video", text="")
        if settings.facts.startswith("! "):
            wrapped(layout, context, settings.facts[2:], icon="ERROR")
        else:
            column = layout.column(align=True)
            for number, line in enumerate(settings.facts.splitlines()):
                column.label(text=line, icon="BLANK1" if number else "FILE_MOVIE")
        column = with_names(layout.column())
        if is_sequence(settings.video):
            draw_optional(column, settings.solve, "fps", "Frame Rate")
        draw_checkbox(column, settings, "use_trim")
        if settings.use_trim:
            part = column.column(align=True)
            part.prop(settings, "trim_first")
            part.prop(settings, "trim_last")
        if settings.use_trim and settings.result.take:
            draw_checkbox(column, settings.solve, "merge")
        column.prop(settings, "start_frame")
        draw_sides(column, context)
        column = layout.column(align=True)
        column.operator("facecap.match_scene", icon="TIME")
        column.operator("facecap.show_footage", icon="IMAGE_PLANE")
        draw_outcome(layout, context, "facecap.match_scene", "facecap.show_footage")


class FACECAP_PT_character(FacecapPanel, bpy.types.Panel):
    bl_label = "Character"
    bl_order = 1

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        settings = settings_in(context)
        row = layout.row(align=True)
        row.prop(settings, "character", text="", icon="MESH_DATA")
        obj = settings.character
        if obj is None:
            column = layout.column(align=True)
            column.operator("facecap.use_active", icon="RESTRICT_SELECT_OFF")
            column.operator("facecap.add_sample_head", icon="USER")
            wrapped(layout, context, "The mesh whose face is to move; the sample head is there to try", icon="INFO")
            draw_outcome(layout, context, "facecap.use_active", "facecap.add_sample_head")
            return
        from ..scene.head.character import character_notes
        from ..scene.head.edited_landmarks import is_edited

        try:
            notes = character_notes(obj)
        except FacecapError as error:
            if isinstance(obj.data, bpy.types.Mesh) and obj.data.shape_keys is None and len(obj.data.polygons):
                draw_bare(layout, context)
            else:
                wrapped(layout, context, f"{error.what} {error.way_out}", icon="ERROR")
            return
        names = [block.name for block in key_blocks_of(obj)[1:]]
        column = layout.column(align=True)
        wrapped(column, context, _keys_text(names), icon="SHAPEKEY_DATA")
        for note in notes:
            wrapped(column, context, note, icon="INFO")
        draw_outcome(column, context, "facecap.make_keys")
        if embedding_path(scene_in(context)) is None:
            wrapped(column, context, "Landmarks appear after the first solve", icon="BLANK1")
        else:
            row = layout.row(align=True)
            row.operator("facecap.edit_landmarks", icon="STICKY_UVS_DISABLE")
            if is_edited(obj):
                row.operator("facecap.reset_landmarks", text="", icon="LOOP_BACK")
            row.prop(settings, "show_landmarks", text="", icon="HIDE_OFF" if settings.show_landmarks else "HIDE_ON")
            draw_outcome(layout, context, "facecap.edit_landmarks", "facecap.place_landmark", "facecap.reset_landmarks")


class FACECAP_PT_solve(FacecapPanel, bpy.types.Panel):
    bl_label = "Solve"
    bl_order = 2

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        row = layout.row()
        row.scale_y = 1.6
        row.operator("facecap.solve", text="Solve Next" if session.job is not None else "Solve", icon="PLAY")
        lacking = what_a_solve_lacks(context)
        if lacking:
            wrapped(layout, context, lacking, icon="INFO")
        draw_outcome(layout, context, "facecap.solve")


class FACECAP_PT_solve_options(FacecapPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "FACECAP_PT_solve"
    bl_order = 0
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if self.layout is not None:
            FACECAP_PT_solve_presets.draw_panel_header(self.layout)

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        solve = settings_in(context).solve
        _draw_neutral(layout, settings_in(context))
        draw_optional(layout, solve, "lens_mm", "Lens (mm)")
        column = layout.column()
        column.prop(solve, "method")
        if solve.method == FILE_CHOICE:
            column.prop(solve, "method_file")
        for name in ("match", "smoothness", "preview"):
            column.prop(solve, name)


class FACECAP_PT_solve_advanced(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_solve_options"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        column = with_names(layout).column()
        for name in ("prior", "adapt", "gaze"):
            column.prop(settings_in(context).solve, name)


def _draw_neutral(layout: bpy.types.UILayout, settings: FACECAP_PG_scene) -> None:
    """Which frame is the neutral one: as chosen, else where the face was found to be calmest."""
    column = layout.column(align=True)
    row = column.row(heading="Neutral Frame", align=True)
    row.prop(settings.solve, "use_neutral_frame", text="")
    value = row.row(align=True)
    if settings.solve.use_neutral_frame:
        value.prop(settings.solve, "neutral_scene_frame", text="")
    elif settings.result.calmest_s >= 0.0:
        found = scene_frame_at(settings, settings.result.calmest_s)
        value.label(text=phrase("Found: {frame}", frame=found), translate=False)
    else:
        value.label(text="Automatic")
    column.operator("facecap.use_current_frame", icon="EYEDROPPER")


def _keys_text(names: list[str]) -> str:
    from ...rig.channels import arkit_name

    arkit = len({arkit_name(name) for name in names} - {None})
    if arkit == len(names):
        return phrase("{count} shape keys, all with ARKit names", count=arkit)
    if arkit:
        return phrase("{count} shape keys, {arkit} with ARKit names", count=len(names), arkit=arkit)
    return phrase("{count} shape keys", count=len(names))


CLASSES = (
    FACECAP_PT_footage,
    FACECAP_PT_character,
    FACECAP_PT_solve,
    FACECAP_PT_solve_options,
    FACECAP_PT_solve_advanced,
)
