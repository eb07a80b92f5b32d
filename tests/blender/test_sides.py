"""Left and right of the footage in the scene: a switch, a picture of her left eye, and what is shown follows it."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender.help.presets import preset_names
from facecap_addon.blender.operators import footage as footage_operators
from facecap_addon.blender.operators.solve import shown_part
from facecap_addon.blender.operators.viewport import show_footage
from facecap_addon.blender.panels import sides
from facecap_addon.blender.properties.solve import FACECAP_PG_solve
from facecap_addon.footage.read import read_frames

CLIP = Path(__file__).resolve().parents[2] / "sample_scenes" / "take_01.mp4"


@pytest.fixture
def scene(tmp_path: Path) -> bpy.types.Scene:
    video = tmp_path / "talk.mp4"
    shutil.copyfile(CLIP, video)
    bpy.context.scene.facecap.video = str(video)
    return bpy.context.scene


def first_picture(scene: bpy.types.Scene) -> np.ndarray:
    return next(read_frames(footage_operators.opened_footage(scene))).image


def test_the_switch_is_of_this_footage_and_of_every_job_on_it(scene: bpy.types.Scene) -> None:
    settings = scene.facecap
    before = first_picture(scene)
    settings.solve.mirror = True
    np.testing.assert_array_equal(first_picture(scene), before[:, ::-1])
    assert shown_part(settings)["mirror"] is True
    assert show_footage._as_solved(scene).sides_exchanged
    settings.video = settings.video  # chosen anew
    assert not settings.solve.mirror


def test_presets_hold_nothing_of_one_clip() -> None:
    assert "mirror" not in preset_names(FACECAP_PG_solve)


def test_curves_beside_the_video_decide_and_the_picture_is_of_what_is_set(scene: bpy.types.Scene) -> None:
    settings = scene.facecap
    shutil.copyfile(CLIP.with_suffix(".csv"), Path(settings.video).with_suffix(".csv"))
    bpy.ops.facecap.check_sides()
    picture = Path(settings.sides_picture)
    assert picture.is_file()
    assert not settings.solve.mirror  # filmed plainly: the curves say so
    from facecap_addon.blender import session

    assert any("sure" in line for line in session.outcome.lines)
    assert sides.shown_picture(settings) == picture
    settings.solve.mirror = True  # the picture was made with it off
    assert sides.shown_picture(settings) is None
