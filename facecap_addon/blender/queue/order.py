"""The order of jobs: one runs, the others wait; those that were stopped can go on."""

from __future__ import annotations

import bpy

from ...errors import FacecapError
from .. import session
from ..worker_python import worker_python
from . import kept
from .operators import operator_of


def add(job: session.Job) -> None:
    """Let a job run as soon as those before it are done. Raises FacecapError if the same one is on its way."""
    for other in (session.job, *session.waiting):
        if other is not None and _is_same(job, other):
            where = "runs" if other is session.job else "waits"
            raise FacecapError(f"“{job.title}” {where} already.", "Change a setting to do it in another way.")
    for other in [one for one in session.stopped if _is_same(job, one)]:  # it goes on from there
        discard(other)
    kept.write(job)
    session.waiting.append(job)


def start(job: session.Job) -> None:
    """Start a job's worker. Raises FacecapError."""
    from ...jobs.registry import job_named
    from ...jobs.runtime.runner import ProcessRunner
    from ...settings_schema import from_json
    from .stamps import keys_stamp

    python = worker_python()
    operator_of(job).make_ready(job)
    settings = from_json(job_named(job.name).settings_type, job.settings)
    character = job.character.find(bpy.data.objects) if job.is_here else None
    if character is not None and character.type == "MESH":
        job.keys_stamp = keys_stamp(character)
    job.runner = ProcessRunner(job.name, settings, python=python.executable, sys_path=python.sys_path)


def start_next() -> None:
    """Start the first job that waits, if none runs. Raises FacecapError if it cannot be started."""
    if session.job is None and session.waiting:
        job = session.waiting.pop(0)
        try:
            start(job)
        except FacecapError:
            kept.forget(job)
            raise
        session.job = job


def find(name: str) -> session.Job | None:
    """The job of that id, wherever it is listed."""
    every = (session.job, *session.waiting, *session.stopped, *session.finished)
    return next((job for job in every if job is not None and job.id == name), None)


def move(job: session.Job, places: int) -> None:
    """Let a job that waits run earlier (negative) or later."""
    at = session.waiting.index(job)
    session.waiting.insert(max(0, at + places), session.waiting.pop(at))


def discard(job: session.Job) -> None:
    """Take a job that does not run off its list; what it has written stays."""
    for jobs in (session.waiting, session.stopped, session.finished):
        if job in jobs:
            jobs.remove(job)
    kept.forget(job)


def cancel(job: session.Job) -> None:
    """Ask the running job to end; what is finished is kept, and it can go on later."""
    job.cancelling = True
    if job.runner is not None:
        job.runner.cancel()


def set_aside(job: session.Job, reason: str) -> None:
    """List the running job as one that can go on later; its worker is ended."""
    if job.runner is not None:
        job.runner.close()
    if session.job is job:
        session.job = None
    job.runner, job.reason, job.cancelling, job.eta_s = None, reason, False, None
    session.stopped.append(job)
    kept.write(job)


def go_on(job: session.Job) -> None:
    """Let a job that was stopped run again as soon as those before it are done."""
    session.stopped.remove(job)
    adopt(job)
    job.stage, job.reason = "Starting", ""
    kept.write(job)
    session.waiting.append(job)


def adopt(job: session.Job) -> None:
    """Tie a job to what its scene and character are called, if the file that it is for is open again."""
    if job.is_here or not job.file or job.file != bpy.data.filepath:
        return
    job.document = session.document
    job.scene = _named(job.scene, bpy.data.scenes.get(job.scene.name))
    job.character = _named(job.character, bpy.data.objects.get(job.character.name))


def stop_all() -> None:
    """End the worker, as when the add-on is disabled; what it finished is kept, and all can go on later."""
    if session.job is not None:
        set_aside(session.job, "Interrupted")
    for jobs in (session.waiting, session.stopped, session.finished):
        jobs.clear()
    kept.let_go()


def _named(handle: session.Handle, found: bpy.types.ID | None) -> session.Handle:
    return session.Handle(None, handle.name) if found is None else session.Handle.of(found)


def _is_same(job: session.Job, other: session.Job) -> bool:
    return (job.operator, job.name, job.settings, job.character) == (
        *(other.operator, other.name, other.settings, other.character),
    )
