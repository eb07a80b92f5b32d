"""What becomes of a job's result: put where it was made for, or offered, if there something changed meanwhile."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
from .. import session
from ..operators.base import fault_message
from ..translations import phrase
from . import kept
from .operators import operator_of


def conclude(job: session.Job) -> None:
    """Put a finished job's result to use, as one undo step, or offer it."""
    job.reason = what_hinders(job)
    if not job.reason:
        # A job of no scene has any: it puts nothing there.
        scene = job.scene.find(bpy.data.scenes) or bpy.data.scenes[0]
        try:
            put_to_use(job, scene, job.character.find(bpy.data.objects))
            kept.forget(job)
            push_undo(operator_of(job).bl_label)
            return
        except FacecapError as error:
            job.reason = f"{error.what} {error.way_out}"
        except Exception as error:  # the user gets a file to send; Blender goes on
            job.reason = fault_message(error, job.operator)
    offer(job, job.reason)


def offer(job: session.Job, reason: str) -> None:
    """Keep a result until it is asked for.

    Args:
        reason: why it was not put to use.
    """
    job.reason = reason
    session.finished.append(job)
    kept.write(job)


def what_hinders(job: session.Job) -> str:
    """Why a result may not be put to use unasked; "" if it may."""
    from .stamps import keys_stamp, mesh_stamp

    puts_on = operator_of(job).puts_on
    if puts_on == "nothing":
        return ""
    if not job.is_here:
        if job.file:
            return phrase("It is for {file}, and another file is open", file=Path(job.file).name)
        return phrase("Another file is open")
    if job.scene.find(bpy.data.scenes) is None:
        return phrase("The scene “{name}” was deleted meanwhile", name=job.scene.name)
    if puts_on == "scene":
        return ""
    character = job.character.find(bpy.data.objects)
    if character is None or not character.users_scene:  # FaceCap's own settings keep a deleted one in the file
        return phrase("“{name}” was deleted meanwhile", name=job.character.name)
    if mesh_stamp(character) != job.mesh_stamp:
        return phrase("The mesh or the shape keys of “{name}” were changed meanwhile", name=character.name)
    if keys_stamp(character) != job.keys_stamp:
        return phrase("“{name}” got other keys meanwhile", name=character.name)
    return ""


def scene_of(job: session.Job) -> bpy.types.Scene:
    """The scene of a job, whatever it is called by now. Raises FacecapError if it was deleted."""
    scene = job.scene.find(bpy.data.scenes)
    if scene is None:
        raise FacecapError(
            f"The scene “{job.scene.name}” was deleted meanwhile.", "What was found is kept in the job's folder."
        )
    return scene


def put_to_use(job: session.Job, scene: bpy.types.Scene, character: bpy.types.Object | None) -> None:
    """Put a result on a character and into a scene, and say so. Raises FacecapError; then nothing is lost."""
    assert job.facts is not None
    session.outcome = operator_of(job).apply(job, job.facts, scene, character)
    session.outcome.of = job.operator


def push_undo(message: str) -> None:
    """Make an undo step of what was just done; Blender does so by itself only for operators."""
    bpy.ops.ed.undo_push(message=message)
