"""Whether the Python that works for FaceCap has what deep energies and training need; asked without waiting."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FacecapError
from ..jobs.runtime.require_torch import PACKAGES
from .worker_python import WorkerPython, worker_python

if TYPE_CHECKING:
    import subprocess

_asked: dict[Path, subprocess.Popen[bytes]] = {}
_own: list[str] | None = None


def what_torch_lacks() -> str:
    """Why refining, drawing and training cannot work here; "" where they can, or where that is not known yet."""
    try:
        python = worker_python()
    except FacecapError as error:
        return error.what
    missing = _missing_here() if python.sys_path else _missing_there(python)
    if not missing:
        return ""
    *others, last = missing
    names = f"{', '.join(others)} and {last}" if others else last
    return f"Needs {names}: choose a Python that has them in the add-on's preferences"


def forget() -> None:
    """Ask anew, and end what is still being asked."""
    global _own
    _own = None
    for child in _asked.values():
        if child.poll() is None:
            child.kill()
        child.wait()
    _asked.clear()


def _missing_here() -> list[str]:
    """Blender's own Python: the worker sees the same packages."""
    global _own
    if _own is None:
        _own = [name for module, name in _names() if importlib.util.find_spec(module) is None]
    return _own


def _missing_there(python: WorkerPython) -> list[str]:
    """Another Python is asked in a process of its own; until it answers, nothing is missing."""
    import subprocess  # only who has named a Python of her own needs it

    child = _asked.get(python.executable)
    if child is None:
        modules = [module for module, _ in PACKAGES]
        asking = f"import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in {modules!r}))"
        try:
            child = subprocess.Popen(
                [str(python.executable), "-I", "-c", asking],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0) if sys.platform == "win32" else 0,
            )
        except OSError:
            return []  # the job itself says that it cannot be started
        _asked[python.executable] = child
    return [name for _, name in _names()] if child.poll() == 1 else []


def _names() -> list[tuple[str, str]]:
    spoken = {"torch": "PyTorch", "cv2": "OpenCV"}
    return [(module, spoken.get(module, module)) for module, _ in PACKAGES]
