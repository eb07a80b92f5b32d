"""Events, estimates and reports: what a job tells the user."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facecap_addon.errors import CancelledError, FacecapError
from facecap_addon.jobs import registry
from facecap_addon.jobs.cli.progress_bar import ProgressBar
from facecap_addon.jobs.registry import CAPTIONS, JOBS, Job, job_named, stages_of
from facecap_addon.jobs.runtime.eta import StageClock, duration_text
from facecap_addon.jobs.runtime.events import Event, JobError, JobResult, decode_event, encode_event
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.runtime.run_job import events_of
from facecap_addon.jobs.runtime.threaded_progress import run_threaded
from facecap_addon.jobs.settings.solve import SolveSettings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "event",
    [
        Progress("landmarks", 128, 900, "zwölf"),
        JobResult({"take": "/tmp/脸.npz", "summary": {"fps": 81.5}}),
        JobError("The disk is full.", "Free some space.", 2, None),
        JobError("A fault.", "Send it.", 1, "/tmp/report.txt"),
    ],
)
def test_an_event_survives_its_line(event: Event) -> None:
    line = encode_event(event)
    assert line.isascii() and "\n" not in line
    assert decode_event(line) == event


@pytest.mark.parametrize("line", ["", "Blender 4.5.1", "{}", '{"event": "progress"}', '{"event": "other"}', "[]", "3"])
def test_a_line_that_is_no_event_is_ignored(line: str) -> None:
    assert decode_event(line) is None


def test_the_estimate_follows_the_real_speed() -> None:
    clock = StageClock((("landmarks", 0.75), ("fit", 0.25)))
    for done in range(0, 101, 10):
        clock.update(Progress("landmarks", done, 100), now_s=done * 0.3)
    # 100 frames took 30 s, and the fit usually takes a third of that.
    assert clock.eta_s == pytest.approx(10.0)
    assert clock.fraction == pytest.approx(0.75)
    clock.update(Progress("fit", 0, 10), now_s=30.0)
    clock.update(Progress("fit", 5, 10), now_s=50.0)
    assert clock.eta_s == pytest.approx(20.0)
    assert clock.fraction == pytest.approx(0.875)


def test_a_resumed_stage_is_not_taken_for_a_fast_one() -> None:
    clock = StageClock((("landmarks", 1.0),))
    clock.update(Progress("landmarks", 900, 1000), now_s=0.0)
    clock.update(Progress("landmarks", 910, 1000), now_s=1.0)
    assert clock.eta_s == pytest.approx(9.0)


@pytest.mark.parametrize("job", [job for job in JOBS if job.name != "live"], ids=lambda job: job.name)
def test_the_bar_of_every_job_runs_from_nothing_to_all_with_an_estimate(job: Job) -> None:
    """Each stage takes a second; the last estimate before the end is of no more than a few."""
    stages = [name for name, _ in job.stages]
    clock, now_s, fractions, estimates = StageClock(job.stages), 0.0, [], []
    for name in stages:
        for done in (0, 5, 10):
            clock.update(Progress(name, done, 10), now_s)
            now_s += 0.5
            fractions.append(clock.fraction)
            estimates.append(clock.eta_s)
    assert fractions[0] == 0 and fractions[-1] == pytest.approx(1.0)
    assert fractions == sorted(fractions) and len(set(fractions)) > len(stages)
    assert all(eta is not None and eta >= 0 for eta in estimates[1:])
    assert estimates[-1] == pytest.approx(0.0, abs=1e-6)


def test_stages_that_are_passed_over_take_no_time_and_one_that_comes_again_no_more() -> None:
    clock = StageClock((("open", 1), ("landmarks", 50), ("fit", 20), ("files", 9), ("open", 1), ("face", 19)))
    clock.update(Progress("open", 0, 1), 0.0)
    clock.update(Progress("fit", 0, 10), 1.0)
    assert clock.fraction == pytest.approx(1 / 50)
    clock.update(Progress("fit", 10, 10), 2.0)
    clock.update(Progress("landmarks", 0, 10), 2.0)  # lies behind
    assert clock.fraction == pytest.approx(21 / 50)
    clock.update(Progress("open", 0, 1), 2.0)
    assert clock.fraction == pytest.approx(21 / 41)
    clock.update(Progress("elsewhere", 1, 1), 2.5)  # unknown
    assert clock.fraction <= 22 / 41 + 1e-9


def test_a_stage_without_progress_of_its_own_has_an_estimate() -> None:
    clock = StageClock((("landmarks", 50), ("blend", 50)))
    clock.update(Progress("landmarks", 0, 10), 0.0)
    clock.update(Progress("landmarks", 10, 10), 8.0)
    clock.update(Progress("blend", 0, 1), 9.0)
    assert clock.eta_s == pytest.approx(9.0)


def test_a_job_has_the_stages_of_its_settings() -> None:
    job = job_named("solve")
    plain = SolveSettings(video=Path("a.mp4"), out=Path("o"), preview=False, blend=False)
    names = [name for name, _ in stages_of(job, plain)]
    assert "fit" in names and not {"solve", "preview", "blend", "face"} & set(names)
    assert "solve" in dict(stages_of(job, replace(plain, method="x.facecap")))
    assert "face" in dict(stages_of(job, replace(plain, method="deep")))


def test_every_stage_that_a_job_reports_has_a_caption() -> None:
    """Those named in the code of jobs and of what they run; and each stage of the registry is reported somewhere."""
    rooms = Path(registry.__file__).parent.parent
    code = "\n".join(path.read_text(encoding="utf-8") for path in rooms.rglob("*.py") if path.name != "registry.py")
    reporters = r"(?:\bProgress|\brun_threaded|\bon_progress|\.progress|\bPass)"
    reported = set(re.findall(reporters + r'\(\s*"([a-z ]+)"', code))
    assert len(reported) > 25
    assert reported <= set(CAPTIONS)
    assert {name for job in JOBS for name, _ in job.stages} == set(CAPTIONS)


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (125, "2:05"), (3725, "1:02:05")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def job_that(raises: BaseException) -> SimpleNamespace:
    def run(settings: Any) -> Generator[Progress, None, Any]:
        yield Progress("open", 0, 1)
        raise raises

    return SimpleNamespace(name="solve", run=run)


def test_a_fault_is_written_to_a_report_that_the_message_names(tmp_path: Path) -> None:
    settings = SolveSettings(video=Path("face.mp4"), out=tmp_path)
    *_, error = events_of(job_that(ZeroDivisionError("weights")), settings)
    assert isinstance(error, JobError)
    assert (error.exit_code, error.report is None) == (1, False)
    report = Path(str(error.report))
    assert report.parent == tmp_path and str(report) in error.way_out
    text = report.read_text(encoding="utf-8")
    assert "ZeroDivisionError: weights" in text and "numpy" in text and "face.mp4" in text


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (FacecapError("No such clip.", "Check the path."), 2, "No such clip."),
        (KeyboardInterrupt(), 130, "Cancelled"),
        (OSError(28, "No space left on device", "/x/take.npz"), 2, "disk is full"),
        (PermissionError(13, "Permission denied", "/x/take.npz"), 2, "permission"),
        (MemoryError(), 2, "memory"),
    ],
)
def test_expected_failures_are_told_in_words(raised: BaseException, code: int, words: str, tmp_path: Path) -> None:
    *_, error = events_of(job_that(raised), SolveSettings(video=Path("a.mp4"), out=tmp_path))
    assert isinstance(error, JobError)
    assert error.exit_code == code and words in error.what
    assert error.report is None and list(tmp_path.iterdir()) == []


def test_nothing_but_events_reaches_stdout() -> None:
    code = (
        "import os, sys\n"
        "from facecap_addon.jobs.runtime.stdout_redirect import redirect_stdout\n"
        "with redirect_stdout() as stream:\n"
        "    print('a stray print'); os.write(1, b'a native library\\n')\n"
        "    stream.write('{}\\n')\n"
        "print('afterwards')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{}\nafterwards\n"
    assert "a stray print" in done.stderr and "a native library" in done.stderr


def test_run_threaded_reports_returns_and_raises() -> None:
    def work(say: Any) -> str:
        for i in range(3):
            say(i, 3)
        return "done"

    steps = run_threaded("fit", work)
    seen: list[Progress] = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            assert stop.value == "done"
            break
    assert seen == [Progress("fit", 0, 1), *(Progress("fit", i, 3) for i in range(3))]  # first: that it has begun

    def fail(say: Any) -> None:
        raise FacecapError("No face.", "Turn around.")

    with pytest.raises(FacecapError, match="No face"):
        list(run_threaded("fit", fail))


def test_a_closed_run_threaded_ends_its_work() -> None:
    ended: list[str] = []

    def work(say: Any) -> None:
        try:
            for i in range(10_000_000):
                say(i, 10_000_000)
        except CancelledError:
            ended.append("cancelled")
            raise

    steps = run_threaded("fit", work)
    assert [next(steps), next(steps)] == [Progress("fit", 0, 1), Progress("fit", 0, 10_000_000)]
    steps.close()
    assert ended == ["cancelled"]


def test_the_bar_without_a_terminal_says_each_stage_once() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, (("landmarks", 3), ("fit", 1)))
    for done in range(5):
        bar.show(Progress("landmarks", done, 5))
    bar.show(Progress("fit", 0, 5, "Going on from frame 3"))
    bar.clear()
    assert stream.getvalue().splitlines() == ["Finding landmarks", "Going on from frame 3", "Fitting the face"]
