"""The panel and a solve in a real Blender window; needs `blender` and a display (`xvfb-run -a` gives one)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender.face_video import write_face_video
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
BLENDER = shutil.which(os.environ.get("FACECAP_BLENDER", "blender"))
MODELS = ROOT / "facecap_addon" / "landmarks" / "models"
HAS_DISPLAY = sys.platform in ("win32", "darwin") or bool(
    os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
)

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(BLENDER is None, reason="no blender on the PATH and FACECAP_BLENDER is not set"),
    pytest.mark.skipif(not HAS_DISPLAY, reason="there is no display"),
    pytest.mark.skipif(not list(MODELS.glob("*.onnx")), reason="the landmark models are not built"),
]


def drive(tmp_path: Path, script: str = "drive.py", **more: object) -> dict[str, object]:
    """What a script of this folder saw in a Blender of its own."""
    head = tmp_path / "head.blend"
    shutil.copy(ROOT / "sample_scenes" / "head.blend", head)
    video = write_face_video(tmp_path / "face.mp4", frames=60)
    request = {"root": str(ROOT), "head": str(head), "video": str(video), "reply": str(tmp_path / "reply.json"), **more}
    (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
    assert BLENDER is not None
    window = ["--window-geometry", "0", "0", "1600", "900", "--enable-event-simulate"]
    command = [BLENDER, *window, "--python", str(ROOT / "tests/gui" / script)]
    subprocess.run([*command, "--", str(tmp_path / "request.json")], timeout=PATIENCE_S, check=False)
    seen = json.loads((tmp_path / "reply.json").read_text(encoding="utf-8"))
    assert "error" not in seen, seen["error"]
    return seen


def test_solve_in_a_window_stays_responsive_and_is_one_undo_step(tmp_path: Path) -> None:
    seen = drive(tmp_path)
    assert seen["pressed"] == ["FINISHED"]  # nothing modal, which would keep Blender from saving by itself
    assert seen["ok"], seen["lines"]
    assert seen["action"] == seen["action_after_redo"] != ""
    assert seen["action_after_undo"] == ""
    gaps = sorted(seen["gaps_s"])
    assert gaps[int(0.95 * len(gaps))] < 0.5  # software drawing is slow, but the interface never waits for the solve


def test_cancel_in_a_window_leaves_the_character_as_it_was(tmp_path: Path) -> None:
    seen = drive(tmp_path, cancel_after_s=0.3)
    assert not seen["ok"]
    assert "Cancelled" in seen["lines"][0]
    assert seen["action"] == ""


def test_live_in_a_window_moves_the_face_records_and_puts_everything_back(tmp_path: Path) -> None:
    video = ROOT / "sample_scenes" / "take_01.mp4"
    seen = drive(tmp_path, video=str(video), live_s=5)
    assert seen["pressed"] == ["RUNNING_MODAL"]
    assert len(set(seen["values"])) > 10
    assert seen["taken_back"]
    assert seen["action"]  # what was recorded was keyed
    assert any("Recorded" in line for line in seen["lines"])
    assert seen["redraws_per_s"] >= 10  # as a build machine's software drawing goes


def test_a_day_at_the_desk_loses_nothing(tmp_path: Path) -> None:
    seen = drive(tmp_path, "desk.py", patience_s=PATIENCE_S / 3)
    same, moved = pytest.approx([0.0, 0.0, 0.0], abs=1e-3), seen["moved"]
    for step in ("solve", "solve range", "edit and bake"):
        assert max(moved[step]["done"]) > 0.5, step
        assert moved[step]["undone"] == same and moved[step]["redone"] == same, step
    before, corrected, after = moved["solve range"]["done"]
    assert (before, after) == pytest.approx((0.0, 0.0), abs=1e-6)  # only what is near changes
    assert corrected > 1.0
    assert (seen["corrections"], seen["corrections_undone"], seen["corrections_redone"]) == (1, 0, 1)
    assert seen["baked_as_shown"] == same
    assert moved["reload"] == same
    assert seen["kept"] == [1, 1, 2]
    assert (seen["workspace_before"], seen["workspace"]) == (seen["workspace_after"], "FaceCap")
    assert seen["editors"] == ["CLIP_EDITOR", "FCURVES", "TIMELINE", "VIEW_3D"]


SPOKEN = {"de_DE": "Erneut backen", "ja_JP": "再ベイク", "en_US": "Bake Again"}


@pytest.mark.parametrize("language", SPOKEN)
def test_the_panel_in_a_window_speaks_the_interfaces_language(tmp_path: Path, language: str) -> None:
    """In any size and theme: the tab is there, F1 finds the manual, and the keys are set."""
    more = {"video": None, "language": language, "scale": 1.5, "theme": "light"}
    seen = drive(tmp_path, "show.py", picture=str(tmp_path / "window.png"), **more)
    assert seen["tab"] == "FaceCap" and seen["words"] == SPOKEN[language]
    assert seen["manual"].endswith("#facecap.solve")
    assert len(seen["keys"]) == 1


def test_jobs_outlive_files_deleted_heads_and_the_add_on(tmp_path: Path) -> None:
    other = tmp_path / "other.blend"
    shutil.copy(ROOT / "sample_scenes" / "head.blend", other)
    seen = drive(tmp_path, "drive_jobs.py", other=str(other))
    assert seen["pressed"] == [["FINISHED"], ["FINISHED"]] and seen["waiting"] == 1 and seen["modal"] == []
    assert seen["action"] == seen["action_after_redo"] != "" == seen["action_after_undo"]
    assert len(seen["offered_elsewhere"]) == 1 and "head.blend" in seen["offered_elsewhere"][0]
    assert seen["used"] == ["FINISHED"] and seen["takes"] == [1, 2]
    assert seen["worker_ended"] and seen["stopped"] == ["Interrupted"]
    assert seen["takes_after_continue"] == 3
    assert len(seen["offered_without_head"]) == 1 and "was deleted" in seen["offered_without_head"][0]
    assert seen["status_bar_is_blenders"]
