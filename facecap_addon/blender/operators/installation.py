"""Check installation: does the worker's Python start, and does it have what solving needs?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from ...errors import FacecapError
from .. import session
from ..torch_there import forget
from ..worker_python import WorkerPython, worker_python
from .base import FacecapOperator, OperatorReturn

_TIMEOUT_S = 60
_PROBE = """
import json, sys
sys.path[:0] = json.loads(sys.stdin.readline())
from facecap_addon.jobs.cli.main import main
sys.exit(main(["doctor", "--json"]))
"""


class FACECAP_OT_check_installation(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.check_installation"
    bl_label = "Check Installation"
    bl_description = "See whether everything that solving needs is there, and how to get the rest"

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        report, complete = describe(probe(worker_python()))
        session.installation_report = report
        forget()
        self.report({"INFO"} if complete else {"ERROR"}, report[0])
        return {"FINISHED"}


def probe(python: WorkerPython) -> list[dict[str, Any]]:
    """What `facecap doctor` finds in the worker's Python: a `jobs.cli.doctor.Check` each. Raises FacecapError."""
    import subprocess

    package_root = str(Path(__file__).resolve().parents[3])
    try:
        answer = subprocess.run(
            [str(python.executable), "-I", "-c", _PROBE],
            input=json.dumps([package_root, *python.sys_path]) + "\n",
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FacecapError(
            f"The Python for solving does not start: {python.executable} ({error}).", "Choose another one."
        ) from error
    for line in answer.stdout.splitlines():
        if line.startswith("[{"):
            return json.loads(line)
    last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    raise FacecapError(f"The Python for solving fails at once: {last}", "Choose another one in the preferences.")


def describe(checks: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """Lines for people, the verdict first, and whether a solve can run. Blender is here, so that check is left out."""
    shown = [check for check in checks if check["name"] != "Blender"]
    lines = [f"{check['name']}: {check['detail']}" for check in shown]
    lacking = [check for check in shown if check["needed"] and not check["ok"]]
    if lacking:
        names = ", ".join(check["name"] for check in lacking)
        verdict = f"Solving needs {names}: install FaceCap from the zip made for this system"
    else:
        verdict = "Everything that solving needs is in place"
    return [verdict, *lines], not lacking


CLASSES = (FACECAP_OT_check_installation,)
