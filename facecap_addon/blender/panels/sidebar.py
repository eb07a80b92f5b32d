"""The FaceCap tab: footage, character, solve, bake, result, from top to bottom."""

from __future__ import annotations

import bpy

from ...errors import FacecapError
from ...rig.channels import arkit_name
from ...takes.filters.choice import FilterChoice
from .. import session
from ..operators.solve import progress_text
from ..overlay.landmarks import embedding_path
from ..properties.derive import FILE_CHOICE
from .text import wrapped

_FILTER_RADIUS = FilterChoice().radius


class FacecapPanel:
    """Mixin: a section of the FaceCap tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceCap"


class FACECAP_PT_footage(FacecapPanel, bpy.types.Panel):
    bl_label = "Footage"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.facecap
        if not settings.video:
            row = layout.row()
            row.scale_y = 1.4
            row.operator("facecap.import_footage", text="Import Video …", icon="FILE_MOVIE")
            return
        layout.prop(settings, "video", text="")
        if settings.facts.startswith("! "):
            wrapped(layout, context, settings.facts[2:], icon="ERROR")
        else:
            column = layout.column(align=True)
            for number, line in enumerate(settings.facts.splitlines()):
                column.label(text=line, icon="BLANK1" if number else "FILE_MOVIE")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        row = column.row(heading="Trim", align=True)
        row.prop(settings, "use_trim", text="")
        part = row.row(align=True)
        part.active = settings.use_trim
        part.prop(settings, "trim_start", text="")
        part.prop(settings, "trim_end", text="")
        column.prop(settings, "start_frame")
        layout.operator("facecap.match_scene", icon="TIME")


class FACECAP_PT_character(FacecapPanel, bpy.types.Panel):
    bl_label = "Character"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.facecap
        row = layout.row(align=True)
        row.prop(settings, "character", text="", icon="MESH_DATA")
        obj = settings.character
        if obj is None:
            column = layout.column(align=True)
            column.operator("facecap.use_active", icon="RESTRICT_SELECT_OFF")
            column.operator("facecap.add_sample_head", icon="USER")
            return
        from ..scene.character import character_notes, checked_mesh

        try:
            mesh = checked_mesh(obj)
            notes = character_notes(obj)
        except FacecapError as error:
            if obj.data.shape_keys is None and len(obj.data.polygons):
                _draw_bare(layout, context)
            else:
                wrapped(layout, context, f"{error.what} {error.way_out}", icon="ERROR")
            return
        names = [block.name for block in mesh.shape_keys.key_blocks[1:]]
        column = layout.column(align=True)
        column.label(text=_keys_text(names), icon="SHAPEKEY_DATA")
        for note in notes:
            wrapped(column, context, note, icon="INFO")
        if embedding_path(context.scene) is None:
            column.label(text="Landmarks are placed by the solve", icon="BLANK1")
        else:
            layout.prop(settings, "show_landmarks", toggle=True, icon="STICKY_UVS_DISABLE")


def _draw_bare(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What can be done with a head that has no shape keys."""
    layout.label(text="No shape keys yet", icon="SHAPEKEY_DATA")
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    keys = context.scene.facecap.keys
    for name in ("strength", "symmetric", "contact"):
        column.prop(keys, name)
    row = layout.row()
    row.scale_y = 1.3
    row.operator("facecap.make_keys", icon="SHAPEKEY_DATA")
    _draw_failure(layout, context)


class FACECAP_PT_solve(FacecapPanel, bpy.types.Panel):
    bl_label = "Solve"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        job = session.job
        if job is not None:
            column = layout.column(align=True)
            bar = column.row(align=True)
            bar.scale_y = 1.3
            bar.progress(factor=job.fraction, text=progress_text(job))
            column.operator("facecap.cancel", icon="CANCEL")
            return
        row = layout.row()
        row.scale_y = 1.6
        row.operator("facecap.solve", icon="PLAY")
        _draw_failure(layout, context)


