"""Run a job in a worker process.

It is driven by `poll()`, which never blocks for long and returns the events since the last call; `progress`,
`fraction`, `eta_s`, `result` and `error` hold the present state. A user interface calls `poll()` from a timer until
`done`; everything else calls `wait()`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ...errors import CancelledError, FacecapError
from ...settings_schema import to_json
from ..registry import job_named, stages_of
from .eta import StageClock
from .events import Event, JobError, JobResult, decode_event
from .progress import Progress

TERMINATE_AFTER_S = 2.0
KILL_AFTER_S = 4.0
_LEAST_LEFT = 0.2
"""An estimate that has run out, though the job has not ended, is of so much of what it was."""


class ProcessRunner:
    """Runs the job in a worker process, which starts at once.

    Nothing blocks and no thread is used, so it is safe beside bpy: the worker's events go to a temporary file that
    `poll` reads on from where it was.

    Args:
        job_name: see `registry`.
        settings: the job's settings.
        python: interpreter for the worker; None means this one.
        sys_path: folders the worker may import from; None means this process's own for this interpreter, and nothing
            for another one, which must bring the packages itself.
    Attributes:
        progress: the latest progress, or None.
        result: the job's result, once it is done.
        error: why the job ended without a result, or None.
    """

    def __init__(
        self, job_name: str, settings: object, *, python: Path | None = None, sys_path: Sequence[str] | None = None
    ) -> None:
        self.progress: Progress | None = None
        self.result: JobResult | None = None
        self.error: JobError | None = None
        self._clock = StageClock(stages_of(job_named(job_name), settings))
        if sys_path is None:
            sys_path = [entry for entry in sys.path if entry and Path(entry).exists()] if python is None else []
        request = {"job": job_name, "settings": to_json(settings), "sys_path": list(sys_path)}
        self._folder = tempfile.TemporaryDirectory(prefix="facecap-worker-")
        events_path = Path(self._folder.name) / "events.jsonl"
        self._log_path = Path(self._folder.name) / "log.txt"
        self._cancelled_s: float | None = None
        self._told_s = 0.0
        self._half_line = b""
        command = [str(python or sys.executable), "-I", str(Path(__file__).resolve().with_name("worker.py"))]
        with events_path.open("wb") as stdout, self._log_path.open("wb") as stderr:
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=stdout,
                    stderr=stderr,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            except OSError as error:
                self._folder.cleanup()
                raise FacecapError(
                    f"The worker process could not be started with {command[0]} ({error}).",
                    "Choose another Python in the add-on's preferences.",
                ) from error
        self._events = events_path.open("rb")
        self._send(json.dumps(request).encode("ascii") + b"\n")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def done(self) -> bool:
        """Whether the job has ended, with a result or an error."""
        return self.result is not None or self.error is not None

    @property
    def fraction(self) -> float:
        """How much of the whole job is done, 0 to 1; a rough guess."""
        return 1.0 if self.result is not None else self._clock.fraction

    @property
    def eta_s(self) -> float | None:
        """Seconds until the end, None while unknown; it counts down between two events."""
        if self.done or self._clock.eta_s is None:
            return 0.0 if self.done else None
        return max(_LEAST_LEFT * self._clock.eta_s, self._clock.eta_s - (time.monotonic() - self._told_s))

    def poll(self) -> list[Event]:
        """Events since the last call. Does not block."""
        if self.done:
            return []
        ended = self._process.poll() is not None  # asked before reading, so that nothing written meanwhile is lost
        events = self._read_events()
        for event in events:
            self._take_in(event)
        if self.done:
            self._close()
        elif ended:
            event = self._describe_death()
            self._take_in(event)
            events.append(event)
            self._close()
        elif self._cancelled_s is not None:
            self._force_end()
        return events

    def wait(self, timeout_s: float | None = None) -> JobResult:
        """Run to the end. Raises FacecapError when the job ends with an error, TimeoutError after `timeout_s`."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.done:
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise TimeoutError(f"the job did not end within {timeout_s} s")
            if not self.poll() and not self.done:
                time.sleep(0.02)
        if self.error is not None:
            raise exception_of(self.error)
        assert self.result is not None
        return self.result

    def cancel(self) -> None:
        """Ask the job to end; it ends within a few polls, with an error whose `cancelled` is true."""
        if self.done or self._cancelled_s is not None:
            return
        self._cancelled_s = time.monotonic()
        self._close_stdin()
        if os.name != "nt":  # on Windows terminate() is a kill: there the closed stdin asks politely first
            self._process.terminate()

    def tell(self, control: bytes) -> None:
        """Send a running job a control of one byte, see `jobs.live`."""
        self._send(control)

    def close(self) -> None:
        """End the worker at once, as when Blender quits or the add-on is disabled. What it finished is kept."""
        if not self.done:
            self._process.kill()
            stopped = CancelledError()
            self.error = JobError(stopped.what, stopped.way_out, stopped.exit_code)
        self._close()

    def _take_in(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress, self._told_s = event, time.monotonic()
            self._clock.update(event, self._told_s)
        elif isinstance(event, JobResult):
            self.result = event
        elif isinstance(event, JobError):
            self.error = event

    def _force_end(self) -> None:
        waited_s = time.monotonic() - (self._cancelled_s or 0.0)
        if waited_s > KILL_AFTER_S:
            self._process.kill()
        elif waited_s > TERMINATE_AFTER_S:
            self._process.terminate()

    def _read_events(self) -> list[Event]:
        lines = (self._half_line + self._events.read()).split(b"\n")
        self._half_line = lines.pop()
        decoded = (decode_event(line.decode("ascii", "replace")) for line in lines)
        return [event for event in decoded if event is not None]

    def _describe_death(self) -> JobError:
        """What to say when the worker has ended without a last word."""
        if self._cancelled_s is not None:
            stopped = CancelledError()
            return JobError(stopped.what, stopped.way_out, stopped.exit_code)
        code = self._process.returncode
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            how = f"was ended by the system ({name})"
            if name == "SIGKILL":
                how += ", perhaps because memory ran out"
        else:
            how = f"ended unexpectedly (code {code})"
        last_words = self._read_last_words()
        return JobError(
            f"The solving process {how}.{' It said: ' + last_words if last_words else ''}",
            "Run it again: it goes on from where it stopped.",
            1,
        )

    def _read_last_words(self) -> str:
        text = self._log_path.read_bytes()[-2000:].decode("utf-8", "replace").strip()
        return text.splitlines()[-1] if text else ""

    def _send(self, data: bytes) -> None:
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError:
            pass  # the worker has died already; poll() reports how

    def _close_stdin(self) -> None:
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError:
            pass

    def _close(self) -> None:
        self._close_stdin()
        try:
            self._process.wait(timeout=KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._events.close()
        self._folder.cleanup()


def exception_of(error: JobError) -> FacecapError:
    """The exception that says what an error event says."""
    return CancelledError() if error.cancelled else FacecapError(error.what, error.way_out, exit_code=error.exit_code)
