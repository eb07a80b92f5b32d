"""Solve: the worker process does the work, a timer listens to it, and the result is keyed as one undo step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...errors import FacecapError
from ...jobs.registry import caption_of
from ...jobs.runtime.eta import duration_text
from ...jobs.runtime.progress import Progress
from ...jobs.settings.solve import SolveSettings
from ...jobs.steps.results.result import SolveResult
from ...settings_schema import from_json
from .. import session
from ..paths import job_folder
from ..present import scene_in, settings_in, settings_of, window_manager_in
from ..properties.derive import values_of
from ..scene.objects import key_blocks_of
from ..takes import add_take, kept_path, made_from, take_file
from ..torch_there import what_torch_lacks
from ..worker_python import worker_python
from .bake import bake_result
from .base import FacecapOperator, OperatorReturn, fault_message, name_of
from .footage import footage_path, sequence_rate

if TYPE_CHECKING:
    from ...jobs.runtime.runner import ProcessRunner
    from ...rig.blendshapes import BlendshapeRig
    from ...takes.take import Take
    from ..properties.settings import FACECAP_PG_scene

POLL_S = 0.1
RIG_NAME = "character.rig.npz"


class JobOperator(FacecapOperator):
    """Mixin: an operator that runs a job in the worker process and bakes its result. Implement `new_job`."""

    _timer: bpy.types.Timer | None = None
    needs_take = ""
    """What to say where the operator wants a solved take and there is none."""
    kind = "solved"
    """What became of the take that it makes."""
    needs_torch = False
    """Whether its job needs what only some Pythons have."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if cls.needs_take and not settings_in(context).result.take:
            cls.poll_message_set(cls.needs_take)
            return False
        lacking = what_torch_lacks() if cls.needs_torch else ""
        if lacking:
            cls.poll_message_set(lacking)
            return False
        if session.job is not None:
            cls.poll_message_set("FaceCap is busy")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return self.guarded(self._start, context)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        """Solve and wait: from scripts and in background mode."""
        session.job = job = self.new_job(context)
        try:
            facts = job.runner.wait().result
        finally:
            session.end_job()
        return self._apply(job, facts)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        job = session.job
        if job is None:  # ended elsewhere: the add-on was disabled, or another file is being loaded
            return self._finish(context, {"CANCELLED"})
        playing = context.screen is not None and context.screen.is_animation_playing  # then Esc ends that
        if event.type == "ESC" and event.value == "PRESS" and not playing:
            stop(job)
            session.redraw()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            shown = progress_text(job)
            listen(job)
            if progress_text(job) != shown:
                session.redraw()
            if not job.runner.done:
                return {"PASS_THROUGH"}
            return self._finish(context, self._conclude(context, job))
        except Exception as error:  # a timer must never be left behind
            self.fail(fault_message(error, self.bl_idname))
            return self._finish(context, {"CANCELLED"})

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator by itself when a file is loaded or it quits."""
        self._finish(context, {"CANCELLED"})

    def new_job(self, context: bpy.types.Context) -> session.Job:
        """Start the job. Raises FacecapError."""
        raise NotImplementedError

    def _start(self, context: bpy.types.Context) -> OperatorReturn:
        session.outcome = None
        session.job = self.new_job(context)
        self._timer = window_manager_in(context).event_timer_add(POLL_S, window=context.window)
        window_manager_in(context).modal_handler_add(self)
        session.redraw()
        return {"RUNNING_MODAL"}

    def _conclude(self, context: bpy.types.Context, job: session.Job) -> OperatorReturn:
        error = job.runner.error
        if error is None:
            assert job.runner.result is not None
            facts = job.runner.result.result
            return self.guarded(lambda _: self._apply(job, facts), context)
        if error.cancelled:
            session.outcome = session.Outcome(
                False, ["Cancelled. What is finished is kept: the next start continues from there."], of=name_of(self)
            )
            self.report({"INFO"}, session.outcome.lines[0])
        else:
            self.fail(error.what, error.way_out)
        return {"CANCELLED"}

    def _apply(self, job: session.Job, facts: dict[str, object]) -> OperatorReturn:
        scene = scene_of(job)
        remember(scene, SolveResult.from_json(facts), self.kind)
        lines = bake_result(scene, object_of(job))
        session.outcome = session.Outcome(True, lines, settings_of(scene).result.take)
        return {"FINISHED"}

    def _finish(self, context: bpy.types.Context, verdict: OperatorReturn) -> OperatorReturn:
        """The only way out of a modal solve: no timer, process or half-drawn progress stays behind."""
        if self._timer is not None:
            window_manager_in(context).event_timer_remove(self._timer)
            self._timer = None
        session.end_job()
        session.redraw()
        return verdict


class FootageJobOperator(JobOperator):
    """A job on the scene's footage and character."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        lacking = what_a_solve_lacks(context)
        if lacking:
            cls.poll_message_set(lacking)
            return False
        return super().poll(context)


