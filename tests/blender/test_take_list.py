"""The list of takes: loaded, renamed, removed, compared; keys of other names; keys reduced by the button."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.difference import shown_difference
from facecap_addon.blender.operators.solve import remember
from facecap_addon.blender.overlay.confidence_lane import lanes_of_difference
from facecap_addon.blender.overlay.other_curves import line_of
from facecap_addon.blender.panels.takes import facts_about
from facecap_addon.blender.scene.animation.curves import curves_of
from facecap_addon.blender.takes import chosen_index, is_baked
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.versions import add_id
from tests.blender.faces import evaluated, make_face
from tests.blender.takes import make_take
from tests.blender.test_hand_keys import curve_of, plant
from tests.blender.test_takes import written

CSV = Path(__file__).parents[2] / "sample_scenes" / "take_01.csv"


def scene_settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.facecap


def with_takes(folder: Path, *seeds: int, names: tuple[str, ...] | None = None) -> bpy.types.Object:
    settings = scene_settings()
    settings.character = obj = make_face(names) if names else make_face()
    settings.bake.head = "none"
    for seed in seeds:
        remember(bpy.context.scene, written(folder, make_take(30, seed=seed)))
    return obj


def test_a_row_of_the_list_is_the_take_that_is_baked(tmp_path: Path) -> None:
    obj = with_takes(tmp_path, 1, 2)
    settings = scene_settings()
    assert settings.take_list.chosen == 1
    settings.take_list.chosen = 0
    assert settings.result.take == settings.takes[0].take
    bpy.ops.facecap.bake()
    assert [is_baked(entry, obj) for entry in settings.takes] == [True, False]
    facts = facts_about(settings.takes[0])
    assert facts[0] == "réplique 1.mp4" and facts[1].startswith("30 frames, 0.00 to") and "px" in facts[3]
    Path(settings.takes[1].take).unlink()
    (tmp_path / "take.take.npz").unlink()
    settings.take_list.chosen = 1
    assert settings.take_list.chosen == 0 and "no longer there" in session.outcome.lines[0]


def test_removing_takes_off_the_list_only(tmp_path: Path) -> None:
    obj = with_takes(tmp_path, 1, 2)
    settings = scene_settings()
    bpy.ops.facecap.bake()
    path = Path(settings.result.take)
    bpy.ops.facecap.remove_take()
    assert len(settings.takes) == 1 and chosen_index(settings) == 0 and path.is_file()
    assert len(curve_of(obj).keyframe_points) == 30
    bpy.ops.facecap.remove_take()
    assert not settings.takes and not settings.result.take
    assert not bpy.ops.facecap.remove_take.poll()


@pytest.mark.parametrize("name", ["old.take.npz", "take_01.csv"])
def test_a_take_from_a_file_is_listed_and_baked(tmp_path: Path, name: str) -> None:
    obj = with_takes(tmp_path, 1, names=("jawOpen", "eyeBlinkLeft"))
    settings = scene_settings()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    settings, obj = scene_settings(), bpy.data.objects["Face"]
    path = CSV
    if name.endswith(".npz"):
        path = tmp_path / "elsewhere" / name
        path.parent.mkdir()
        save_take(path, add_id(make_take(12, seed=9)))
    assert bpy.ops.facecap.load_take(filepath=str(path)) == {"FINISHED"}
    assert settings.result.kind == "loaded" and len(settings.takes) == 2
    take = load_take(Path(bpy.path.abspath(settings.result.take)))
    bpy.ops.facecap.bake()
    column = take.weights[:, take.channels.index("jawOpen")]
    assert len(curve_of(obj).keyframe_points) == take.frame_count
    np.testing.assert_allclose([point.co.y for point in curve_of(obj).keyframe_points], column, atol=1e-5)
    assert is_baked(settings.takes[1], obj)


def test_a_file_that_is_no_take_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RuntimeError, match="Live Link"):
        bpy.ops.facecap.load_take(filepath=str(tmp_path / "x.csv"))
    with pytest.raises(RuntimeError, match="No file"):
        bpy.ops.facecap.load_take(filepath=str(tmp_path / "gone.npz"))
    assert not scene_settings().takes


def test_a_take_moves_keys_of_other_names(tmp_path: Path) -> None:
    names = ("jaw_open", "Smile L", "brow_inner_up_l", "browInnerUp_R")
    obj = with_takes(tmp_path, 4, names=names)
    settings = scene_settings()
    take = load_take(Path(settings.result.take))
    bpy.ops.facecap.bake()
    assert any("other names" in line for line in session.outcome.lines)
    for key, channel in (("jaw_open", "jawOpen"), ("brow_inner_up_l", "browInnerUp"), ("browInnerUp_R", "browInnerUp")):
        column = take.weights[:, take.channels.index(channel)]
        np.testing.assert_allclose([point.co.y for point in curve_of(obj, key).keyframe_points], column, atol=1e-6)
    bpy.ops.facecap.fill_mapping()
    table = settings.take_list.mapping
    assert [(row.source, row.key) for row in table if row.source != "browInnerUp"] == [
        ("jawOpen", "jaw_open"),
        ("mouthSmileLeft", ""),
        ("mouthSmileRight", ""),
        ("eyeBlinkLeft", ""),
    ]
    next(row for row in table if row.source == "mouthSmileLeft").key = "Smile L"
    settings.take_list.mapping_active = 0
    bpy.ops.facecap.copy_mapping()
    table[0].key, table[1].key = "", "browInnerUp_R"
    bpy.ops.facecap.bake()
    assert curves_of(obj.data.shape_keys).find('key_blocks["jaw_open"].value') is None
    smile = take.weights[:, take.channels.index("mouthSmileLeft")]
    np.testing.assert_allclose([point.co.y for point in curve_of(obj, "Smile L").keyframe_points], smile, atol=1e-6)
    half = take.weights[:, [take.channels.index(name) for name in ("jawOpen", "browInnerUp")]].mean(1)
    np.testing.assert_allclose([p.co.y for p in curve_of(obj, "browInnerUp_R").keyframe_points], half, atol=1e-6)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert scene_settings().take_list.mapping[1].key == "browInnerUp_R" and scene_settings().take_list.use_mapping


def test_the_button_reduces_keys_and_says_how_many(tmp_path: Path) -> None:
    obj = with_takes(tmp_path, 1)
    assert not bpy.ops.facecap.reduce_keys.poll()
    bpy.ops.facecap.bake()
    plant(curve_of(obj), 12.4, 0.5)
    scene_settings().take_list.value_tolerance = 0.3
    assert bpy.ops.facecap.reduce_keys() == {"FINISHED"}
    assert session.outcome.lines[0].startswith("151 keys became")
    with pytest.raises(RuntimeError, match="No key can be taken away"):
        bpy.ops.facecap.reduce_keys()


def test_two_takes_are_compared_by_numbers(tmp_path: Path) -> None:
    with_takes(tmp_path, 1, 2)
    bpy.ops.facecap.compare_takes(take="0")
    said = session.outcome.lines
    assert "over 30 frames" in said[0] and "Root mean square" in said[1]
    assert sum(line.startswith("Frame ") for line in said) >= 2
    bpy.ops.facecap.compare_takes(take="1")
    assert "move alike" in session.outcome.lines[1]


def test_two_takes_are_seen_side_by_side_and_the_copy_leaves_nothing_behind(tmp_path: Path) -> None:
    obj = with_takes(tmp_path, 1, 2)
    bpy.ops.facecap.bake()
    before = {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "shape_keys", "actions")}
    plain = evaluated(obj, 12)
    assert not bpy.ops.facecap.end_comparison.poll()
    for _ in range(2):  # again: the copy before goes
        assert bpy.ops.facecap.compare_beside(take="0") == {"FINISHED"}
    copy = bpy.data.objects["Face Beside"]
    assert copy.location.x > 0.2 and len(bpy.data.objects) == before["objects"] + 1
    np.testing.assert_allclose(evaluated(obj, 12), plain, atol=1e-6)
    beside = evaluated(copy, 12)
    assert np.abs(beside - plain).max() > 0.002
    scene_settings().take_list.chosen = 0
    bpy.ops.facecap.bake()
    np.testing.assert_allclose(evaluated(obj, 12), beside, atol=1e-6)
    bpy.ops.facecap.end_comparison()
    after = {name: len(getattr(bpy.data, name)) for name in before}
    assert after == {**before, "actions": before["actions"] + 1}  # the first take's own, baked meanwhile
    assert scene_settings().character == obj


def test_files_can_be_dropped_into_the_viewport() -> None:
    handler = bpy.types.FACECAP_FH_take
    assert handler.bl_import_operator == "facecap.load_take"
    assert set(handler.bl_file_extensions.split(";")) == {".npz", ".csv"}


def test_the_difference_is_shown_until_it_is_ended_and_follows_edits(tmp_path: Path) -> None:
    with_takes(tmp_path, 1, 2)
    scene, settings = bpy.context.scene, scene_settings()
    assert not bpy.ops.facecap.end_difference.poll() and shown_difference(scene) is None
    bpy.ops.facecap.bake()
    bpy.ops.facecap.compare_takes(take="0")
    one, other = (load_take(Path(settings.takes[k].take)) for k in (1, 0))
    jaw = one.channels.index("jawOpen")
    compared = shown_difference(scene)
    np.testing.assert_allclose(compared.mine[:, jaw], one.weights[:, jaw], atol=1e-6)
    assert compared.theirs[:, jaw] == pytest.approx(
        np.interp(one.time_s, other.time_s, other.weights[:, jaw]), abs=1e-5, nan_ok=True
    )
    assert shown_difference(scene) is compared
    with_gain(0.5)
    compared = shown_difference(scene)
    np.testing.assert_allclose(compared.mine[:, jaw], 0.5 * one.weights[:, jaw], atol=1e-6)
    lanes = lanes_of_difference(compared)
    assert lanes.steps.shape == (30, len(compared.regions)) and len(lanes.marks_s) >= 2
    bpy.ops.facecap.compare_takes(take="1")  # the chosen one itself: what the edits change
    compared = shown_difference(scene)
    np.testing.assert_allclose(compared.theirs[:, jaw], one.weights[:, jaw], atol=1e-6)
    np.testing.assert_allclose(compared.mine[:, jaw], 0.5 * one.weights[:, jaw], atol=1e-6)
    assert "without edits" in session.outcome.lines[0]
    assert bpy.ops.facecap.plot_difference() == {"FINISHED"}
    plots = list(tmp_path.rglob("*.difference.svg"))
    assert len(plots) == 1 and "jawOpen" in plots[0].read_text(encoding="utf-8")
    bpy.ops.facecap.end_difference()
    assert shown_difference(scene) is None


def test_the_copy_beside_follows_edits(tmp_path: Path) -> None:
    obj = with_takes(tmp_path, 1, 2)
    bpy.ops.facecap.bake()
    plain = evaluated(obj, 12)
    bpy.ops.facecap.compare_beside(take="1")
    with_gain(0.5)
    np.testing.assert_allclose(evaluated(bpy.data.objects["Face Beside"], 12), plain, atol=1e-6)  # itself: as solved
    assert np.abs(evaluated(obj, 12) - plain).max() > 0.002
    bpy.ops.facecap.compare_beside(take="0")
    scene_settings().edits.stack[0].gain_factor = 0.25
    beside = evaluated(bpy.data.objects["Face Beside"], 12)
    bpy.ops.facecap.end_comparison()
    scene_settings().take_list.chosen = 0
    bpy.ops.facecap.bake()
    np.testing.assert_allclose(evaluated(obj, 12), beside, atol=1e-6)


def with_gain(factor: float) -> None:
    """An edit of everything."""
    bpy.ops.facecap.add_edit(kind="gain")
    scene_settings().edits.stack[0].gain_factor = factor


def test_a_line_of_many_frames_keeps_its_peaks_and_its_gaps() -> None:
    time_s, values = np.arange(9000) / 25, np.zeros(9000)
    values[4321], values[7000:7003] = 1.0, np.nan
    line = line_of(time_s, values, 200)
    assert len(line.points) < 420 and line.points[:, 1].max() == 1.0
    middle = line.points[line.joined].mean(1)[:, 0]
    spans = line.points[line.joined][:, :, 0]
    assert not ((spans[:, 0] < 7001 / 25) & (spans[:, 1] > 7001 / 25)).any() and len(middle) > 95
    short = line_of(time_s[:10], np.where(np.arange(10) == 4, np.nan, 1.0))
    assert short.joined.tolist() == [[0, 1], [1, 2], [2, 3], [5, 6], [6, 7], [7, 8], [8, 9]]
