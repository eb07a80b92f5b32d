"""What can be done with long work that is lined up: cancel, reorder, continue, and put to use what was not yet."""

from __future__ import annotations

import bpy

from ...errors import FacecapError
from .. import session
from ..present import scene_in, settings_in
from ..properties.declare import BoolProperty, StringProperty, with_properties
from ..queue import conclude, listening, order
from ..queue.operators import operator_of
from .base import FacecapOperator, OperatorReturn


class FACECAP_OT_cancel(bpy.types.Operator):
    bl_idname = "facecap.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the running job; what is finished is kept, and it can go on later (Esc over the sidebar)"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.job is not None and not session.job.cancelling

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if event.type == "ESC":
            playing = context.screen is not None and context.screen.is_animation_playing  # then Esc ends that
            if playing or context.region is None or context.region.type != "UI":
                return {"PASS_THROUGH"}
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        if session.job is not None:
            order.cancel(session.job)
            session.redraw()
        return {"FINISHED"}


@with_properties()
class _ListedJob(FacecapOperator):
    """Mixin: an operator on one of the jobs that are listed."""

    job: str = StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        job = order.find(self.job)
        if job is None or job is session.job:
            raise FacecapError("That job is no longer on the list.", "Look at the list again.")
        self.act(context, job)
        session.redraw()
        return {"FINISHED"}

    def act(self, context: bpy.types.Context, job: session.Job) -> None:
        """Do it. Raises FacecapError."""
        raise NotImplementedError


@with_properties()
class FACECAP_OT_move_job(_ListedJob, bpy.types.Operator):
    bl_idname = "facecap.move_job"
    bl_label = "Move Job"
    bl_description = "Let this job run earlier or later than the others that wait"

    later: bool = BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    def act(self, context: bpy.types.Context, job: session.Job) -> None:
        if job in session.waiting:
            order.move(job, 1 if self.later else -1)


class FACECAP_OT_continue_job(_ListedJob, bpy.types.Operator):
    bl_idname = "facecap.continue_job"
    bl_label = "Continue"
    bl_description = "Go on where this job stopped, as soon as those before it are done"

    def act(self, context: bpy.types.Context, job: session.Job) -> None:
        if job in session.stopped:
            order.go_on(job)
            listening.begin()


class FACECAP_OT_discard_job(_ListedJob, bpy.types.Operator):
    bl_idname = "facecap.discard_job"
    bl_label = "Discard"
    bl_description = "Take this job off the list; files that it has written stay"

    def act(self, context: bpy.types.Context, job: session.Job) -> None:
        order.discard(job)


class FACECAP_OT_use_result(_ListedJob, bpy.types.Operator):
    bl_idname = "facecap.use_result"
    bl_label = "Use Result"
    bl_description = "Put this result on the character that it was made for or, if that is gone, on the chosen one"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context, job: session.Job) -> None:
        character = job.character.find(bpy.data.objects) if job.is_here else None
        if character is None or not character.users_scene:
            character = settings_in(context).character
        scene = job.scene.find(bpy.data.scenes) if job.is_here else None
        conclude.put_to_use(job, scene or scene_in(context), character)
        order.discard(job)


class FACECAP_OT_keep_result(_ListedJob, bpy.types.Operator):
    bl_idname = "facecap.keep_result"
    bl_label = "Keep in List"
    bl_description = "List the take with the scene's takes, to bake it later; nothing is keyed"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context, job: session.Job) -> None:
        if job.facts is not None:
            operator_of(job).keep(job, job.facts, scene_in(context))
            order.discard(job)


CLASSES = (
    FACECAP_OT_cancel,
    FACECAP_OT_move_job,
    FACECAP_OT_continue_job,
    FACECAP_OT_discard_job,
    FACECAP_OT_use_result,
    FACECAP_OT_keep_result,
)
