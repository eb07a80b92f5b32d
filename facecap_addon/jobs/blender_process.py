"""Work on .blend files, which only Blender itself can open: in a child process, or by a hook when inside Blender.

Requests and replies are described in `blender/batch.py`.
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
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from ..errors import FacecapError

ENVIRONMENT_VARIABLE = "FACECAP_BLENDER"
BlenderHook = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers a request in this process: takes the request, returns the result's facts, raises FacecapError."""

_CHILD = Path(__file__).resolve().parent.parent / "blender" / "child.py"
_POLL_S = 0.05


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
        return _program_command(program)
    if importlib.util.find_spec("bpy") is not None:
        return [sys.executable, "-I", str(_CHILD), "--"]
    program = shutil.which("blender")
    return None if program is None else _program_command(program)


def _program_command(program: str) -> list[str]:
    if Path(program).stem.lower().startswith("python"):
        return [program, "-I", str(_CHILD), "--"]
    return [program, "--background", "--factory-startup", "--python", str(_CHILD), "--"]


def ask_blender(
    request: dict[str, Any], *, blender: Path | None, hook: BlenderHook | None, folder: Path
) -> Generator[None, None, dict[str, Any]]:
    """Have Blender answer a request; returns the result's facts.

    Yields while it waits for the child, so that a job stays responsive; closing the generator ends the child.

    Args:
        request: see `blender/batch.py`.
        blender: program to use, see `blender_command`.
        hook: answers in this process instead, when that is Blender's.
        folder: existing folder for the request and the child's output while it runs.
    Raises:
        FacecapError: there is no Blender, or what the child reports.
    """
    if hook is not None:
        return hook(request)
    command = blender_command(blender)
    if command is None:
        raise NoBlenderError(
            "No Blender was found to open .blend files with.",
            f"Name it with --blender or {ENVIRONMENT_VARIABLE}, or install the bpy module beside FaceCap.",
        )
    with tempfile.TemporaryDirectory(prefix="blender-", dir=folder) as scratch:
        request_path, reply_path, log_path = (Path(scratch) / name for name in ("request.json", "reply", "log.txt"))
        request_path.write_text(json.dumps(request), encoding="utf-8")
        with reply_path.open("wb") as stdout, log_path.open("wb") as stderr:
            child = subprocess.Popen(
                [*command, str(request_path)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            try:
                while child.poll() is None:
                    yield
                    time.sleep(_POLL_S)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
        return _result_of(reply_path.read_bytes(), child.returncode, log_path)


def _result_of(output: bytes, code: int, log_path: Path) -> dict[str, Any]:
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