class FACECAP_OT_solve(FootageJobOperator, bpy.types.Operator):
    bl_idname = "facecap.solve"
    bl_label = "Solve"
    bl_description = "Animate the character from the footage, while you go on working"
    bl_options = {"UNDO"}

    def new_job(self, context: bpy.types.Context) -> session.Job:
        return new_job(context)


def what_a_solve_lacks(context: bpy.types.Context) -> str:
    """What has to be chosen before a solve can start; "" if everything is there."""
    settings = settings_in(context)
    if not settings.video:
        return "No footage was chosen: import a video of a face first"
    if settings.character is None:
        return "No character was chosen: pick the mesh that has the facial shape keys"
    if len(key_blocks_of(settings.character)) < 2:
        return "The character has no shape keys yet: Make Shape Keys gives it some"
    return what_torch_lacks() if settings.solve.method == "deep" else ""


class FACECAP_OT_cancel(bpy.types.Operator):
    bl_idname = "facecap.cancel"
    bl_label = "Cancel"
    bl_description = "Stop; what is finished is kept, and the next start continues from there (Esc)"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.job is not None and not session.job.cancelling

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        if session.job is not None:
            stop(session.job)
        return {"FINISHED"}


def new_job(context: bpy.types.Context) -> session.Job:
    """Start a solve of the present scene. Raises FacecapError."""
    return job_of(context, start_worker(context), settings_in(context).character)


def job_of(context: bpy.types.Context, runner: ProcessRunner, obj: bpy.types.Object | None) -> session.Job:
    """A running worker as the job of the present scene and an object."""
    return session.Job(runner, session.Handle.of(scene_in(context)), session.Handle.of(obj))


def scene_of(job: session.Job) -> bpy.types.Scene:
    """The scene of a job, whatever it is called by now. Raises FacecapError if it was deleted."""
    scene = job.scene.find(bpy.data.scenes)
    if scene is None:
        raise FacecapError(
            f"The scene “{job.scene.name}” was deleted meanwhile.", "What was found is kept in the job's folder."
        )
    return scene


def object_of(job: session.Job) -> bpy.types.Object:
    """The object of a job, whatever it is called by now. Raises FacecapError if it was deleted."""
    obj = job.character.find(bpy.data.objects)
    if obj is None:
        raise FacecapError(
            f"“{job.character.name}” was deleted meanwhile, so there is nothing to key.",
            "Pick another mesh with the same shape keys, and Bake Again.",
        )
    return obj


def start_worker(context: bpy.types.Context) -> ProcessRunner:
    """Read the character, write it into the job folder and start the worker. Raises FacecapError."""
    from ...jobs.runtime.runner import ProcessRunner
    from ..scene.animation.action import check_animatable
    from ..scene.head.character import extract_rig

    scene = scene_in(context)
    settings = settings_of(scene)
    video = footage_path(context)
    character = character_with_keys(settings)
    python = worker_python()
    rig = extract_rig(character)
    check_animatable(character)
    folder = job_folder(video)
    rig_path = write_rig(rig, folder, "character")
    request = values_of(settings.solve, SolveSettings)
    request |= {"video": video, "out": folder, "character": str(rig_path), "blend": False}
    if settings.solve.actor_file:
        request["actor"] = bpy.path.abspath(settings.solve.actor_file)
    request |= shown_part(settings)
    if settings.use_trim:
        into = take_to_merge_into(settings, video, rig) if request.get("merge") else None
        request |= {"merge": False} if into is None else {"into": into}
    request = {name: str(value) if isinstance(value, Path) else value for name, value in request.items()}
    return ProcessRunner("solve", from_json(SolveSettings, request), python=python.executable, sys_path=python.sys_path)


def character_with_keys(settings: FACECAP_PG_scene) -> bpy.types.Object:
    """The chosen character. Raises FacecapError if there is none."""
    if settings.character is None:
        raise FacecapError("No character was chosen.", "Pick the mesh that has the facial shape keys.")
    return settings.character


def shown_part(settings: FACECAP_PG_scene) -> dict[str, Any]:
    """Rate and trim of the scene's footage, as jobs are asked for them."""
    trim = {"start": str(settings.trim_start), "end": str(settings.trim_end)} if settings.use_trim else {}
    return {"fps": sequence_rate(settings), **trim}


