"""The takes of a scene: none replaces another, undo brings them back, and it is said which one is baked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.operators.create import FACECAP_OT_generate
from facecap_addon.blender.operators.solve import take_to_merge_into
from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.solved_take import remember
from facecap_addon.blender.takes import label_of, lines_about
from facecap_addon.jobs.settings.output import OutputSettings
from facecap_addon.jobs.steps.results.outputs import OutputFiles, result_of, write_take
from facecap_addon.jobs.steps.results.result import SolveResult
from facecap_addon.takes.merge import merge_takes, rows_of
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import Take
from facecap_addon.takes.versions import add_id
from tests.blender.faces import make_face
from tests.blender.takes import make_take


def written(folder: Path, take: Take, stem: str = "take") -> SolveResult:
    """A take as a solve leaves it behind, under a name that others may have had."""
    files, settings = OutputFiles(folder, stem), OutputSettings(report=False, live_link=False, blend=False)
    before = write_take(files, add_id(take), settings)
    return result_of(files, settings, {}, has_blend=False, before=before)


def scene_settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.facecap


def baked_frames() -> int:
    assert bpy.ops.facecap.bake() == {"FINISHED"}
    return int(session.outcome.lines[0].split(" over ")[1].split()[0])


def test_undo_brings_back_the_take_that_was_there(tmp_path: Path) -> None:
    settings = scene_settings()
    settings.character, settings.bake.head = make_face(), "none"
    remember(bpy.context.scene, written(tmp_path, make_take(75)))
    bpy.ops.ed.undo_push(message="whole")
    remember(bpy.context.scene, written(tmp_path, make_take(21, seed=6)))
    bpy.ops.ed.undo_push(message="range")
    assert (scene_settings().result.frames, baked_frames()) == (21, 21)
    bpy.ops.ed.undo_push(message="baked")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert (scene_settings().result.frames, baked_frames()) == (75, 75)
    np.testing.assert_array_equal(load_take(Path(scene_settings().result.take)).weights, make_take(75).weights)
    assert load_take(tmp_path / "take.take.npz").frame_count == 21  # the name shows the newest


def test_what_is_generated_is_baked_once_and_the_solve_stays_the_take(tmp_path: Path) -> None:
    settings = scene_settings()
    settings.character = character = make_face()
    settings.bake.head = "none"
    remember(bpy.context.scene, written(tmp_path, make_take(40)))
    solved = settings.result.take
    path = tmp_path / "happiness-0.take.npz"
    save_take(path, add_id(make_take(12, source="happiness")))
    outcome = FACECAP_OT_generate.apply(None, {"take": str(path), "lines": ["happiness"]}, bpy.context.scene, character)
    assert "over 12 frames" in outcome.lines[0]
    assert any("Bake Again bakes" in line for line in outcome.lines)
    assert settings.result.take == solved
    assert baked_frames() == 40
    assert [label_of(entry).split(" · ")[:2] for entry in settings.takes] == [
        ["réplique 1.mp4", "solved"],
        ["happiness-0", "generated"],
    ]
    assert bpy.ops.facecap.choose_take(take="1") == {"FINISHED"}
    assert baked_frames() == 12
    assert bpy.ops.facecap.choose_take(take="0") == {"FINISHED"}
    assert baked_frames() == 40


def test_the_first_take_is_the_one_that_is_baked_whatever_made_it(tmp_path: Path) -> None:
    settings = scene_settings()
    settings.character, settings.bake.head = make_face(), "none"
    path = tmp_path / "happiness-0.take.npz"
    save_take(path, add_id(make_take(12, source="happiness")))
    FACECAP_OT_generate.apply(None, {"take": str(path), "lines": []}, bpy.context.scene, settings.character)
    assert (settings.result.kind, settings.result.frames_solved) == ("generated", 12)
    assert baked_frames() == 12


def test_filtering_says_what_is_baked_now_and_keeps_every_filtered_take(tmp_path: Path) -> None:
    settings = scene_settings()
    settings.character, settings.bake.head = make_face(), "none"
    remember(bpy.context.scene, written(tmp_path, make_take(40)))
    solved = Path(settings.result.take)
    settings.filter.filter = "median"
    assert bpy.ops.facecap.filter() == {"FINISHED"}
    assert settings.result.kind == "filtered"
    assert "filtered" in label_of(settings.result) and any("Median" in line for line in lines_about(settings.result))
    assert "filtered" in session.outcome.lines[-1]
    first = Path(settings.result.take)
    before = load_take(first).weights
    settings.filter.radius = 6
    bpy.ops.facecap.filter()
    assert Path(settings.result.take) != first
    np.testing.assert_array_equal(load_take(first).weights, before)
    settings.filter.filter = "none"
    bpy.ops.facecap.filter()
    assert (Path(settings.result.take), settings.result.kind) == (solved, "solved")
    assert len(settings.takes) == 3


def test_a_file_of_an_earlier_version_keeps_its_take_on_the_list(tmp_path: Path) -> None:
    settings = scene_settings()
    settings.character, settings.bake.head = make_face(), "none"
    save_take(tmp_path / "old.take.npz", make_take(30))
    settings.result.take, settings.result.frames_solved = str(tmp_path / "old.take.npz"), 30
    assert label_of(settings.result) == "old"
    assert baked_frames() == 30
    remember(bpy.context.scene, written(tmp_path, make_take(40)))
    assert [Path(entry.take).name for entry in settings.takes] == ["old.take.npz", "take.take.npz"]
    bpy.ops.facecap.choose_take(take="0")
    assert baked_frames() == 30


def test_a_take_that_is_gone_is_said_in_words(tmp_path: Path) -> None:
    settings = scene_settings()
    settings.character = make_face()
    settings.result.take = str(tmp_path / "gone.take.npz")
    with pytest.raises(RuntimeError, match="no longer there"):
        bpy.ops.facecap.bake()


def test_a_range_is_mixed_in_without_a_jump_and_the_keys_around_it_stay(tmp_path: Path) -> None:
    obj = make_face()
    base = make_take(60)
    base = replace(base, weights=np.repeat(base.weights[:1], 60, 0), time_s=np.arange(60) / 25)
    base = replace(base, head_translation_m=np.repeat(base.head_translation_m[:1], 60, 0))
    part = rows_of(base, (np.arange(60) >= 20) & (np.arange(60) <= 40))
    away = part.head_translation_m + np.float32([0.012, 0, 0])
    take = merge_takes(base, replace(part, weights=1 - part.weights, head_translation_m=away))
    apply_take(obj, base, BakeSettings())
    action = obj.data.shape_keys.animation_data.action
    where = head_places(obj, 60)
    obj.location.x = 0.0
    report = apply_take(obj, take, BakeSettings(mode="mix", within_s=(20 / 25, 40 / 25)))
    assert (report.frames, report.action) == (21, action)
    now = head_places(obj, 60)
    np.testing.assert_allclose(now[:20], where[:20], atol=1e-6)
    np.testing.assert_allclose(now[41:], where[41:], atol=1e-6)
    assert np.linalg.norm(now[30] - where[30]) > 0.011
    usual = np.linalg.norm(np.diff(where, axis=0), axis=1).max()
    assert np.linalg.norm(np.diff(now, axis=0), axis=1).max() < usual + 0.005


def test_a_range_is_merged_into_a_take_of_its_own_clip_and_character_only(tmp_path: Path) -> None:
    rig = extract_rig(make_face())
    for folder in "xy":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "take.mp4").write_text(folder)
    mine, other = tmp_path / "x" / "take.mp4", tmp_path / "y" / "take.mp4"
    facts = {"source": str(mine), "clip": {"path": str(mine), "key": "x"}, "settings": {"video": str(mine)}}
    remember(bpy.context.scene, written(tmp_path, make_take(20, channels=rig.channels, **facts)))
    settings = scene_settings()
    assert take_to_merge_into(settings, mine, rig) == Path(settings.result.take)
    assert take_to_merge_into(settings, other, rig) is None
    assert take_to_merge_into(settings, mine, replace(rig, channels=rig.channels[::-1])) is None
    recorded = tmp_path / "live.take.npz"
    save_take(recorded, make_take(20, channels=rig.channels, source="0"))
    settings.result.take = str(recorded)
    assert take_to_merge_into(settings, mine, rig) is None


def head_places(obj: bpy.types.Object, frames: int) -> np.ndarray:
    """(F, 3): where the object is at the footage's frames, at 25 per second from frame 1 of a scene of 24."""
    scene = bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    places = []
    for index in range(frames):
        frame = 1 + index / 25 * rate
        scene.frame_set(int(frame), subframe=frame % 1)
        places.append(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.translation[:])
    return np.array(places)
