"""Listening to the worker, from a timer that outlives panels, scenes and files; no operator has to stay open for it.

A modal operator would: it ends when a file is loaded, and while one runs, Blender puts off saving by itself.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import bpy

from ...errors import FacecapError
from ...jobs.registry import caption_of
from ...jobs.runtime.eta import duration_text
from ...jobs.runtime.progress import Progress
from .. import session
from ..operators.base import fault_message
from ..translations import phrase
from . import kept, order, status_bar
from .conclude import conclude, offer
from .operators import operator_of

POLL_S, FIRST_S = 0.1, 0.5
PATIENCE_S = 60.0
"""How long a result waits for a tool to end before it is offered: some add-ons' run for as long as Blender does."""


def begin() -> None:
    """Listen until nothing runs or waits."""
    if not bpy.app.timers.is_registered(_on_timer):
        bpy.app.timers.register(_on_timer, first_interval=0.01, persistent=True)
    session.redraw()


def tick() -> bool:
    """Take in what the worker has said, conclude what is done, start what waits; whether there is more to come."""
    job = session.job
    asked = job or next(iter(session.waiting), None)
    try:
        if job is None:
            order.start_next()
        else:
            _attend(job)
    except FacecapError as error:
        _say_failure([error.what, error.way_out], asked)
    except Exception as error:  # a timer that raises is never called again
        _say_failure([fault_message(error, "facecap.jobs")], asked)
        if job is not None and session.job is job:
            order.set_aside(job, "Interrupted by a fault")
    if session.job is not job:
        session.redraw()
    return session.job is not None or bool(session.waiting)


def listen(job: session.Job) -> None:
    """Take in what the worker has said since the last call."""
    assert job.runner is not None
    for event in job.runner.poll():
        if isinstance(event, Progress):
            job.stage = caption_of(event.stage)
            if event.total > 1:
                job.stage += f" {event.done} of {event.total}"
    job.fraction = job.runner.fraction
    job.eta_s = job.runner.eta_s


def progress_text(job: session.Job) -> str:
    """The words on the progress bar."""
    if job.cancelling:
        return phrase("Stopping …")
    if not job.eta_s:
        return job.stage
    left = phrase("{time} left", time=duration_text(job.eta_s))
    return f"{job.stage} · {left}"


def _attend(job: session.Job) -> None:
    shown = progress_text(job)
    listen(job)
    assert job.runner is not None
    if not job.runner.done:
        if job.is_here:
            operator_of(job).watch(job)
    elif job.runner.error is not None:
        _end_without_result(job)
    else:
        _take_result(job)
    if progress_text(job) != shown:
        session.redraw()
        status_bar.redraw()


def _take_result(job: session.Job) -> None:
    """Put a result to use as soon as no tool runs; one that waits for long, or was cancelled, is offered."""
    assert job.runner is not None and job.runner.result is not None
    tool, now_s = tool_runs(), time.monotonic()
    job.done_at_s = job.done_at_s or now_s
    if tool and not job.cancelling and now_s - job.done_at_s < PATIENCE_S:
        job.stage = phrase("Finished; waits until your tool is done")
        return
    job.facts, job.runner, session.job = job.runner.result.result, None, None
    if not tool:
        conclude(job)
    elif job.cancelling:
        offer(job, phrase("It was cancelled when it was done"))
    else:
        offer(
            job, phrase("“{tool}” still runs in Blender, maybe an add-on's: end it, or use the result now", tool=tool)
        )


def _end_without_result(job: session.Job) -> None:
    assert job.runner is not None and job.runner.error is not None
    error = job.runner.error
    if error.cancelled:
        order.set_aside(job, phrase("Cancelled"))
        _say_failure([phrase("Cancelled. What is finished is kept: Continue goes on from there")], job)
        return
    if error.exit_code == 1:  # a fault, or the system ended it: what is finished is kept
        order.set_aside(job, error.what)
    else:
        job.runner, session.job = None, None
        kept.forget(job)
    _say_failure([error.what, error.way_out], job)


def _say_failure(lines: list[str], job: session.Job | None) -> None:
    session.outcome = session.Outcome(False, [line for line in lines if line], of=job.operator if job else "")


def tool_runs() -> str:
    """What the user drags, sculpts or the like with: the scene must not change under it. Live capture is no such tool.

    Returns:
        its name; "" if none runs.
    """
    manager = bpy.context.window_manager
    windows = manager.windows if manager is not None else ()
    running = [one for window in windows for one in getattr(window, "modal_operators", ())]
    return next((one.bl_label or one.bl_idname for one in running if one.bl_idname != "FACECAP_OT_live"), "")


def _on_timer() -> float | None:
    with _in_window():
        if tick():
            status_bar.show()
            return POLL_S
        status_bar.hide()
        return None


@contextlib.contextmanager
def _in_window() -> Iterator[None]:
    """In the first window: a timer has none of its own after a file was loaded, and undo wants one."""
    manager = bpy.context.window_manager
    if manager is None or not len(manager.windows):
        yield
        return
    with bpy.context.temp_override(window=manager.windows[0]):
        yield


def read_kept() -> None:
    """List the jobs that Blenders before this one left behind."""
    kept.read()
    for job in (*session.stopped, *session.finished):
        order.adopt(job)
    session.redraw()


@bpy.app.handlers.persistent
def _after_load(*_: object) -> None:
    session.document += 1
    session.outcome = None
    for job in (session.job, *session.waiting, *session.stopped, *session.finished):
        if job is not None:
            order.adopt(job)


@bpy.app.handlers.persistent
def _after_save(*_: object) -> None:
    """Jobs for a file are for it under its new name, too."""
    for job in (session.job, *session.waiting, *session.stopped, *session.finished):
        if job is not None and job.is_here and job.file != bpy.data.filepath:
            job.file = bpy.data.filepath
            kept.write(job)


def register() -> None:
    bpy.app.handlers.load_post.append(_after_load)
    bpy.app.handlers.save_post.append(_after_save)
    # Not at once: enabling the add-on must take no time.
    bpy.app.timers.register(read_kept, first_interval=FIRST_S, persistent=True)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_post.remove(_after_save)
    for timer in (read_kept, _on_timer):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    status_bar.hide()
    order.stop_all()
