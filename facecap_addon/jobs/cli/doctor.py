"""Is everything there that FaceCap needs? For `facecap doctor` and the add-on's Check Installation button."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...errors import FacecapError
from ..runtime.blender_process import ENVIRONMENT_VARIABLE, blender_command

OLDEST_PYTHON = (3, 11)
NEEDED = (
    ("numpy", "numpy"),
    ("scipy", "scipy"),
    ("threadpoolctl", "threadpoolctl"),
    ("PIL", "pillow"),
    ("onnxruntime", "onnxruntime"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        ok: whether it is there and works.
        needed: whether a solve needs it.
        detail: what was found.
        way_out: how to get it, "" if it is there.
    """

    name: str
    ok: bool
    needed: bool
    detail: str
    way_out: str = ""


def run_checks() -> list[Check]:
    """Look at everything FaceCap needs or can use. Nothing is changed, and torch is not imported."""
    found = [
        Check("FaceCap", True, True, __version__),
        Check(
            "Python",
            sys.version_info[:2] >= OLDEST_PYTHON,
            True,
            f"{platform.python_version()}, {sys.executable}",
            "" if sys.version_info[:2] >= OLDEST_PYTHON else "Install Python 3.11 or newer.",
        ),
    ]
    found.append(Check("processor", True, True, _describe_processor()))
    found += [_check_package(module, name) for module, name in (*NEEDED, ("av", "av"))]
    return [*found, _check_models(), _check_other_networks(), _check_sample_head(), _check_blender(), _check_torch()]


def _describe_processor() -> str:
    """Its name, where the system tells it; networks may be calculated wrongly on one and rightly on another."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()} ({platform.machine()})"
    return f"{platform.processor() or 'unknown'} ({platform.machine()})"


def _check_package(module: str, name: str) -> Check:
    try:
        version = importlib.import_module(module).__version__
    except Exception as error:  # a broken native library raises whatever it likes
        return Check(name, False, True, f"{type(error).__name__}: {error}", f"pip install {name}")
    return Check(name, True, True, str(version))


def _check_models() -> Check:
    # Here and below: what a broken installation cannot import must not keep the other checks from being shown.
    from ...landmarks.appearance import open_appearance
    from ...landmarks.registry import open_landmarker
    from ...landmarks.visibility import open_visibility

    try:
        landmarker = open_landmarker("mediapipe-478", threads=1)
        open_appearance(landmarker.scheme)
        open_visibility(landmarker.scheme)
    except FacecapError as error:
        return Check("landmark networks", False, True, error.what, error.way_out)
    return Check("landmark networks", True, True, landmarker.model_version)


def _check_other_networks() -> Check:
    # See _check_models.
    from ...fit.energies.appearance import read_head
    from ...fit.energies.expression_prior import load_prior
    from ...generate.authored.emotions import EXPRESSIONS
    from ...generate.learned.generator import find_shipped, load_generator

    try:
        load_prior()
        read_head()
        for expression in EXPRESSIONS:
            load_generator(find_shipped(expression))
    except FacecapError as error:
        return Check("prior and generators", False, True, error.what, error.way_out)
    return Check("prior and generators", True, True, "answer as they have to")


def _check_sample_head() -> Check:
    from ..steps.sample_head import sample_head  # see _check_models

    try:
        head = sample_head()
    except FacecapError as error:
        return Check("sample head", False, False, error.what, error.way_out)
    return Check("sample head", True, False, str(head))


def _check_blender() -> Check:
    way_out = f"Name Blender with --blender or {ENVIRONMENT_VARIABLE}, or pip install bpy; without it no .blend files."
    try:
        command = blender_command(None)
    except FacecapError as error:
        return Check("Blender", False, False, error.what, error.way_out)
    if command is None:
        return Check("Blender", False, False, "none found", way_out)
    inside = Path(command[0]) == Path(sys.executable)
    return Check("Blender", True, False, "the bpy module" if inside else command[0])


def _check_torch() -> Check:
    there = importlib.util.find_spec("torch") is not None
    detail = "installed" if there else "not installed; only training and deep energies need it"
    return Check("torch", there, False, detail, "" if there else "pip install torch==2.13.0")
