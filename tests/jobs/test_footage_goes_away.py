"""Footage that goes away while a solve runs costs what needs it, not the take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.jobs.solving import quick, steps_of


def test_footage_that_is_gone_after_the_fit_costs_nothing(face_clip: Path, tmp_path: Path) -> None:
    """The faces that are compared with the head's are kept while landmarks are found."""
    clip = Path(shutil.copy(face_clip, tmp_path / "face.mp4"))
    out = tmp_path / "out"
    for progress in steps_of("solve", quick(clip, out, end="19", report=True)):
        if progress.stage == "files":
            clip.unlink(missing_ok=True)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["frames_solved"] == 20
    assert not any("were not compared" in line for line in summary["warnings"])
    assert (out / "face.take.npz").is_file() and (out / "face.report.html").is_file()


def test_a_comparison_that_cannot_be_made_costs_a_warning(face_clip: Path, tmp_path: Path) -> None:
    """Folders of earlier versions hold no faces beside their landmarks."""
    clip = Path(shutil.copy(face_clip, tmp_path / "face.mp4"))
    out = tmp_path / "out"
    for progress in steps_of("solve", quick(clip, out, end="19", report=True)):
        if progress.stage == "files":
            clip.unlink(missing_ok=True)
            for face in out.rglob("face-*.jpg"):
                face.unlink()
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert any("Footage and head were not compared" in line for line in summary["warnings"])
    assert (out / "face.take.npz").is_file() and (out / "face.report.html").is_file()
