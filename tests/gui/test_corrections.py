"""Landmarks dragged in a real Blender window: over the footage, and over the character's surface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gui.test_window import BLENDER, HAS_DISPLAY, MODELS, ROOT
from tests.patience import PATIENCE_S

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(BLENDER is None, reason="no blender on the PATH and FACECAP_BLENDER is not set"),
    pytest.mark.skipif(not HAS_DISPLAY, reason="there is no display"),
    pytest.mark.skipif(not list(MODELS.glob("*.onnx")), reason="the landmark models are not built"),
]
PREPARE = """
import os, sys
sys.path.insert(0, {root!r})
import bpy
from facecap_addon import addon
from tests.blender.face_video import write_face_video
from pathlib import Path
addon.register()
folder = Path({folder!r})
bpy.ops.wm.open_mainfile(filepath={head!r})
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
settings = bpy.context.scene.facecap
bpy.ops.facecap.import_footage(filepath=str(write_face_video(folder / "face.mp4")))
settings.character = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
settings.solve.preview = False
bpy.ops.facecap.solve()
bpy.ops.facecap.show_footage()
bpy.ops.wm.save_mainfile()
print("EMBEDDING", bpy.path.abspath(settings.result.embedding))
sys.stdout.flush()
os._exit(0)
"""


def test_each_drag_is_one_undo_step_and_an_unfinished_one_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="the bpy module, with which the scene is solved, is not installed")
    code = PREPARE.format(root=str(ROOT), folder=str(tmp_path), head=str(ROOT / "sample_scenes" / "head.blend"))
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    command = [sys.executable, "-c", code]
    made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=environment, check=True)
    embedding = next(line for line in made.stdout.splitlines() if line.startswith("EMBEDDING ")).partition(" ")[2]
    reply = tmp_path / "reply.json"
    request = {"root": str(ROOT), "scene": str(tmp_path / "shot.blend"), "embedding": embedding, "reply": str(reply)}
    (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
    assert BLENDER is not None
    options = ["--factory-startup", "--enable-event-simulate", "--window-geometry", "0", "0", "1600", "900"]
    script = ["--python", str(ROOT / "tests/gui/drive_corrections.py"), "--", str(tmp_path / "request.json")]
    subprocess.run([BLENDER, *options, *script], timeout=PATIENCE_S, check=False)
    check(json.loads(reply.read_text(encoding="utf-8")))


def check(seen: dict) -> None:
    """What the driver saw is what should be."""
    assert "error" not in seen, seen["error"]
    assert seen["begun"] == ["RUNNING_MODAL"]
    ((across, down),) = seen["dragged"]["corner_px"]
    assert across > 0 and down > 0  # to the right and down in the picture
    assert seen["taken_back"] == seen["redone"] == seen["dragged"]
    assert seen["undone"]["corner_px"] == []
    assert seen["edited"]["edited"] == [105, 334]
    assert seen["edit_undone"]["edited"] == []
    assert seen["modal"] == []
