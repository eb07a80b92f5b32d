"""Jobs run in this process, or in a worker that may be stopped, killed or left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import CancelledError, FacecapError
from facecap_addon.jobs.runtime import worker
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.runtime.runner import ProcessRunner
from facecap_addon.jobs.steps.results.result import SolveResult
from facecap_addon.settings_schema import to_json
from facecap_addon.takes.npz import load_take
from tests.jobs.solving import half_written, quick, run, steps_of
from tests.patience import PATIENCE_S, wait_until


def run_to_stage(runner: ProcessRunner, stage: str) -> None:
    """Poll until the job is in a stage; "" is at once."""

    def there() -> bool:
        runner.poll()
        assert runner.error is None, runner.error
        return not stage or (runner.progress is not None and runner.progress.stage == stage)

    wait_until(there)


def test_a_worker_gives_the_same_take(face_clip: Path, tmp_path: Path) -> None:
    here = run("solve", quick(face_clip, tmp_path / "here"))
    worker = ProcessRunner("solve", quick(face_clip, tmp_path / "worker")).wait(PATIENCE_S).result
    results = [SolveResult.from_json(facts) for facts in (here, worker)]
    assert results[0].summary_path.name == "face.summary.json"
    one, other = (load_take(result.take) for result in results)
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)
    np.testing.assert_allclose(one.landmarks_px, other.landmarks_px, atol=1e-3)  # threads may add up in another order


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP is POSIX")
def test_polling_does_not_wait_for_a_worker_that_says_nothing(face_clip: Path, tmp_path: Path) -> None:
    runner = ProcessRunner("solve", quick(face_clip, tmp_path))
    run_to_stage(runner, "open")
    os.kill(runner.pid, signal.SIGSTOP)
    # Whoever waited for the worker would be let go only by this.
    woken = threading.Timer(PATIENCE_S / 4, os.kill, (runner.pid, signal.SIGCONT))
    woken.start()
    while runner.poll():
        pass  # what it had said before
    for _ in range(100):
        assert runner.poll() == [] and not runner.done
    assert woken.is_alive()
    woken.cancel()
    os.kill(runner.pid, signal.SIGCONT)
    runner.cancel()
    with pytest.raises(CancelledError):
        runner.wait(PATIENCE_S)


def test_progress_of_a_worker_grows_to_its_end(face_clip: Path, tmp_path: Path) -> None:
    runner = ProcessRunner("solve", quick(face_clip, tmp_path))
    fractions = [runner.fraction]

    def done() -> bool:
        runner.poll()
        fractions.append(runner.fraction)
        return runner.done

    wait_until(done)
    assert runner.error is None
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len(set(fractions)) > 4
    assert runner.eta_s == 0.0


@pytest.mark.parametrize("stage", ["", "open", "landmarks", "fit"])
def test_cancel_ends_the_worker_at_any_moment(stage: str, face_clip: Path, tmp_path: Path) -> None:
    runner = ProcessRunner("solve", quick(face_clip, tmp_path))
    run_to_stage(runner, stage)
    runner.cancel()
    with pytest.raises(CancelledError):
        runner.wait(PATIENCE_S)
    assert runner.error is not None and runner.error.cancelled
    assert half_written(tmp_path) == []
    assert not (tmp_path / "summary.json").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(runner.pid, 0)


def test_a_job_in_this_process_can_be_stopped(face_clip: Path, tmp_path: Path) -> None:
    def stop(progress: Progress, fraction: float) -> None:
        if progress.stage == "landmarks":
            raise CancelledError

    with pytest.raises(CancelledError):
        run("solve", quick(face_clip, tmp_path), stop)
    assert half_written(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_killed_worker_is_reported_with_a_way_out(face_clip: Path, tmp_path: Path) -> None:
    runner = ProcessRunner("solve", quick(face_clip, tmp_path))
    run_to_stage(runner, "landmarks")
    os.kill(runner.pid, signal.SIGKILL)
    with pytest.raises(FacecapError, match="SIGKILL") as caught:
        runner.wait(PATIENCE_S)
    assert "Run it again" in caught.value.way_out
    assert ProcessRunner("solve", quick(face_clip, tmp_path)).wait(PATIENCE_S).result["summary"]["frames_solved"] == 40


def test_bad_input_arrives_as_the_same_error(tmp_path: Path) -> None:
    settings = quick(tmp_path / "missing.mp4", tmp_path / "out")
    for start in (lambda: run("solve", settings), lambda: ProcessRunner("solve", settings).wait(PATIENCE_S)):
        with pytest.raises(FacecapError, match=r"missing\.mp4") as caught:
            start()
        assert caught.value.exit_code == 2


def test_a_python_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="could not be started"):
        ProcessRunner("solve", quick(tmp_path / "a.mp4", tmp_path), python=tmp_path / "python")


def test_the_worker_ends_when_its_owner_is_gone(face_clip: Path, tmp_path: Path) -> None:
    request = {"job": "solve", "settings": to_json(quick(face_clip, tmp_path)), "sys_path": sys.path}
    process = subprocess.Popen(
        [sys.executable, "-I", str(Path(worker.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["event"] == "progress"
    process.stdin.close()
    rest = process.stdout.read().decode().splitlines()
    assert process.wait(PATIENCE_S) == 130
    assert json.loads(rest[-1])["exit_code"] == 130
    assert half_written(tmp_path) == []


def test_progress_is_what_a_job_yields(face_clip: Path, tmp_path: Path) -> None:
    steps = steps_of("solve", quick(face_clip, tmp_path))
    assert next(steps) == Progress("open", 0, 1)
    steps.close()
