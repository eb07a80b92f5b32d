"""Which Python the worker process runs, and where it finds the packages that the extension brings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..errors import FacecapError
from .paths import preferences


@dataclass(frozen=True)
class WorkerPython:
    """How to start the worker.

    Attributes:
        executable: the interpreter.
        sys_path: folders it may import from besides its own; empty for an environment of the user's.
    """

    executable: Path
    sys_path: tuple[str, ...]


def worker_python() -> WorkerPython:
    """The interpreter named in the preferences, else Blender's own with the extension's wheels.

    Raises:
        FacecapError: the one named does not exist, or Blender's cannot be found.
    """
    chosen = getattr(preferences(), "python", "")
    if chosen:
        path = Path(bpy.path.abspath(chosen))
        if not path.is_file():
            raise FacecapError(
                f"The Python named in FaceCap's preferences is not there: {path}.", "Correct it or empty the field."
            )
        return WorkerPython(path, ())
    # Isolated mode hides the extensions' site-packages and everything else that Blender added by itself.
    packages = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    return WorkerPython(_own_python(), tuple(packages))


def _own_python() -> Path:
    """Blender's interpreter: `sys.executable`, unless that is Blender itself."""
    executable = Path(sys.executable)
    if executable.stem.lower().startswith("python") and executable.is_file():
        return executable
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = ("python.exe",) if sys.platform == "win32" else (f"python{version}", "python3", "python")
    for folder in (Path(sys.prefix) / "bin", Path(sys.prefix), Path(sys.exec_prefix) / "bin"):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise FacecapError(
        "Blender's own Python was not found.", "Name a Python environment in the preferences of the FaceCap add-on."
    )
