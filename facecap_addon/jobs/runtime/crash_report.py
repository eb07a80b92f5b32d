"""A report file about a fault of FaceCap's own."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

from ... import __version__
from ...settings_schema import to_json

REPORTED_PACKAGES = ("numpy", "scipy", "pillow", "onnxruntime", "av", "bpy")


def write_crash_report(error: BaseException, job_name: str, settings: object) -> Path | None:
    """Write traceback, versions and settings to a text file in the job's output folder, or else the temporary folder.

    Nothing of the user's goes in but the paths and choices in the settings. Returns the file, or None if nothing could
    be written anywhere.
    """
    text = _report_text(error, job_name, settings)
    folders = [Path(tempfile.gettempdir())]
    out = getattr(settings, "out", None)
    if isinstance(out, Path):
        folders.insert(0, out)
    for folder in folders:
        path = folder / f"facecap-fault-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        with contextlib.suppress(OSError):
            path.write_text(text, encoding="utf-8", errors="replace")
            return path
    return None


def versions() -> dict[str, str]:
    """Versions of FaceCap, Python and the packages that matter, as far as they are installed."""
    found = {"facecap": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in REPORTED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _report_text(error: BaseException, job_name: str, settings: object) -> str:
    lines = [f"FaceCap fault report, {time.strftime('%Y-%m-%d %H:%M:%S %z')}", "", f"job: {job_name}"]
    lines += [f"{name}: {version}" for name, version in versions().items()]
    lines += [f"executable: {sys.executable}", "", "settings:"]
    if settings is not None:
        lines += [f"  {name}: {value!r}" for name, value in to_json(settings).items()]
    lines += ["", *traceback.format_exception(error)]
    return "\n".join(lines)
