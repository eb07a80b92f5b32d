"""Long work: lined up, continued later, and never forced on a file or a character that changed meanwhile."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.operators.jobs import FACECAP_OT_cancel
from facecap_addon.blender.operators.solve import FACECAP_OT_solve
from facecap_addon.blender.paths import user_folder
from facecap_addon.blender.queue import kept, listening, order, owner
from facecap_addon.blender.queue.operators import operator_of
from facecap_addon.blender.takes import label_of
from facecap_addon.errors import FacecapError
from facecap_addon.jobs.runtime.events import JobError, JobResult
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.settings.output import OutputSettings
from facecap_addon.jobs.steps.results.outputs import OutputFiles, result_of, write_take
from facecap_addon.takes.versions import add_id
from tests.blender.face_video import write_face_video
from tests.blender.faces import make_face
from tests.blender.takes import make_take
from tests.blender.test_footage_in_scene import write_video
from tests.blender.test_operators import choose, needs_models, open_sample_head
from tests.patience import wait_until


class Worker:
    """A worker that says what it is told to."""

    def __init__(self) -> None:
        self.result: JobResult | None = None
        self.error: JobError | None = None
        self.progress: Progress | None = None
        self.fraction, self.eta_s = 0.25, 90.0
        self.cancelled = self.closed = False

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None

    def poll(self) -> list[Progress]:
        if self.cancelled and not self.done:
            self.error = JobError("Cancelled.", "", 130)
        if self.done:
            return []
        self.progress = Progress("fit", 3, 12)
        return [self.progress]

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """Every worker that is started, in order; none is a process."""
    from facecap_addon.jobs.runtime import runner

    made: list[Worker] = []

    def start(*_: object, **__: object) -> Worker:
        made.append(Worker())
        return made[-1]

    monkeypatch.setattr(runner, "ProcessRunner", start)
    return made


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    order.stop_all()
    for path in user_folder("jobs").glob("*"):
        path.unlink()
    session.outcome = None


@pytest.fixture
def head(tmp_path: Path) -> bpy.types.Object:
    """A character with footage, ready to be solved."""
    obj = make_face(name="Head")
    choose(write_video(tmp_path / "clip.mp4", frames=5), obj).bake.head = "none"
    return obj


def ask() -> session.Job:
    """What pressing Solve does."""
    job = FACECAP_OT_solve.new_job(bpy.context)
    order.add(job)
    return job


def finish(worker: Worker, folder: Path, *, seed: int = 5) -> None:
    """Let a worker end with a take of 40 frames."""
    files, settings = OutputFiles(folder, f"clip{seed}"), OutputSettings(report=False, live_link=False, blend=False)
    before = write_take(files, add_id(make_take(40, seed=seed)), settings)
    worker.result = JobResult(result_of(files, settings, {}, has_blend=False, before=before).to_json())


def action_of(obj: bpy.types.Object) -> bpy.types.Action | None:
    animation = obj.data.shape_keys.animation_data
    return None if animation is None else animation.action


def on_disk() -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in user_folder("jobs").glob("*.json")]


def save(path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def test_one_runs_the_others_wait_and_can_be_reordered(head: bpy.types.Object, workers: list[Worker]) -> None:
    settings = bpy.context.scene.facecap
    first = ask()
    settings.solve.smoothness = 2.0
    second = ask()
    settings.solve.smoothness = 3.0
    third = ask()
    assert first.title == "Solve clip.mp4 on Head"
    assert listening.tick()
    assert (session.job, session.waiting, len(workers)) == (first, [second, third], 1)
    assert listening.tick()
    assert (first.stage, first.fraction, first.eta_s) == ("Fitting the face 3 of 12", 0.25, 90.0)
    assert listening.progress_text(first) == "Fitting the face 3 of 12 · 1:30 left"
    bpy.ops.facecap.move_job(job=third.id)
    assert session.waiting == [third, second]
    bpy.ops.facecap.move_job(job=third.id, later=True)
    bpy.ops.facecap.discard_job(job=second.id)
    assert session.waiting == [third]
    workers[0].error = JobError("No frame shows a face.", "Choose other footage.", 3)
    listening.tick()
    assert session.outcome is not None and session.outcome.lines[0] == "No frame shows a face."
    assert not session.stopped  # there is nothing to go on with
    listening.tick()
    assert session.job is third and len(workers) == 2


def test_the_same_work_is_not_lined_up_twice(head: bpy.types.Object, workers: list[Worker]) -> None:
    ask()
    with pytest.raises(Exception, match="waits already"):
        ask()
    listening.tick()
    with pytest.raises(Exception, match="runs already"):
        ask()


def test_a_result_is_keyed_where_nothing_changed(head: bpy.types.Object, workers: list[Worker], tmp_path: Path) -> None:
    bpy.ops.ed.undo_push(message="before")
    ask()
    listening.tick()
    finish(workers[0], tmp_path)
    assert not listening.tick()
    assert session.job is None and not session.finished and on_disk() == []
    assert action_of(head) is not None
    assert session.outcome is not None and session.outcome.ok and session.outcome.of == "facecap.solve"
    bpy.ops.ed.undo()
    assert action_of(bpy.data.objects["Head"]) is None
    bpy.ops.ed.redo()
    assert action_of(bpy.data.objects["Head"]) is not None


def test_solves_of_one_head_one_after_the_other_are_both_keyed(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    ask()
    bpy.context.scene.facecap.solve.smoothness = 2.0
    ask()
    for number in range(2):
        listening.tick()
        finish(workers[number], tmp_path, seed=number)
        listening.tick()
    assert not session.finished  # what the first one keyed is no change by hand
    assert len(bpy.context.scene.facecap.takes) == 2


def key_by_hand(obj: bpy.types.Object) -> None:
    block = obj.data.shape_keys.key_blocks[1]
    block.value = 0.7
    block.keyframe_insert("value", frame=11)


def keys_by_hand(obj: bpy.types.Object) -> list[tuple[float, float]]:
    from facecap_addon.blender.scene.animation.curves import curves_of

    return [tuple(point.co) for curve in curves_of(obj.data.shape_keys) for point in curve.keyframe_points]


def rename_a_key(obj: bpy.types.Object) -> None:
    obj.data.shape_keys.key_blocks[1].name = "mine"


def move_a_vertex(obj: bpy.types.Object) -> None:
    obj.data.shape_keys.key_blocks[0].data[0].co.x += 0.01


def delete(obj: bpy.types.Object) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.ops.object.delete()


def delete_scene(obj: bpy.types.Object) -> None:
    bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(bpy.context.scene)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (key_by_hand, "got other keys"),
        (rename_a_key, "were changed meanwhile"),
        (move_a_vertex, "were changed meanwhile"),
        (delete, "“Head” was deleted"),
        (delete_scene, "The scene “Scene” was deleted"),
    ],
)
def test_a_result_is_offered_where_something_changed(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path, change: object, said: str
) -> None:
    job = ask()
    listening.tick()
    change(head)  # type: ignore[operator]
    before = keys_by_hand(head) if change is key_by_hand else []
    finish(workers[0], tmp_path)
    listening.tick()
    assert session.finished == [job] and said in job.reason
    if change in (key_by_hand, rename_a_key, move_a_vertex):
        assert keys_by_hand(head) == before if before else action_of(head) is None


def test_an_offered_result_can_be_baked_listed_or_discarded(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    settings = bpy.context.scene.facecap
    jobs = []
    for number, smoothness in enumerate((1.0, 2.0, 3.0)):
        settings.solve.smoothness = smoothness
        jobs.append(ask())
        listening.tick()
        head.data.shape_keys.key_blocks[0].data[0].co.x += 0.01
        finish(workers[number], tmp_path, seed=number)
        listening.tick()
    assert session.finished == jobs and len(on_disk()) == 3 and len(settings.takes) == 0
    bpy.ops.facecap.keep_result(job=jobs[1].id)
    assert [label_of(take).split(" · ")[1] for take in settings.takes] == ["solved"]
    assert action_of(head) is None
    bpy.ops.facecap.use_result(job=jobs[0].id)
    assert action_of(head) is not None and len(settings.takes) == 2
    bpy.ops.facecap.discard_job(job=jobs[2].id)
    assert session.finished == [] and on_disk() == [] and len(settings.takes) == 2


def test_an_offered_result_that_does_not_fit_stays_offered(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    job = ask()
    listening.tick()
    delete(head)
    finish(workers[0], tmp_path)
    listening.tick()
    bpy.context.scene.facecap.character = None
    with pytest.raises(RuntimeError, match="no character to key"):
        bpy.ops.facecap.use_result(job=job.id)
    assert session.finished == [job]
    bpy.context.scene.facecap.character = other = make_face(name="Other")
    bpy.ops.facecap.use_result(job=job.id)
    assert action_of(other) is not None and not session.finished


def test_a_job_goes_on_in_another_file_and_is_offered_there(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    save(tmp_path / "shot.blend")
    job = ask()
    listening.tick()
    bpy.ops.wm.read_homefile(use_empty=True)
    stranger = make_face(name="Head")
    assert session.job is job and not job.is_here
    finish(workers[0], tmp_path)
    listening.tick()
    assert session.finished == [job] and "shot.blend" in job.reason
    assert action_of(stranger) is None
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert job.is_here
    bpy.ops.facecap.use_result(job=job.id)
    assert action_of(bpy.data.objects["Head"]) is not None


def test_a_file_that_is_open_again_gets_its_result(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    save(tmp_path / "shot.blend")
    ask()
    listening.tick()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    finish(workers[0], tmp_path)
    listening.tick()
    assert not session.finished and action_of(bpy.data.objects["Head"]) is not None


def test_a_file_that_is_saved_under_another_name_keeps_its_jobs(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    job = ask()
    listening.tick()
    save(tmp_path / "named.blend")
    assert job.file == str(tmp_path / "named.blend") and on_disk()[0]["file"] == job.file


def test_what_was_cancelled_can_go_on(head: bpy.types.Object, workers: list[Worker], tmp_path: Path) -> None:
    job = ask()
    listening.tick()
    listening.tick()
    assert bpy.ops.facecap.cancel() == {"FINISHED"}
    assert not bpy.ops.facecap.cancel.poll()
    listening.tick()
    assert session.job is None and session.stopped == [job]
    assert job.reason == "Cancelled" and job.fraction == 0.25
    assert session.outcome is not None and "Continue" in session.outcome.lines[0]
    bpy.ops.facecap.continue_job(job=job.id)
    listening.tick()
    assert session.job is job and len(workers) == 2
    finish(workers[1], tmp_path)
    listening.tick()
    assert action_of(head) is not None


def test_escape_cancels_over_the_sidebar_alone(head: bpy.types.Object, workers: list[Worker]) -> None:
    ask()
    listening.tick()
    event, place = MagicMock(type="ESC"), MagicMock()
    operator = MagicMock(execute=lambda _: FACECAP_OT_cancel.execute(None, bpy.context))  # type: ignore[arg-type]
    for region, playing, passed in (("WINDOW", False, True), ("UI", True, True), ("UI", False, False)):
        place.region.type, place.screen.is_animation_playing = region, playing
        assert FACECAP_OT_cancel.invoke(operator, place, event) == ({"PASS_THROUGH"} if passed else {"FINISHED"})
        assert workers[0].cancelled is not passed


def test_a_job_that_cannot_be_started_says_so_in_its_section_and_the_next_one_runs(
    head: bpy.types.Object, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask()
    bpy.context.scene.facecap.solve.smoothness = 2.0
    second = ask()

    def gone() -> None:
        raise FacecapError("The Python is not there.", "Correct it.")

    monkeypatch.setattr(order, "worker_python", gone)
    assert listening.tick()
    assert session.outcome is not None and session.outcome.of == "facecap.solve"
    assert session.outcome.lines == ["The Python is not there.", "Correct it."]
    monkeypatch.undo()
    monkeypatch.setattr("facecap_addon.jobs.runtime.runner.ProcessRunner", lambda *_, **__: Worker())
    listening.tick()
    assert session.job is second and first.id not in {facts["id"] for facts in on_disk()}


def test_a_range_goes_into_the_take_as_it_is_when_its_turn_comes(
    head: bpy.types.Object, workers: list[Worker], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from facecap_addon.blender.operators import solve

    monkeypatch.setattr(solve, "take_to_merge_into", lambda *_: Path("before.take.npz"))
    settings = bpy.context.scene.facecap
    settings.use_trim, settings.trim_end = True, 3
    job = ask()
    assert job.settings["into"] == "before.take.npz"
    monkeypatch.setattr(solve, "take_to_merge_into", lambda *_: Path("after.take.npz"))
    listening.tick()
    assert session.job is job and job.settings["into"] == "after.take.npz"


def test_asking_anew_for_what_was_stopped_goes_on_with_it(head: bpy.types.Object, workers: list[Worker]) -> None:
    ask()
    listening.tick()
    bpy.ops.facecap.cancel()
    listening.tick()
    again = ask()
    assert not session.stopped and session.waiting == [again] and len(on_disk()) == 1


def test_after_a_crash_what_ran_and_waited_can_go_on_and_what_was_finished_is_offered(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path
) -> None:
    save(tmp_path / "shot.blend")
    settings = bpy.context.scene.facecap
    done = ask()
    listening.tick()
    head.data.shape_keys.key_blocks[0].data[0].co.x += 0.01
    finish(workers[0], tmp_path)
    listening.tick()
    settings.solve.smoothness = 2.0
    ran = ask()
    listening.tick()
    settings.solve.smoothness = 3.0
    waited = ask()
    kept.read()
    assert len(session.finished) == 1 and not session.stopped  # all of them are this Blender's own

    session.job = None
    for jobs in (session.waiting, session.finished):
        jobs.clear()
    for path in user_folder("jobs").glob("*.json"):  # as another Blender left them
        path.write_text(json.dumps({**json.loads(path.read_text()), "owner": "gone"}))
    (user_folder("jobs") / "broken.json").write_text("{")
    listening.read_kept()
    assert [job.id for job in session.stopped] == [ran.id, waited.id]
    assert [job.id for job in session.finished] == [done.id]
    assert {job.reason for job in session.stopped} == {"Interrupted"}
    assert all(job.is_here for job in session.stopped)  # the file that they are for is open
    bpy.ops.facecap.continue_job(job=ran.id)
    listening.tick()
    finish(workers[-1], tmp_path, seed=2)
    listening.tick()
    assert len(settings.takes) == 1
    bpy.ops.facecap.use_result(job=done.id)
    assert len(settings.takes) == 2


def test_jobs_of_a_blender_that_still_runs_are_its_own(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from facecap_addon.blender.queue import owner\n"
        "print(owner.claim(Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    root = str(Path(__file__).resolve().parents[2])
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", cwd=root)
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert owner.is_alive(tmp_path, name)
    child.kill()
    child.wait()
    assert not owner.is_alive(tmp_path, name) and not owner.is_alive(tmp_path, "never")


def test_disabling_the_add_on_keeps_what_runs_and_waits(head: bpy.types.Object, workers: list[Worker]) -> None:
    ran = ask()
    listening.tick()
    bpy.context.scene.facecap.solve.smoothness = 2.0
    waited = ask()
    listening.unregister()
    assert workers[0].closed and session.job is None and not session.waiting
    listening.register()
    listening.read_kept()
    assert [job.id for job in session.stopped] == [ran.id, waited.id]


def test_a_fault_while_keying_loses_nothing(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask()
    listening.tick()
    finish(workers[0], tmp_path)

    def broken(*_: object) -> None:
        raise KeyError("jawOpen")

    monkeypatch.setattr(operator_of(job), "apply", broken)
    listening.tick()
    assert session.finished == [job] and "fault of its own" in job.reason


def test_nothing_is_keyed_while_the_user_holds_a_tool(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask()
    listening.tick()
    finish(workers[0], tmp_path)
    monkeypatch.setattr(listening, "tool_runs", lambda: "Sculpt")
    assert listening.tick() and session.job is job and action_of(head) is None
    monkeypatch.undo()
    listening.tick()
    assert action_of(head) is not None


def test_a_tool_that_never_ends_lets_the_result_be_offered(
    head: bpy.types.Object, workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask()
    listening.tick()
    finish(workers[0], tmp_path)
    monkeypatch.setattr(listening, "tool_runs", lambda: "Screencast Keys")
    listening.tick()
    assert session.job is job and "waits" in job.stage
    monkeypatch.setattr(listening, "PATIENCE_S", 0.0)
    listening.tick()
    assert session.finished == [job] and "Screencast Keys" in job.reason and action_of(head) is None
    assert session.job is None
    assert bpy.ops.facecap.use_result(job=job.id) == {"FINISHED"}
    assert action_of(head) is not None and not session.finished


def test_another_scene_may_be_open_meanwhile(head: bpy.types.Object, workers: list[Worker], tmp_path: Path) -> None:
    first = bpy.context.scene
    ask()
    listening.tick()
    other = bpy.data.scenes.new("Other")
    with bpy.context.temp_override(scene=other):
        finish(workers[0], tmp_path)
        listening.tick()
    assert action_of(head) is not None
    assert (len(first.facecap.takes), len(other.facecap.takes)) == (1, 0)


def test_a_worker_that_dies_can_go_on(head: bpy.types.Object, tmp_path: Path) -> None:
    job = ask()
    listening.tick()
    assert job.runner is not None
    os.kill(job.runner.pid, signal.SIGKILL)
    wait_until(lambda: not listening.tick())
    assert session.stopped == [job] and "SIGKILL" in job.reason


@needs_models
def test_a_cancelled_solve_goes_on_and_gives_the_same_take(tmp_path: Path) -> None:
    from facecap_addon.takes.npz import load_take

    video = write_face_video(tmp_path / "face.mp4", frames=40)
    choose(video, open_sample_head(tmp_path))
    job = ask()
    listening.tick()
    wait_until(lambda: listening.tick() and job.fraction > 0.05)
    bpy.ops.facecap.cancel()
    wait_until(lambda: not listening.tick())
    assert session.stopped == [job]
    bpy.ops.facecap.continue_job(job=job.id)
    wait_until(lambda: not listening.tick())
    result = bpy.context.scene.facecap.result
    assert result.frames_solved == 40
    there = load_take(Path(bpy.path.abspath(result.take))).weights
    settings = bpy.context.scene.facecap
    settings.video = str(write_face_video(tmp_path / "again.mp4", frames=40))
    assert bpy.ops.facecap.solve() == {"FINISHED"}
    np.testing.assert_array_equal(load_take(Path(bpy.path.abspath(settings.result.take))).weights, there)
