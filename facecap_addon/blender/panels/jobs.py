"""Jobs: what runs, waits, was stopped, or is finished and not yet put to use. Shown only while there is something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import session
from ..queue.listening import progress_text
from ..queue.operators import operator_of
from .base import FacecapPanel, draw_outcome
from .text import wrapped

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems


class FACECAP_PT_jobs(FacecapPanel, bpy.types.Panel):
    bl_label = "Jobs"
    bl_order = 1  # after Character, which has the same and is registered first

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.job is not None or any((session.waiting, session.stopped, session.finished))

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        if session.job is not None:
            _draw_running(layout, context, session.job)
        for place, job in enumerate(session.waiting):
            _draw_waiting(layout, job, place)
        for job in session.finished:
            _draw_finished(layout, context, job)
        for job in session.stopped:
            _draw_stopped(layout, context, job)
        draw_outcome(layout, context, "facecap.use_result", "facecap.keep_result")


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, job: session.Job) -> None:
    column = layout.column(align=True)
    wrapped(column, context, _title(job), icon="PLAY")
    bar = column.row(align=True)
    bar.scale_y = 1.3
    bar.progress(factor=job.fraction, text=progress_text(job))
    column.operator("facecap.cancel", icon="CANCEL")


def _draw_waiting(layout: bpy.types.UILayout, job: session.Job, place: int) -> None:
    row = layout.row(align=True)
    row.label(text=_title(job), icon="TIME")
    last = place + 1 == len(session.waiting)
    _draw_move(row, job, "TRIA_UP", later=False, possible=place > 0)
    _draw_move(row, job, "TRIA_DOWN", later=True, possible=not last)
    row.operator("facecap.discard_job", text="", icon="X").job = job.id


def _draw_move(row: bpy.types.UILayout, job: session.Job, icon: IconItems, *, later: bool, possible: bool) -> None:
    button = row.row(align=True)
    button.enabled = possible
    move = button.operator("facecap.move_job", text="", icon=icon)
    move.job, move.later = job.id, later


def _draw_finished(layout: bpy.types.UILayout, context: bpy.types.Context, job: session.Job) -> None:
    asked_by = operator_of(job)
    column = layout.box().column(align=True)
    wrapped(column, context, f"Finished: {_title(job)}", icon="CHECKMARK")
    wrapped(column, context, job.reason, icon="INFO")
    column.operator("facecap.use_result", text=asked_by.use_label, icon="IMPORT").job = job.id
    row = column.row(align=True)
    if asked_by.makes_take:
        row.operator("facecap.keep_result").job = job.id
    row.operator("facecap.discard_job").job = job.id


def _draw_stopped(layout: bpy.types.UILayout, context: bpy.types.Context, job: session.Job) -> None:
    column = layout.box().column(align=True)
    wrapped(column, context, f"{_title(job)}, {100 * job.fraction:.0f} % done", icon="PAUSE")
    wrapped(column, context, job.reason, icon="BLANK1")
    row = column.row(align=True)
    row.operator("facecap.continue_job", icon="PLAY").job = job.id
    row.operator("facecap.discard_job", text="", icon="X").job = job.id


def _title(job: session.Job) -> str:
    """What a job is and, where another file is open, for which."""
    if job.is_here:
        return job.title
    return f"{job.title} ({Path(job.file).name if job.file else 'unsaved file'})"


CLASSES = (FACECAP_PT_jobs,)