class FACECAP_PT_solve_options(FacecapPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "FACECAP_PT_solve"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.active = session.job is None
        solve = context.scene.facecap.solve
        for name, heading in (("neutral_frame", "Neutral Frame"), ("lens_mm", "Lens (mm)")):
            _optional(layout, solve, name, heading)
        column = layout.column()
        column.prop(solve, "method")
        if solve.method == FILE_CHOICE:
            column.prop(solve, "method_file")
        for name in ("smoothness", "prior"):
            column.prop(solve, name)
        column = layout.column(heading="Also")
        for name in ("gaze", "adapt", "preview"):
            column.prop(solve, name)


class FACECAP_PT_refine(FacecapPanel, bpy.types.Panel):
    bl_label = "Refine"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(context.scene.facecap.result.take)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.active = session.job is None
        row = layout.row()
        row.scale_y = 1.3
        row.operator("facecap.refine", icon="SHADING_RENDERED")
        layout.use_property_split = True
        layout.use_property_decorate = False
        refine = context.scene.facecap.refine
        column = layout.column()
        for name in ("use_timeline", "temporal", "infill", "infill_frames", "reestimate", "camera_collection"):
            column.prop(refine, name)


class FACECAP_PT_refine_options(FacecapPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "FACECAP_PT_refine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        refine = context.scene.facecap.refine
        column = layout.column()
        for name in ("schedule", "albedo", "looks", "network", "picture", "prior", "jaw_joint", "device"):
            column.prop(refine, name)
        _optional(layout, refine, "reference_frame", "Reference Frame")


def _draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Why the latest job has no result."""
    if session.outcome is not None and not session.outcome.ok:
        for number, line in enumerate(session.outcome.lines):
            wrapped(layout, context, line, icon="BLANK1" if number else "ERROR")


def _optional(layout: bpy.types.UILayout, owner: bpy.types.bpy_struct, name: str, heading: str) -> None:
    """A value with a box beside it that says whether it is used."""
    row = layout.row(heading=heading, align=True)
    row.prop(owner, f"use_{name}", text="")
    value = row.row(align=True)
    value.active = getattr(owner, f"use_{name}")
    value.prop(owner, name, text="")


class FACECAP_PT_learn(FacecapPanel, bpy.types.Panel):
    bl_label = "Learn"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.active = session.job is None
        layout.use_property_split = True
        layout.use_property_decorate = False
        learn = context.scene.facecap.learn
        layout.prop(learn, "folder")
        row = layout.row(align=True)
        row.operator("facecap.add_to_set", icon="ADD")
        row.operator("facecap.draw_set", icon="USER")
        row.operator("facecap.check_set", icon="VIEWZOOM")
        column = layout.column()
        column.prop(learn, "draw_seconds")
        column.prop(learn, "use_crop")
        if learn.use_crop:
            column.prop(learn, "crop", text="Left, Top, Width, Height")
        column = layout.column()
        column.prop(learn, "network")
        if learn.network == "meng":
            column.prop(learn, "stills")
        for name in ("preset", "patience", "int8", "device"):
            column.prop(learn, name)
        row = layout.row()
        row.scale_y = 1.3
        row.operator("facecap.train", icon="OUTLINER_OB_LIGHTPROBE")


class FACECAP_PT_live(FacecapPanel, bpy.types.Panel):
    bl_label = "Live"
    bl_order = 7
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if session.live is not None:
            _draw_running(layout, context, session.live)
            return
        layout.active = session.job is None
        layout.use_property_split = True
        layout.use_property_decorate = False
        live = context.scene.facecap.live
        column = layout.column()
        column.row().prop(live, "kind", expand=True)
        if live.kind == "camera":
            column.prop(live, "camera")
        elif live.kind == "phone":
            column.prop(live, "port")
        if live.kind != "phone":
            column.prop(live, "method")
            if live.method == FILE_CHOICE:
                column.prop(live, "method_file")
        for name in ("filter", "cutoff_hz", "delay"):
            column.prop(live, name)
        if live.delay and live.filter == "hybrid":
            column.label(text=f"{1000 * min(live.delay, _FILTER_RADIUS) / 30:.0f} ms later at 30 frames per second")
        column = layout.column()
        column.prop(live, "location")
        row = column.row(heading="Send On", align=True)
        row.prop(live, "use_send", text="")
        address = row.row(align=True)
        address.active = live.use_send
        address.prop(live, "send", text="")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("facecap.live", icon="RADIOBUT_ON")
        _draw_failure(layout, context)


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, live: session.Live) -> None:
    """What goes on, and what can be done about it."""
    column = layout.column(align=True)
    face = live.face
    if face is None:
        column.label(text=live.stage, icon="TIME")
    elif not face.confidence:
        column.label(text="No face", icon="HIDE_ON")
    else:
        column.label(text=f"{face.fps:.0f} frames per second", icon="RADIOBUT_ON")
        late = live.latency_ms[-1] if live.latency_ms else face.latency_ms
        column.label(text=f"{late:.0f} ms late, {face.dropped} dropped", icon="BLANK1")
    if live.note:
        wrapped(column, context, live.note, icon="INFO")
    column = layout.column(align=True)
    column.scale_y = 1.2
    column.operator("facecap.live_neutral", icon="USER")
    recording = face is not None and face.recording
    column.operator("facecap.live_record", icon="PAUSE" if recording else "REC", depress=recording)
    column.operator("facecap.live_stop", icon="CANCEL")


class FACECAP_PT_generate(FacecapPanel, bpy.types.Panel):
    bl_label = "Generate"
    bl_order = 8
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.active = session.job is None
        layout.use_property_split = True
        layout.use_property_decorate = False
        chosen = context.scene.facecap.generate
        column = layout.column()
        if chosen.use_chain:
            column.prop(chosen, "chain")
            column.prop(chosen, "overlap_s")
        else:
            column.prop(chosen, "expression")
        column.prop(chosen, "use_chain")
        for name in ("seed", "variation", "intensity", "repeat"):
            column.prop(chosen, name)
        _optional(layout, chosen, "duration_s", "Duration (s)")
        column = layout.column()
        for name in ("motion", "head", "as_strip", "loop"):
            column.prop(chosen, name)
        row = layout.row()
        row.scale_y = 1.3
        row.operator("facecap.generate", icon="FORCE_TURBULENCE")
        _draw_failure(layout, context)


class FACECAP_PT_retarget(FacecapPanel, bpy.types.Panel):
    bl_label = "Other Meshes"
    bl_order = 9
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.active = session.job is None
        layout.use_property_split = True
        layout.use_property_decorate = False
        chosen = context.scene.facecap.retarget
        column = layout.column()
        column.prop(chosen, "kernel")
        _optional(layout, chosen, "sigma_mm", "Sigma (mm)")
        column = layout.column()
        for name in ("reach", "head", "scale"):
            column.prop(chosen, name)
        layout.operator("facecap.retarget", icon="MOD_MESHDEFORM")
        layout.operator("facecap.follow_empties", icon="EMPTY_AXIS")


class FACECAP_PT_bake(FacecapPanel, bpy.types.Panel):
    bl_label = "Bake"
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.facecap
        bake = settings.bake
        column = layout.column()
        column.row().prop(bake, "mode", expand=True)
        if bake.mode == "mix":
            column.prop(bake, "influence", slider=True)
        column.prop(bake, "gain")
        column = layout.column()
        column.row().prop(bake, "head", expand=True)
        if bake.head == "bone":
            column.prop(bake, "armature")
            armature = bake.armature or (settings.character.find_armature() if settings.character else None)
            if armature is not None:
                column.prop_search(bake, "bone", armature.pose, "bones")
        if bake.head != "none":
            column.prop(bake, "head_location")
        row = layout.row()
        row.operator("facecap.bake", text="Bake Again", icon="ACTION")
        row = layout.row(align=True)
        row.operator("facecap.bake_points", text="Point Cache", icon="MOD_MESHDEFORM")
        row.operator("facecap.export_points", text="Export …", icon="EXPORT")


class FACECAP_PT_filter(FacecapPanel, bpy.types.Panel):
    bl_label = "Filter"
    bl_parent_id = "FACECAP_PT_bake"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        chosen = context.scene.facecap.filter
        column = layout.column()
        column.prop(chosen, "filter")
        names = {"hybrid": ("cutoff_hz", "radius", "order"), "one-euro": ("cutoff_hz",), "median": ("radius",)}
        for name in names.get(chosen.filter, ()):
            column.prop(chosen, name)
        layout.operator("facecap.filter", icon="SMOOTHCURVE")


class FACECAP_PT_result(FacecapPanel, bpy.types.Panel):
    bl_label = "Result"
    bl_order = 5

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(context.scene.facecap.result.take)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        result = context.scene.facecap.result
        column = layout.column(align=True)
        column.label(text=f"{result.frames_solved} frames solved", icon="CHECKMARK")
        if result.frames_missing:
            column.label(text=f"{result.frames_missing} frames without a face", icon="ERROR")
        if result.residual_px > 0.0:
            column.label(text=f"Landmarks within {result.residual_px:.2f} px", icon="BLANK1")
        if result.fps >= 1.0:
            column.label(text=f"Solved at {result.fps:.0f} frames per second", icon="BLANK1")
        if session.outcome is not None and session.outcome.ok:
            for line in session.outcome.lines:
                wrapped(column, context, line, icon="BLANK1")
        for warning in result.warnings.splitlines():
            wrapped(column, context, warning, icon="INFO")
        hidden = result.not_observed.splitlines()
        if hidden:
            wrapped(column, context, f"Not observed, left alone: {', '.join(hidden)}", icon="HIDE_ON")
        row = layout.row(align=True)
        row.operator("facecap.open_report", icon="URL")
        row.operator("facecap.open_folder", icon="FILE_FOLDER", text="Folder")
        layout.operator("facecap.show_footage", icon="IMAGE_PLANE")


def _keys_text(names: list[str]) -> str:
    arkit = len({arkit_name(name) for name in names} - {None})
    if arkit == len(names):
        return f"{arkit} shape keys, all with ARKit names"
    return f"{len(names)} shape keys" + (f", {arkit} with ARKit names" if arkit else "")


CLASSES = (
    FACECAP_PT_footage,
    FACECAP_PT_character,
    FACECAP_PT_solve,
    FACECAP_PT_solve_options,
    FACECAP_PT_refine,
    FACECAP_PT_refine_options,
    FACECAP_PT_bake,
    FACECAP_PT_filter,
    FACECAP_PT_result,
    FACECAP_PT_learn,
    FACECAP_PT_live,
    FACECAP_PT_generate,
    FACECAP_PT_retarget,
)
