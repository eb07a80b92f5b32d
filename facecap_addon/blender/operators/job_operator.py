"""What operators share that ask for long work: they say what, it waits its turn, and its result is put to use later."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import bpy

from ...errors import FacecapError
from ...json_types import Decoded
from ...settings_schema import to_json
from .. import session
from ..present import scene_in, settings_in
from ..queue import listening, order
from ..queue.conclude import scene_of
from ..torch_there import what_torch_lacks
from ..worker_python import worker_python
from .base import FacecapOperator, OperatorReturn, name_of


class JobOperator(FacecapOperator):
    """Mixin: an operator that asks for a job. Implement `new_job` and `apply`.

    Pressed, it lines the job up and is done: the result comes as an undo step of its own. From scripts and in
    background mode it waits for the result.
    """

    needs_take = ""
    """What to say where the operator wants a solved take and there is none."""
    needs_torch = False
    """Whether its job needs what only some Pythons have."""
    puts_on: ClassVar[Literal["character", "scene", "nothing"]] = "character"
    """What the result is for: where that changed meanwhile, it is offered, not forced."""
    makes_take = False
    """Whether a take comes of it, which can be listed without being baked."""
    use_label = "Bake"
    """What the button says that puts an offered result to use."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if cls.needs_take and not settings_in(context).result.take:
            cls.poll_message_set(cls.needs_take)
            return False
        lacking = what_torch_lacks() if cls.needs_torch else ""
        if lacking:
            cls.poll_message_set(lacking)
            return False
        return True

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """What is asked for, as data, see `describe`; nothing is started. Raises FacecapError."""
        raise NotImplementedError

    @classmethod
    def make_ready(cls, job: session.Job) -> None:
        """Bring up to date what jobs before this one may have changed; its worker is about to start."""

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        """Put the job's result into a scene and on a character; returns what to tell. Raises FacecapError."""
        raise NotImplementedError

    @classmethod
    def keep(cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene) -> None:
        """List the take that came of it with the scene's, and bake nothing; where `makes_take`. Raises FacecapError."""
        raise NotImplementedError

    @classmethod
    def watch(cls, job: session.Job) -> None:
        """Show what there is to see while the job runs."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return self.execute(context) if bpy.app.background else self.guarded(self.line_up, context)

    def line_up(self, context: bpy.types.Context) -> OperatorReturn:
        """Let the job run as soon as those before it are done. Raises FacecapError."""
        worker_python()  # what is wrong with it is said here, not in the middle of the night
        session.outcome = None
        order.add(self.new_job(context))
        listening.begin()
        return {"FINISHED"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        """Run the job and wait: from scripts and in background mode."""
        if session.job is not None:
            raise FacecapError("FaceCap is busy.", "Wait until the running job is done.")
        session.job = job = self.new_job(context)
        try:
            order.start(job)
            assert job.runner is not None
            facts = job.runner.wait().result
        finally:
            if job.runner is not None:
                job.runner.close()
            session.job = None
        session.outcome = self.apply(job, facts, scene_of(job), job.character.find(bpy.data.objects))
        return {"FINISHED"}

    @classmethod
    def describe(
        cls, context: bpy.types.Context, name: str, settings: Any, obj: bpy.types.Object | None, what: str = ""
    ) -> session.Job:
        """A job of the present scene.

        Args:
            name, settings: of the registry's job.  obj: what it is for, or None.  what: it is done to, for people.
        """
        from ..queue.stamps import mesh_stamp

        words = (cls.bl_label, what, f"on {obj.name}" if obj is not None and cls.puts_on == "character" else "")
        job = session.Job(
            operator=name_of(cls),
            name=name,
            settings=to_json(settings),
            title=" ".join(word for word in words if word),
            scene=session.Handle.of(scene_in(context)),
            character=session.Handle.of(obj),
            file=bpy.data.filepath,
            document=session.document,
        )
        job.mesh_stamp = mesh_stamp(obj) if obj is not None and obj.type == "MESH" else ""
        return job


def lines_of(facts: dict[str, object]) -> list[str]:
    """What a finished job has to say."""
    lines = facts.get("lines")
    return [str(line) for line in lines] if isinstance(lines, list) else []
