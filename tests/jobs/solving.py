"""Solves for tests: quick settings, child processes, and what must not be left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from facecap_addon.jobs.registry import job_named
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.runtime.run_job import run_job
from facecap_addon.jobs.settings.solve import SolveSettings
from tests.patience import PATIENCE_S

OnProgress = Callable[[Progress, float], None]
ROOT = Path(__file__).resolve().parents[2]


def quick(video: Path, out: Path, **more: Any) -> SolveSettings:
    """A solve without the slow files, with a known camera."""
    chosen: dict[str, Any] = {"focal_px": 500.0, "preview": False, "report": False, "blend": False}
    return SolveSettings(video=video, out=out, **(chosen | more))


def run(name: str, settings: object, on_progress: OnProgress | None = None) -> dict[str, Any]:
    """Run a job in this process; returns what it tells an owner of its own process."""
    return run_job(job_named(name), settings, on_progress).to_json()


def steps_of(name: str, settings: object) -> Generator[Progress, None, object]:
    """A job that is taken on step by step."""
    return job_named(name).run(settings)


QUICK_FLAGS = ("--focal-px", "500", "--no-preview", "--no-report", "--no-blend")


def facecap(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run `python -m facecap_addon …` to its end."""
    command = [sys.executable, "-m", "facecap_addon", *(str(argument) for argument in arguments)]
    told: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "timeout": PATIENCE_S, "check": False}
    return subprocess.run(command, cwd=ROOT, **told, **more)


def start_facecap(*arguments: object) -> subprocess.Popen[str]:
    """Start `python -m facecap_addon …`, as a terminal does (its own process group)."""
    command = [sys.executable, "-m", "facecap_addon", *(str(argument) for argument in arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=os.name != "nt",
        preexec_fn=None if os.name == "nt" else _heed_ctrl_c,
    )


def _heed_ctrl_c() -> None:
    # Tests that run in the background (nohup, some CI) were told to ignore it, and would hand that on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)


def half_written(out: Path) -> list[Path]:
    """Files that should not be there: temporary names."""
    return [path for path in out.rglob("*") if ".part" in path.name] if out.exists() else []
