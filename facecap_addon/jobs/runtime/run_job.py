"""Run one job to its end in this process: for its result, or for events of which the last is a result or an error."""

from __future__ import annotations

import errno
import queue
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TextIO

from ...atomic_file import DISK_FULL
from ...errors import CancelledError, FacecapError
from ...settings_schema import from_json
from ..registry import Job, ResultT, SettingsT, job_named, stages_of
from .crash_report import write_crash_report
from .eta import StageClock
from .events import Event, FaceEvent, JobError, JobResult, encode_event
from .progress import Progress

NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}


def run_job(
    job: Job[SettingsT, ResultT],
    settings: SettingsT,
    on_progress: Callable[[Progress, float], None] | None = None,
) -> ResultT:
    """Run a job for its result.

    Args:
        on_progress: called with the progress and the fraction of the whole, 0 to 1; it may raise to stop.
    Raises:
        What the job raises.
    """
    clock = StageClock(stages_of(job, settings))
    result: list[ResultT] = []

    def run() -> Generator[Progress | FaceEvent, None, None]:
        result.append((yield from job.run(settings)))

    with closing(run()) as events:
        for event in events:
            if isinstance(event, Progress):
                clock.update(event, time.monotonic())
                if on_progress is not None:
                    on_progress(event, clock.fraction)
    return result[0]


def events_of(job: Job[SettingsT, ResultT], settings: SettingsT, **extras: object) -> Generator[Event, None, None]:
    """Run a job; yields its progress and, last, one JobResult or one JobError. Raises nothing.

    KeyboardInterrupt counts as a cancel. `extras` go to the job's `run` besides its settings.
    """
    try:
        result = yield from job.run(settings, **extras)
        yield JobResult(result.to_json())
    except GeneratorExit:
        raise
    except BaseException as error:
        yield error_event(error, job.name, settings)


def error_event(error: BaseException, job_name: str, settings: object) -> JobError:
    """What to tell the user about an exception; an unexpected one is written to a report file first."""
    if isinstance(error, KeyboardInterrupt):
        error = CancelledError()
    if isinstance(error, FacecapError):
        return JobError(error.what, error.way_out, error.exit_code)
    if isinstance(error, MemoryError):
        return JobError("There is not enough memory for this.", "Close other programs, or solve a shorter range.", 2)
    if isinstance(error, OSError) and error.errno is not None:
        return os_error_event(error, str(getattr(settings, "video", None) or ""))
    report = write_crash_report(error, job_name, settings)
    place = f"Details are in {report}" if report else "No report could be written"
    return JobError(
        f"FaceCap met a fault of its own: {type(error).__name__}: {error}",
        f"{place}; please send it to us. What was finished is kept: run it again to go on.",
        1,
        None if report is None else str(report),
    )


def os_error_event(error: OSError, video: str = "") -> JobError:
    """What to tell the user when the operating system refused something: a full disk, no permission, …

    Args:
        video: the job's footage, "" if it has none.
    """
    name = f" {Path(str(error.filename)).name}" if error.filename else ""
    if error.errno in DISK_FULL:
        what = f"The disk is full: could not write{name}."
        return JobError(what, "Free some space and run it again: it goes on from where it stopped.", 2)
    if error.errno in NO_PERMISSION:
        return JobError(f"There is no permission to use{name}.", "Choose another folder, or change its permissions.", 2)
    if name and name.strip() == Path(video).name:
        what = f"The video{name} can no longer be read ({error.strerror})."
        return JobError(what, "Check that its disk is connected, then run it again.", 2)
    what = f"{name.strip() or 'A file'} can no longer be read or written ({error.strerror})."
    return JobError(what, "Check the disk and the folder, then run it again.", 2)


def send_events(
    job_name: str,
    settings_json: Mapping[str, object],
    protocol: TextIO,
    controls: queue.SimpleQueue[bytes] | None = None,
) -> int:
    """Run a job and write its events to `protocol`, one line each; returns the exit code.

    Args:
        controls: what the job's owner wants of it while it runs, for jobs that have controls.
    """

    def report(event: Event) -> None:
        protocol.write(encode_event(event) + "\n")
        protocol.flush()

    settings: object = None
    code = 1
    try:
        job = job_named(job_name)
        settings = from_json(job.settings_type, settings_json)
        extras = {"controls": controls} if job.has_controls else {}
        for event in events_of(job, settings, **extras):
            report(event)
            if isinstance(event, JobError):
                code = event.exit_code
            elif isinstance(event, JobResult):
                code = 0
    except BrokenPipeError:
        return 130
    except BaseException as error:
        event = error_event(error, job_name, settings)
        report(event)
        return event.exit_code
    return code
