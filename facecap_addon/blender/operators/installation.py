"""Check installation: does the worker's Python start, and does it have what solving needs?"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import bpy

from ...errors import FacecapError
from .. import session
from ..worker_python import WorkerPython, worker_python
from .base import FacecapOperator

_TIMEOUT_S = 60
_PROBE = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.stdin.readline())
found = {"Python": sys.version.split()[0]}
for name in ("numpy", "scipy", "cv2", "onnxruntime", "av", "torch"):
    try:
        found[name] = importlib.import_module(name).__version__
    except Exception as error:
        found[name] = None if isinstance(error, ModuleNotFoundError) and error.name == name else f"! {error}"
print("FACECAP" + json.dumps(found))
"""


class FACECAP_OT_check_installation(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.check_installation"
    bl_label = "Check Installation"
    bl_description = "See whether everything that solving needs is there, and how to get the rest"

    def run(self, context: bpy.types.Context) -> set[str]:
        python = worker_python()
        report, complete = describe(python, probe(python))
        session.installation_report = report
        self.report({"INFO"} if complete else {"ERROR"}, report[-1])
        return {"FINISHED"}


def probe(python: WorkerPython) -> dict[str, str | None]:
    """Versions of what the worker's Python can import; None where absent, "! …" where broken. Raises FacecapError."""
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
        if line.startswith("FACECAP"):
            return json.loads(line.removeprefix("FACECAP"))
    last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    raise FacecapError(f"The Python for solving fails at once: {last}", "Choose another one in the preferences.")


def describe(python: WorkerPython, found: dict[str, str | None]) -> tuple[list[str], bool]:
    """Lines for people, the verdict last, and whether the landmark solve can run."""
    models = Path(__file__).resolve().parents[2] / "landmarks" / "models"
    built = sorted(models.glob("*.onnx"))
    needed = ("numpy", "scipy", "cv2", "onnxruntime", "av")
    lacking = [name for name in needed if not found.get(name) or str(found[name]).startswith("!")]
    lines = [f"Python {found['Python']} at {python.executable}"]
    lines += [f"{name}: {found[name] or 'not found'}" for name in needed]
    lines.append(f"torch (only for deep energies and training): {found['torch'] or 'not installed'}")
    lines.append(f"Landmark networks: {len(built)} in place" if built else "Landmark networks: missing")
    if lacking:
        lines.append(f"Solving needs {', '.join(lacking)}: install FaceCap from the zip made for this system")
    elif not built:
        lines.append("Solving needs the landmark networks: install FaceCap from a built zip, or run make models")
    else:
        lines.append("Everything that solving needs is in place")
    return lines, not lacking and bool(built)


CLASSES = (FACECAP_OT_check_installation,)