def write_rig(rig: BlendshapeRig, folder: Path, name: str) -> Path:
    """Write a mesh for the worker; its file says what it holds, for what was made of it stays tied to it."""
    from ...atomic_file import atomic_path
    from ...jobs.steps.character import rig_key
    from ...rig.blendshapes import save_rig

    path = folder / f"{name}.{rig_key(rig)[:8]}.rig.npz"
    with atomic_path(path) as temporary:
        save_rig(temporary, rig)
    return path


def take_to_merge_into(settings: FACECAP_PG_scene, video: Path, rig: BlendshapeRig) -> Path | None:
    """The scene's take, if it is one of this footage and this character; a filtered one is merged into unfiltered."""
    from ...jobs.settings.filter import ENDING
    from ...jobs.steps.results.provenance import origin_in
    from ...takes.names import Origin
    from ...takes.npz import load_take

    try:
        path = made_from(take_file(settings.result), ENDING, "filtered")
        take = load_take(path)
    except FacecapError:
        return None
    origin = origin_in(take)
    same = origin is not None and Origin(str(video.resolve()), "-").is_same(origin)
    return path if same and take.channels == rig.channels and "settings" in take.provenance else None


def worker_job(context: bpy.types.Context, name: str, settings: Any, obj: bpy.types.Object | None) -> session.Job:
    """Start a job in the worker process, for the present scene and an object."""
    from ...jobs.runtime.runner import ProcessRunner

    python = worker_python()
    runner = ProcessRunner(name, settings, python=python.executable, sys_path=python.sys_path)
    return job_of(context, runner, obj)


def lines_of(facts: dict[str, object]) -> list[str]:
    """What a finished job has to say."""
    lines = facts.get("lines")
    return [str(line) for line in lines] if isinstance(lines, list) else []


def listen(job: session.Job) -> None:
    """Take in what the worker has said since the last call."""
    for event in job.runner.poll():
        if isinstance(event, Progress):
            job.stage = caption_of(event.stage)
            if event.total > 1:
                job.stage += f" {event.done} of {event.total}"
    job.fraction = job.runner.fraction
    progress = job.runner.progress
    begun = progress is not None and progress.done > 0  # until then the estimate is that of the stage before
    job.eta_s = job.runner.eta_s if begun else None


def progress_text(job: session.Job) -> str:
    """The words on the progress bar."""
    if job.cancelling:
        return "Stopping …"
    eta = f" · {duration_text(job.eta_s)} left" if job.eta_s else ""
    return f"{job.stage}{eta}"


def stop(job: session.Job) -> None:
    """Ask the worker to end; the modal operator sees it through."""
    job.cancelling = True
    job.runner.cancel()


def remember(scene: bpy.types.Scene, result: SolveResult, kind: str = "solved") -> None:
    """Keep a solve's outcome with the scene, so that it can be baked again later."""
    from ...takes.npz import load_take

    summary = result.summary
    path = result.version or result.take
    report = result.report
    if report is not None and path.with_name(report.name).is_file():
        report = path.with_name(report.name)
    take = load_take(path)
    add_take(
        scene,
        path,
        take,
        kind,
        choose=True,
        report=kept_path(report) if report else "",
        embedding=_embedding_of(take, path),
        fps=float(summary.get("fps") or 0.0),
        warnings="\n".join(str(warning) for warning in summary.get("warnings", ())),
    )


def _embedding_of(take: Take, path: Path) -> str:
    """Where the solve keeps the character's landmarks, for the overlay; "" if they are not there."""
    from ...jobs.steps.character import characters_in, find_stored_embedding
    from ...rig.blendshapes import load_rig
    from ...takes.versions import home_of

    settings = take.provenance.get("settings")
    character = settings.get("character") if isinstance(settings, dict) else None
    try:
        rig = load_rig(Path(str(character))) if character else None
    except FacecapError:
        rig = None
    if rig is None:
        return ""
    found = find_stored_embedding(rig, str(take.provenance.get("landmarks")), characters_in(home_of(path)))
    return "" if found is None else kept_path(found)


@bpy.app.handlers.persistent
def _end_before_load(*_: object) -> None:
    session.end_job()
    session.outcome = None


CLASSES = (FACECAP_OT_solve, FACECAP_OT_cancel)


def register() -> None:
    bpy.app.handlers.load_pre.append(_end_before_load)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_end_before_load)
    session.end_job()
