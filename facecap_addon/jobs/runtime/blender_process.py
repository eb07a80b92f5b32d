"""Work on .blend files, which only Blender itself can open: in a child process, or by a hook when inside Blender.

Requests and replies are described in `blender/headless/requests.py`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import FacecapError
from ...json_types import Decoded, Facts
from .progress import Progress, Steps

ENVIRONMENT_VARIABLE = "FACECAP_BLENDER"
BlenderHook = Callable[[Facts], Decoded]
"""Answers a request in this process: takes the request, returns the result's facts, raises FacecapError."""
Waiting = Generator[None, None, Decoded]
"""Yields while Blender works; returns the result's facts."""
GO_ON = b"go on\n"
"""What a child that waits is told on its standard input."""

_CHILD = Path(__file__).resolve().parents[2] / "blender" / "headless" / "main.py"
_POLL_S = 0.02


class NoBlenderError(FacecapError):
    """Nothing on this machine can open .blend files."""


def blender_command(blender: Path | None) -> list[str] | None:
    """How to start something that has bpy, or None if there is nothing.

    Sought in this order: the program named, the one in FACECAP_BLENDER, this interpreter if it has the bpy module,
    `blender` on the PATH. Raises FacecapError when a program is named that does not exist.
    """
    named = blender or (Path(os.environ[ENVIRONMENT_VARIABLE]) if os.environ.get(ENVIRONMENT_VARIABLE) else None)
    if named is not None:
        program = shutil.which(str(named))
        if program is None:
            raise FacecapError(
                f"There is no program {named}.", f"Check --blender or the variable {ENVIRONMENT_VARIABLE}."
            )
        return _make_command(program)
    if importlib.util.find_spec("bpy") is not None:
        return [sys.executable, "-I", str(_CHILD), "--"]
    program = shutil.which("blender")
    return None if program is None else _make_command(program)


def _make_command(program: str) -> list[str]:
    if Path(program).stem.lower().startswith("python"):
        return [program, "-I", str(_CHILD), "--"]
    return [program, "--background", "--factory-startup", "--python", str(_CHILD), "--"]


def ask_blender(request: Facts, *, blender: Path | None, hook: BlenderHook | None, folder: Path) -> Waiting:
    """Have Blender answer a request; returns the result's facts.

    Yields while it waits for the child, so that a job stays responsive; closing the generator ends the child.

    Args:
        request: see `blender/headless/requests.py`.
        blender: program to use, see `blender_command`.
        hook: answers in this process instead, when that is Blender's.
        folder: for the request and the child's output while it runs; made if it is not there.
    Raises:
        FacecapError: there is no Blender, or what the child reports.
    """
    with prepare_blender(request, blender=blender, hook=hook, folder=folder) as answer:
        return (yield from answer())


def await_blender(asking: Waiting, stage: str) -> Steps[Decoded]:
    """Wait for Blender as one stage of a job; returns the result's facts."""
    while True:
        try:
            next(asking)
        except StopIteration as stop:
            return stop.value
        yield Progress(stage, 0, 1)


@contextmanager
def prepare_blender(
    request: Facts, *, blender: Path | None, hook: BlenderHook | None, folder: Path
) -> Iterator[Callable[[], Waiting]]:
    """Start Blender on a request that cannot be answered yet, so that its start costs no time later.

    Gives a generator function that lets Blender go on and waits for it, as `ask_blender` does. Blender opens what the
    request names at once, and reads what the caller has still to write (a take) only then. Leaving the context ends it.
    Args and errors: as `ask_blender`; that there is no Blender is said when the answer is wanted.
    """
    if hook is not None:
        yield lambda: _answer_here(hook, request)
        return
    command = blender_command(blender)
    if command is None:
        yield _report_no_blender
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="blender-", dir=folder) as scratch:
        request_path, reply_path, log_path = (Path(scratch) / name for name in ("request.json", "reply", "log.txt"))
        request_path.write_text(json.dumps(request), encoding="utf-8")
        with reply_path.open("wb") as stdout, log_path.open("wb") as stderr:
            child = subprocess.Popen(
                [*command, str(request_path)],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        try:
            yield lambda: _await_answer(child, reply_path, log_path)
        finally:
            if child.poll() is None:
                child.kill()
            with suppress(OSError):  # the word to go on may still be in the pipe's buffer
                child.communicate()


def _await_answer(child: subprocess.Popen[bytes], reply_path: Path, log_path: Path) -> Waiting:
    assert child.stdin is not None
    with suppress(OSError):  # it has ended already: its reply says why
        child.stdin.write(GO_ON)
        child.stdin.flush()
    yield  # at least once, so that telling it to go on never raises: what it says is for the one who waits
    while child.poll() is None:
        time.sleep(_POLL_S)
        yield
    return _read_result(reply_path.read_bytes(), child.returncode, log_path)


def _answer_here(hook: BlenderHook, request: Facts) -> Waiting:
    yield
    return hook(request)


def _report_no_blender() -> Waiting:
    yield
    raise NoBlenderError(
        "No Blender was found to open .blend files with.",
        f"Name it with --blender or {ENVIRONMENT_VARIABLE}, or install the bpy module beside FaceCap.",
    )


def _read_result(output: bytes, code: int, log_path: Path) -> Decoded:
    # Blender prints its own lines before the child script runs: the reply is the last line that is one.
    for line in reversed(output.decode("utf-8", "replace").splitlines()):
        if line.startswith('{"event"'):
            reply = json.loads(line)
            if reply["event"] == "result":
                return dict(reply["result"])
            raise FacecapError(reply["what"], reply["way_out"], exit_code=reply["exit_code"])
    log = log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = f" It said: {log[-1]}" if log else ""
    raise FacecapError(
        f"Blender ended without an answer (code {code}).{said}", "Try another Blender with --blender.", exit_code=1
    )
