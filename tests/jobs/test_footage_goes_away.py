"""Footage that goes away while a solve runs costs what needs it, not the take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.jobs.solving import quick, steps_of


def _solve_and_lose(face_clip: Path, tmp_path: Path, *also: str) -> dict[str, Any]:
    """The summary of a solve whose clip goes away after the fit, with those of its results that match."""
    clip = Path(shutil.copy(face_clip, tmp_path / "face.mp4"))
    out = tmp_path / "out"
    for progress in steps_of("solve", quick(clip, out, end="19", report=True)):
        if progress.stage == "files":
            for lost in (clip, *(path for pattern in also for path in out.rglob(pattern))):
                lost.unlink(missing_ok=True)
    assert (out / "face.take.npz").is_file() and (out / "face.report.html").is_file()
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def test_footage_that_is_gone_after_the_fit_costs_nothing(face_clip: Path, tmp_path: Path) -> None:
    """The faces that are compared with the head's are kept while landmarks are found."""
    summary = _solve_and_lose(face_clip, tmp_path)
    assert summary["frames_solved"] == 20
    assert not any("were not compared" in line for line in summary["warnings"])


def test_a_comparison_that_cannot_be_made_costs_a_warning(face_clip: Path, tmp_path: Path) -> None:
    """Folders of earlier versions hold no faces beside their landmarks."""
    summary = _solve_and_lose(face_clip, tmp_path, "face-*.jpg")
    assert any("Footage and head were not compared" in line for line in summary["warnings"])
