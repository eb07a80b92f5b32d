"""Solve › Actor: her sizes beside the percentages, her file, and a calibration of the scene's footage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.panels.actor import FACECAP_PT_actor
from facecap_addon.blender.takes import add_take
from facecap_addon.takes.actor import load_actor
from facecap_addon.takes.npz import save_take
from facecap_addon.takes.region_scale import RegionScale
from tests.blender.face_video import write_face_video
from tests.blender.test_operators import choose, open_sample_head
from tests.unit.takes.test_actor import some_actor
from tests.unit.takes.test_between import make_take


def scene_with_take(folder: Path) -> bpy.types.PropertyGroup:
    settings = bpy.context.scene.facecap
    take = replace(make_take(np.arange(6) / 25), actor=some_actor())
    save_take(folder / "a.take.npz", take)
    add_take(bpy.context.scene, folder / "a.take.npz", take, "solved", choose=True)
    return settings


def drawn() -> str:
    layout = MagicMock()
    FACECAP_PT_actor.draw_section(MagicMock(), layout, bpy.context)
    return " ".join(kwargs["text"] for name, _, kwargs in layout.mock_calls if name.endswith("label"))


def test_what_was_found_stands_beside_the_percentages(tmp_path: Path) -> None:
    assert "Found" not in drawn() and not bpy.ops.facecap.save_actor.poll()
    scene_with_take(tmp_path)
    assert "Found" in drawn() and "85 %" in drawn() and "110 %" in drawn()


def test_an_actor_is_saved_with_the_percentages_that_are_set(tmp_path: Path) -> None:
    settings = scene_with_take(tmp_path)
    settings.solve.use_mouth_scale, settings.solve.mouth_scale = True, 120.0
    assert bpy.ops.facecap.save_actor(filepath=str(tmp_path / "Eva.json")) == {"FINISHED"}
    actor = load_actor(tmp_path / "Eva.actor.json")
    assert actor.scales["mouth"] == RegionScale(0.85, pytest.approx(1.2), asked=True)
    assert actor.scales["lids"] == some_actor().scales["lids"]
    assert Path(bpy.path.abspath(settings.solve.actor_file)) == tmp_path / "Eva.actor.json"


def test_a_calibration_in_the_panel_gives_the_solves_their_actor(tmp_path: Path) -> None:
    video = write_face_video(tmp_path / "face.mp4", frames=30)
    settings = choose(video, open_sample_head(tmp_path))
    (tmp_path / "marks.csv").write_text("0.2,neutral\n0.9,smile\n", encoding="utf-8")
    settings.solve.marks_file = str(tmp_path / "marks.csv")
    assert bpy.ops.facecap.calibrate() == {"FINISHED"}
    assert session.outcome is not None and session.outcome.ok and "neutral, smile" in session.outcome.lines[0]
    actor = load_actor(Path(bpy.path.abspath(settings.solve.actor_file)))
    assert actor.character == settings.character.name
    assert bpy.ops.facecap.solve() == {"FINISHED"}
    assert "Found" in drawn()
