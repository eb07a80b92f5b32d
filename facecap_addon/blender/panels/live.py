"""Live: where the face comes from, and what goes on."""

from __future__ import annotations

import bpy

from ...takes.filters.options import FilterChoice
from .. import session
from ..overlay.live_picture import headline
from ..present import settings_in
from ..properties.derive import FILE_CHOICE
from ..properties.live import SENT
from ..properties.smoothing import SLIDING
from .base import FacecapPanel, draw_button, draw_checkbox, draw_next, draw_optional, draw_outcome, with_names
from .text import wrapped


class FACECAP_PT_live(FacecapPanel, bpy.types.Panel):
    bl_label = "Live"
    bl_parent_id = "FACECAP_PT_more"
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        if session.live is not None:
            _draw_running(layout, context, session.live)
            return
        with_names(layout)
        live = settings_in(context).live
        column = layout.column()
        column.prop(live, "kind")
        if live.kind == "camera":
            column.prop(live, "camera")
            column.prop(live, "camera_size", text="Size")
            draw_optional(column, live, "camera_fps", "Rate (fps)")
            draw_checkbox(column, live, "mirror")
        elif live.kind in SENT:
            column.prop(live, "sent_as")
            column.prop(live, "port")
            if live.kind == "phone":
                column.prop(live, "phone", text="Address")
            draw_checkbox(column, live, "exchange_sideways")
        if live.kind not in SENT:
            column.prop(live, "method")
            if live.method == FILE_CHOICE:
                column.prop(live, "method_file")
            else:
                column.prop(settings_in(context).solve, "actor_file", text="Actor")
        if live.filter in SLIDING:
            column.prop(live, "smoothing", slider=True)
        column.prop(live, "delay")
        late_ms = FilterChoice(live.filter, delay=live.delay).delay_ms(30)
        if late_ms:
            column.label(text=f"{late_ms:.0f} ms later at 30 fps")
        column = layout.column()
        column.prop(live, "location")
        row = column.row(heading="Stream To", align=True)
        row.prop(live, "use_send", text="")
        address = row.row(align=True)
        address.active = live.use_send
        address.prop(live, "send", text="")
        if live.use_send:
            column.prop(live, "send_as")
        draw_button(layout, "facecap.live", "RADIOBUT_ON")
        draw_next(layout, context, character=True)
        draw_outcome(layout, context, "facecap.live")


class FACECAP_PT_live_advanced(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_live"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.live is None

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        column = with_names(layout).column()
        live = settings_in(context).live
        column.prop(live, "filter")
        if live.filter in SLIDING:
            column.prop(live, "cutoff_hz")


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, live: session.Live) -> None:
    """What goes on, and what can be done about it."""
    column = layout.column(align=True)
    face = live.face
    waits = face is None or 0 < face.known < 1
    seen = face is not None and bool(face.confidence)
    column.label(text=headline(live), icon="TIME" if waits else "RADIOBUT_ON" if seen else "HIDE_ON")
    if face is not None and seen:
        late = live.latency_ms[-1] if live.latency_ms else face.latency_ms
        column.label(text=f"Delay {late:.0f} ms, {face.dropped} dropped", icon="BLANK1")
    if live.note:
        wrapped(column, context, live.note, icon="INFO")
    column = layout.column(align=True)
    column.scale_y = 1.2
    column.operator("facecap.live_neutral", icon="USER")
    recording = face is not None and face.recording
    column.operator("facecap.live_record", icon="PAUSE" if recording else "REC", depress=recording)
    column.operator("facecap.live_stop", icon="CANCEL")


CLASSES = (FACECAP_PT_live, FACECAP_PT_live_advanced)
