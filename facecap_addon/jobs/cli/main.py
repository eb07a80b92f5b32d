"""The command line: `facecap solve`, `live`, `generate` and the other jobs, and `facecap doctor`.

The same `main` serves the console script, `python -m facecap_addon` and `blender --command facecap`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, TextIO

from ... import __version__
from ...errors import CancelledError, FacecapError
from ...json_types import Decoded
from ..registry import JOBS, AnyJob, Stages, job_named, stages_of
from ..runtime.blender_process import BlenderHook
from ..runtime.events import Event, FaceEvent, JobError, JobResult, encode_event
from ..runtime.progress import Progress
from ..runtime.stdout_redirect import redirect_stdout
from .arguments import add_arguments, from_arguments
from .progress_bar import ProgressBar


def main(argv: Sequence[str] | None = None, *, blender_hook: BlenderHook | None = None) -> int:
    """Run a command.

    Args:
        argv: arguments after the program's name; None means this process's.
        blender_hook: answers requests about .blend files when this process is Blender's.
    Returns:
        exit code: 0 done, 1 a fault of FaceCap's own, 2 bad input, 3 no face found, 130 cancelled.
    """
    try:
        with _handle_interrupts():
            return _run(sys.argv[1:] if argv is None else list(argv), blender_hook)
    except KeyboardInterrupt:
        _print_error(JobError(CancelledError().what, CancelledError().way_out, 130), sys.stderr)
        return 130
    except FacecapError as error:
        _print_error(JobError(error.what, error.way_out, error.exit_code), sys.stderr)
        return error.exit_code
    except SystemExit as stop:  # argparse's --help, --version and usage errors
        return stop.code if isinstance(stop.code, int) else 2


def _run(argv: list[str], blender_hook: BlenderHook | None) -> int:
    parser = argparse.ArgumentParser(prog="facecap", description="Facial performance capture from any video of a face.")
    parser.add_argument("--version", action="version", version=f"facecap {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for job in JOBS:
        if job.on_command_line:
            _add_job(commands, job)
    doctor = commands.add_parser("doctor", help="check the installation")
    doctor.add_argument("--json", action="store_true", help="Print the findings as JSON")

    arguments = parser.parse_args(argv)
    if arguments.command == "doctor":
        return _run_doctor(as_json=arguments.json)
    job = job_named(arguments.command)
    return _run_command(job, from_arguments(job.settings_type, arguments), blender_hook, as_json=arguments.json)


def _add_job(commands: Any, job: AnyJob) -> None:
    """A command whose flags are a job's settings."""
    parser = commands.add_parser(
        job.name,
        help=job.summary,
        description=job.description,
        epilog="Exit codes: 0 done, 2 bad input, 3 no face found, 130 cancelled, 1 a fault of FaceCap's own.",
    )
    add_arguments(parser, job.settings_type, positional=(job.positional,))
    parser.add_argument("--json", action="store_true", help="Print events as JSON lines instead of a progress bar")


def _run_command(job: AnyJob, settings: Any, blender_hook: BlenderHook | None, *, as_json: bool) -> int:
    # `facecap --help` does without numpy, which these bring.
    from ..runtime.native_threads import limit_native_threads

    limit_native_threads(settings.threads)  # before numpy comes in with the job
    from ..runtime.run_job import events_of  # after the limit

    events = events_of(job, settings, blender_hook=blender_hook)
    event: Event = Progress("open", 0, 0)
    if as_json:
        with redirect_stdout() as stream:
            for event in events:
                stream.write(encode_event(event) + "\n")
                stream.flush()
    else:
        event = _show(events, stages_of(job, settings))
    return event.exit_code if isinstance(event, JobError) else 0


def _show(events: Iterator[Event], stages: Stages) -> Event:
    """Show a job's events to a person; returns the last one."""
    bar = ProgressBar(sys.stderr, stages)
    last: Event = Progress("open", 0, 0)
    try:
        for last in events:
            if isinstance(last, Progress):
                bar.show(last)
            elif isinstance(last, FaceEvent):
                bar.write_line(_format_face(last), last.note)
    finally:
        bar.clear()
    if isinstance(last, JobError):
        _print_error(last, sys.stderr)
    elif isinstance(last, JobResult):
        _print_result(last.result)
    return last


def _format_face(face: FaceEvent) -> str:
    if not face.confidence:
        what = "no face" if face.known in (0, 1) else f"getting to know the face: {face.known:.0%}"
        return f"{face.time_s:7.1f} s  {what}"
    recording = "  recording" if face.recording else ""
    return (
        f"{face.time_s:7.1f} s  {face.fps:5.1f} frames per second, {face.latency_ms:4.0f} ms late, "
        f"{face.dropped} dropped{recording}"
    )


def _print_result(result: Decoded) -> None:
    for line in result.get("lines", ()):
        print(line)
    if "summary" not in result:
        return
    from ...takes.measures.average_error import AverageError  # brings numpy

    summary = result["summary"]
    error = AverageError(summary["residual_px"] or 0.0, summary.get("error_of_eye_distance") or 0.0)
    for warning in summary["warnings"]:
        print(f"note: {warning}")
    print(
        f"{summary['frames_solved']} of {summary['frames_decoded']} frames solved, "
        f"{summary['frames_missing']} without a face, {summary['fps']:.0f} frames per second"
        + ("" if summary["residual_px"] is None else f", average error {error.text}")
    )
    for name in ("take", "live_link", "blend", "report", "preview", "summary_path", "before"):
        if result[name] is not None:
            print(f"{name.removesuffix('_path').replace('_', ' '):>10}  {result[name]}")


def _run_doctor(*, as_json: bool) -> int:
    from .doctor import run_checks  # brings numpy

    found = run_checks()
    if as_json:
        print(json.dumps([asdict(check) for check in found]))
    else:
        for check in found:
            mark = "ok " if check.ok else "NO " if check.needed else "-- "
            print(f"{mark} {check.name:<24}{check.detail}")
            if check.way_out:
                print(f"{'':28}{check.way_out}")
    return 0 if all(check.ok for check in found if check.needed) else 2


def _print_error(error: JobError, stream: TextIO) -> None:
    prefix = "" if error.cancelled else "facecap: "
    text = f"{prefix}{error.what} {error.way_out}".strip()
    encoding = stream.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), file=stream)


@contextlib.contextmanager
def _handle_interrupts() -> Iterator[None]:
    """Make Ctrl-C and SIGTERM raise KeyboardInterrupt once; they are ignored while the clean-up runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGINT", "SIGTERM") if hasattr(signal, name)]
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}

    def stop(*_: object) -> None:
        for name in names:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        raise KeyboardInterrupt

    for name in names:
        signal.signal(getattr(signal, name), stop)
    try:
        yield
    finally:
        for name, handler in before.items():
            # None: it was set outside Python, as Blender does; it cannot be given back, only the system's default can
            signal.signal(getattr(signal, name), signal.SIG_DFL if handler is None else handler)
