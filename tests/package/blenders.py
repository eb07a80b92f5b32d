"""Environments with nothing but a Blender in them, kept in .cache between runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools.quiet_pip import run_pip

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Blender:
    """One version of the bpy package.

    Attributes:
        bpy: its version.
        python: the Python it needs.
        extra: other requirements, to pin what Blender itself comes with.
    """

    bpy: str
    python: str
    extra: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return ROOT / ".cache" / "blender-test" / f"bpy-{self.bpy}"

    @property
    def executable(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


BLENDERS = {
    "4.2": Blender("4.2.23", "3.11", ("numpy==1.24.3",)),  # the numpy of the official 4.2
    "4.5": Blender("4.5.15", "3.11"),
    "5.0": Blender("5.0.1", "3.11"),
    "5.2": Blender("5.2.3", "3.13"),
}


def interpreter(version: str) -> str | None:
    """A Python of that version on this machine, as a path."""
    given = os.environ.get(f"PYTHON{version.replace('.', '')}")
    candidates = [given, shutil.which(f"python{version}")]
    candidates += [str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for candidate in candidates:
        if candidate and _version_of(candidate) == version:
            return candidate
    return None


def ready(name: str) -> Path:
    """The Python of an environment with that Blender; made if needed. Skips the test where its Python is missing."""
    blender = BLENDERS[name]
    done = blender.folder / ".ready"
    if not done.is_file():
        python = interpreter(blender.python)
        if python is None:
            pytest.skip(f"Blender {name} needs Python {blender.python}, which is not on this machine")
        shutil.rmtree(blender.folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(blender.folder)], check=True)
        wanted = [f"bpy=={blender.bpy}", *blender.extra]
        run_pip("install", "--no-compile", *wanted, python=blender.executable)
        done.touch()
    return blender.executable


def _version_of(python: str) -> str | None:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None
