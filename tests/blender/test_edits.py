"""The stack of edits in Blender: kept, undone and copied; it shows at once, bakes, and spares keys made by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender.character_gaps import gaps_in, gaps_key
from facecap_addon.blender.edits import follow_undo, put_stack, quietly, stack_in
from facecap_addon.blender.operators.take.bake import bake_spans, chosen_bake
from facecap_addon.blender.operators.take.edits import user_presets
from facecap_addon.blender.panels.edits import _ICONS
from facecap_addon.blender.properties.edits import _find_channels
from facecap_addon.blender.scene.animation.curves import SLOTTED, curves_of
from facecap_addon.blender.scene.animation.own_action import TAKE
from facecap_addon.blender.scene.animation.show_take import show_frame
from facecap_addon.blender.scene.controls.stored_mapping import group_of, store_mapping
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.scene.head.edited_landmarks import keep_edits
from facecap_addon.blender.takes import add_take
from facecap_addon.fit.contact_pass import find_gaps
from facecap_addon.jobs.steps.character import characters_in, embedding_of
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.landmark_edits import LandmarkEdits, topology_key
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.takes.edits.contacts import LIPS
from facecap_addon.takes.edits.evaluate import evaluate
from facecap_addon.takes.edits.kinds import (
    KINDS,
    Blink,
    Calibration,
    Gain,
    Hold,
    LidContact,
    Mirror,
    Offset,
    Remap,
    Retime,
)
from facecap_addon.takes.edits.stack_file import read_stack, shipped_presets, write_stack
from facecap_addon.takes.merge import MERGED_INTO, RANGE
from facecap_addon.takes.npz import save_take
from facecap_addon.takes.take import Take
from facecap_addon.takes.versions import ID, add_id
from tests.blender.faces import evaluated, make_face, set_weights
from tests.blender.takes import make_take
from tests.blender.test_operators import choose, needs_models, open_sample_head

RATE = 25
KINDS_OF_SAVED_SCENES = [
    *("calibration", "gain", "offset", "clamp", "mirror", "balance", "filter", "lip-seal", "lid-contact", "blink"),
    *("remap", "hold", "retime"),
]
REGIONS_OF_SAVED_SCENES = ["all", "brows", "eyes", "gaze", "nose", "cheeks", "mouth", "jaw", "tongue"]


def baked(tmp_path: Path, *, missing: tuple[int, ...] = ()) -> tuple[bpy.types.Object, Take]:
    """A face with a baked take whose frames are the scene's, from 1."""
    obj = make_face()
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = RATE, 1.0
    take = make_take(missing=missing)
    take = add_id(replace(take, time_s=np.arange(40) / RATE, weights=take.weights * np.float32(0.5)))
    save_take(tmp_path / "a.take.npz", take)
    settings = choose(tmp_path / "none.mp4", obj)
    settings.result.take = str(tmp_path / "a.take.npz")
    settings.bake.head = "none"
    bpy.ops.facecap.bake()
    return obj, take


def edits() -> bpy.types.PropertyGroup:
    return bpy.context.scene.facecap.edits


def curve(obj: bpy.types.Object, channel: str) -> bpy.types.FCurve:
    path = obj.data.shape_keys.key_blocks[channel].path_from_id("value")
    return next(one for one in curves_of(obj.data.shape_keys) if one.data_path == path)


def keyed(obj: bpy.types.Object, channel: str) -> np.ndarray:
    """(N, 2) frames and values of a channel's keys."""
    return np.array([point.co for point in curve(obj, channel).keyframe_points])


def assert_keyed(obj: bpy.types.Object, take: Take) -> None:
    for k, channel in enumerate(take.channels):
        keys = keyed(obj, channel)
        np.testing.assert_allclose(keys[:, 0], 1 + take.time_s[take.solved] * RATE, atol=1e-3)
        np.testing.assert_allclose(keys[:, 1], take.weights[take.solved, k], atol=1e-5)


def test_a_stack_goes_into_the_scene_and_comes_out_as_it_was() -> None:
    stack = (
        *(kind() for kind in KINDS),
        Gain(name="mine", on=False, solo=True, channels=("jawOpen", "x"), start_s=1.5, blend_in_s=0.2, factor=1.3),
        Calibration(levels=(("jawOpen", 0.25),), neutral_s=0.4),
        Remap(points=((0.0, 0.5), (1.0, 0.75)), smooth=True),
        Retime(points=((0.0, 1.0), (2.0, 2.5)), side="left"),
        Hold(region="brows", at_s=0.36, end_s=2.0, blend_out_s=0.12),
    )
    put_stack(bpy.context.scene, stack)
    assert stack_in(bpy.context.scene) == stack


def test_kinds_and_regions_of_saved_scenes_are_still_there() -> None:
    rna = edits().stack.add().bl_rna.properties
    assert [item.identifier for item in rna["kind"].enum_items] == KINDS_OF_SAVED_SCENES
    assert [item.identifier for item in rna["region"].enum_items] == REGIONS_OF_SAVED_SCENES
    assert [item.identifier for item in rna["side"].enum_items] == ["both", "left", "right"]
    assert [item.identifier for item in rna["mirror_mode"].enum_items] == ["swap", "left to right", "right to left"]


def test_channels_are_found_while_they_are_typed(tmp_path: Path) -> None:
    baked(tmp_path)
    edit = edits().stack.add()
    assert _find_channels(edit, bpy.context, "smile") == ["mouthSmileLeft", "mouthSmileRight"]
    found = _find_channels(edit, bpy.context, "mouthSmileLeft, SMI")
    assert found == ["mouthSmileLeft, mouthSmileRight"]


def test_every_kind_has_an_icon_of_blender() -> None:
    icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
    assert set(_ICONS) == set(KINDS_OF_SAVED_SCENES)
    assert set(_ICONS.values()) <= set(icons.keys())


def test_edits_are_added_moved_copied_muted_and_removed() -> None:
    for kind in ("gain", "mirror", "lip-seal"):
        bpy.ops.facecap.add_edit(kind=kind)
    assert [one.kind for one in edits().stack] == ["gain", "mirror", "lip-seal"] and edits().active == 2
    bpy.ops.facecap.move_edit(direction="up")
    assert [one.kind for one in edits().stack] == ["gain", "lip-seal", "mirror"] and edits().active == 1
    edits().active = 0
    edits().stack[0].name, edits().stack[0].gain_factor = "loud", 1.5
    bpy.ops.facecap.duplicate_edit()
    assert [one.kind for one in edits().stack] == ["gain", "gain", "lip-seal", "mirror"]
    assert (edits().stack[1].name, edits().stack[1].gain_factor) == ("loud", 1.5)
    bpy.ops.facecap.move_edit(direction="up")
    bpy.ops.facecap.move_edit(direction="up")  # at the top it stays
    assert edits().active == 0
    bpy.ops.facecap.remove_edit()
    edits().stack[0].on = False
    assert edits().stack[1].name == "Lip Seal"
    assert [edit.on for edit in stack_in(bpy.context.scene)] == [False, True, True]
    for _ in range(3):
        bpy.ops.facecap.remove_edit()
    assert not edits().stack and not bpy.ops.facecap.remove_edit.poll()


def test_a_bake_evaluates_the_stack(tmp_path: Path) -> None:
    obj, take = baked(tmp_path, missing=(4, 5))
    assert_keyed(obj, take)
    stack = [Gain(region="mouth", factor=1.5), Offset(channels=("jawOpen",), amount=0.1), Blink(strength=2.0)]
    put_stack(bpy.context.scene, stack)
    bpy.ops.facecap.bake()
    limits = np.tile(np.float32([0, 1]), (len(take.channels), 1))
    assert_keyed(obj, evaluate(take, stack, limits=limits))
    edits().stack.clear()
    assert bpy.ops.facecap.apply_edits() == {"FINISHED"}
    assert_keyed(obj, take)


def test_a_slider_that_moves_shows_at_once(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    before = len(bpy.data.actions)
    bpy.ops.facecap.add_edit(kind="gain")
    edits().stack[0].gain_factor = 0.25
    after = evaluate(take, [Gain(factor=0.25)])
    assert_keyed(obj, after)
    assert len(bpy.data.actions) == before
    shown = evaluated(obj, 8.0)
    animation = obj.data.shape_keys.animation_data
    animation.action = None
    set_weights(obj, after.channels, after.weights[7])
    np.testing.assert_allclose(evaluated(obj), shown, atol=1e-6)


def test_keys_made_by_hand_stay_while_a_slider_moves_and_when_it_is_applied(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    point = curve(obj, "jawOpen").keyframe_points[10]
    point.co[1], point.interpolation = 0.875, "BEZIER"
    curve(obj, "jawOpen").update()
    bpy.ops.facecap.add_edit(kind="gain")
    for _ in range(2):
        edits().stack[0].gain_factor = 0.25
        keys = dict(keyed(obj, "jawOpen").tolist())
        assert keys[11.0] == 0.875
        assert keys[31.0] == pytest.approx(take.weights[30, take.channels.index("jawOpen")] * 0.25, abs=1e-5)
        edits().stack[0].gain_factor = 0.5
        bpy.ops.facecap.apply_edits()
        assert dict(keyed(obj, "jawOpen").tolist())[11.0] == 0.875


def test_an_action_that_is_not_the_takes_is_left_alone_and_the_present_frame_shown(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    keys = obj.data.shape_keys
    other = keys.animation_data.action.copy()
    for name in list(other.keys()):
        if name.startswith("facecap"):
            del other[name]
    slot = other.slots[0] if hasattr(other, "slots") else None
    keys.animation_data.action = other
    if slot is not None:
        keys.animation_data.action_slot = slot
    before = keyed(obj, "jawOpen")
    bpy.context.scene.frame_set(8)
    bpy.ops.facecap.add_edit(kind="gain")
    edits().stack[0].gain_factor = 0.25
    np.testing.assert_array_equal(keyed(obj, "jawOpen"), before)
    jaw = take.weights[7, take.channels.index("jawOpen")]
    assert keys.key_blocks["jawOpen"].value == pytest.approx(jaw * 0.25, abs=1e-5)
    bpy.context.scene.frame_set(9)
    assert keys.key_blocks["jawOpen"].value == pytest.approx(before[8, 1], abs=1e-5)


def test_reduced_keys_and_strips_are_left_to_a_bake(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    settings, blocks = bpy.context.scene.facecap, obj.data.shape_keys.key_blocks
    jaw = take.weights[7, take.channels.index("jawOpen")]
    settings.bake.reduce_keys = 0.1
    bpy.ops.facecap.bake()
    before = keyed(obj, "jawOpen")
    bpy.context.scene.frame_set(8)
    bpy.ops.facecap.add_edit(kind="gain")
    edits().stack[0].gain_factor = 0.25
    np.testing.assert_array_equal(keyed(obj, "jawOpen"), before)
    assert blocks["jawOpen"].value == pytest.approx(jaw * 0.25, abs=1e-5)
    settings.bake.reduce_keys, settings.bake.mode = 0.0, "layer"
    bpy.ops.facecap.apply_edits()
    assert obj.data.shape_keys.animation_data.action is None
    edits().stack[0].gain_factor = 0.5
    assert blocks["jawOpen"].value == pytest.approx(jaw * 0.5, abs=1e-5)


def test_edits_show_after_a_range_was_solved_into_the_take(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    weights = take.weights.copy()
    weights[10:15] = 0.9
    provenance = {**take.provenance, MERGED_INTO: take.provenance[ID], RANGE: [10 / RATE, 14 / RATE]}
    after = add_id(replace(take, weights=weights, provenance=provenance))
    save_take(tmp_path / "b.take.npz", after)
    scene = bpy.context.scene
    add_take(scene, tmp_path / "b.take.npz", after, "solved", choose=True)
    bake_spans(scene, obj)
    assert_keyed(obj, after)
    bpy.ops.facecap.add_edit(kind="gain")
    edits().stack[0].gain_factor = 0.25
    assert_keyed(obj, evaluate(after, [Gain(factor=0.25)]))


def test_a_range_solved_anew_goes_into_the_layer_and_not_into_what_was_keyed_above_it(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    scene, animation = bpy.context.scene, obj.data.shape_keys.animation_data
    scene.facecap.bake.mode = "layer"
    bpy.ops.facecap.bake()
    obj.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=10)
    top = animation.action
    strips = [strip for track in animation.nla_tracks for strip in track.strips]
    weights = take.weights.copy()
    weights[10:15] = 0.9
    provenance = {**take.provenance, MERGED_INTO: take.provenance[ID], RANGE: [10 / RATE, 14 / RATE]}
    after = add_id(replace(take, weights=weights, provenance=provenance))
    save_take(tmp_path / "b.take.npz", after)
    add_take(scene, tmp_path / "b.take.npz", after, "solved", choose=True)
    bake_spans(scene, obj)
    assert animation.action == top and len(keyed(obj, "jawOpen")) == 1
    assert [strip for track in animation.nla_tracks for strip in track.strips] == strips
    layer = strips[-1]
    animation.action = layer.action
    if SLOTTED:
        animation.action_slot = layer.action_slot
    assert_keyed(obj, after)


def test_a_character_without_keys_is_not_posed(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    obj.data.shape_keys.animation_data_clear()
    set_weights(obj, ("jawOpen",), np.array([0.5]))
    bpy.ops.facecap.add_edit(kind="offset")
    edits().stack[0].offset_amount = 0.3
    assert obj.data.shape_keys.key_blocks["jawOpen"].value == 0.5


def test_times_are_frames_of_the_scene(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    bpy.context.scene.facecap.start_frame = 101
    bpy.ops.facecap.add_edit(kind="hold")
    edit = edits().stack[0]
    bpy.context.scene.frame_set(111)
    bpy.ops.facecap.edit_frame_here(setting="hold_at_s")
    assert edit.hold_at_frame == pytest.approx(111) and edit.hold_at_s == pytest.approx(10 / RATE)
    edit.start_frame, edit.use_start_s = 121.0, True
    assert edit.start_s == pytest.approx(20 / RATE)
    edit.blend_in_frame = 5
    assert edit.blend_in_s == pytest.approx(0.2)
    (made,) = stack_in(bpy.context.scene)
    assert made == Hold(name="Hold", at_s=0.4, start_s=0.8, blend_in_s=0.2)
    np.testing.assert_allclose(keyed(obj, "jawOpen")[30:, 1], take.weights[10, 0], atol=1e-5)


def test_a_retime_moves_the_keys(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    bpy.ops.facecap.add_edit(kind="retime")
    edits().stack[0].retime_offset_frame = 10
    keys = keyed(obj, "jawOpen")
    np.testing.assert_allclose(keys[:, 0], np.arange(40) + 11, atol=1e-3)
    np.testing.assert_allclose(keys[:, 1], take.weights[:, 0], atol=1e-5)
    bpy.context.scene.frame_set(1)
    bpy.ops.facecap.edit_point()
    edits().stack[0].retime_offset_frame = 0
    bpy.context.scene.frame_set(26)
    bpy.ops.facecap.edit_point()
    points = edits().stack[0].points
    assert [(one.x, one.y) for one in points] == [(0.0, 0.0), (1.0, 1.0)]
    points[1].y_frame = 51
    assert points[1].y == pytest.approx(2.0)
    np.testing.assert_allclose(keyed(obj, "jawOpen")[:, 0], 1 + 2 * np.arange(40), atol=1e-3)
    bpy.ops.facecap.edit_point(remove=1)
    bpy.ops.facecap.edit_point(remove=0)
    np.testing.assert_allclose(keyed(obj, "jawOpen")[:, 0], 1 + np.arange(40), atol=1e-3)


def test_what_does_not_fit_is_said_in_the_panel_and_shows_nothing(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    before = keyed(obj, "jawOpen")
    bpy.ops.facecap.add_edit(kind="clamp")
    edits().stack[0].clamp_high = -1.0
    assert "largest weight is below its smallest" in edits().problem
    np.testing.assert_array_equal(keyed(obj, "jawOpen"), before)
    with pytest.raises(RuntimeError, match="below its smallest"):
        bpy.ops.facecap.apply_edits()
    edits().stack[0].clamp_high = 1.0
    assert edits().problem == ""


def test_a_stack_is_saved_reopened_and_copied_with_the_scene(tmp_path: Path) -> None:
    stack = (Gain(region="mouth", factor=1.2), Mirror(), Remap(points=((0.0, 0.0), (1.0, 0.5))), LidContact(on=False))
    put_stack(bpy.context.scene, stack)
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert stack_in(bpy.context.scene) == stack
    bpy.ops.scene.new(type="FULL_COPY")
    assert stack_in(bpy.context.scene) == stack
    edits().stack[0].gain_factor = 2.0
    assert stack_in(bpy.data.scenes[0])[0] == stack[0]


def test_undo_takes_back_stack_and_keys_together(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    name = obj.name
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.facecap.add_edit(kind="gain")
    edits().stack[0].gain_factor = 0.25
    bpy.ops.ed.undo_push(message="gain")
    bpy.ops.ed.undo()
    assert not edits().stack
    assert_keyed(bpy.data.objects[name], take)
    bpy.ops.ed.redo()
    assert edits().stack[0].gain_factor == 0.25
    assert_keyed(bpy.data.objects[name], evaluate(take, [Gain(factor=0.25)]))


def test_stacks_are_kept_in_files_and_presets(tmp_path: Path) -> None:
    path = tmp_path / "a.edits.json"
    stack = (Gain(region="jaw", factor=1.1), Blink(strength=1.5))
    write_stack(path, stack)
    bpy.ops.facecap.load_edits(filepath=str(path))
    assert stack_in(bpy.context.scene) == stack
    bpy.ops.facecap.save_edits(filepath=str(tmp_path / "b.edits.json"))
    assert read_stack(tmp_path / "b.edits.json") == stack
    bpy.ops.facecap.keep_edit_preset(title="My / own")
    (name,) = user_presets()
    bpy.ops.facecap.load_edits(filepath=str(next(iter(shipped_presets().values()))))
    assert stack_in(bpy.context.scene) != stack
    bpy.ops.facecap.load_edits(filepath=str(user_presets()[name]))
    assert stack_in(bpy.context.scene) == stack
    bpy.ops.facecap.remove_edit_preset(title=name)
    assert not user_presets()
    (tmp_path / "c.json").write_text('{"facecap_edits": 1, "edits": [{"edit": "sparkle"}]}')
    with pytest.raises(RuntimeError, match="sparkle"):
        bpy.ops.facecap.load_edits(filepath=str(tmp_path / "c.json"))
    assert stack_in(bpy.context.scene) == stack


def test_every_setting_of_every_kind_is_in_the_scene() -> None:
    rna = edits().stack.add().bl_rna.properties
    for kind in KINDS:
        for item in fields(kind):
            assert item.name in rna or f"{kind.kind.replace('-', '_')}_{item.name}" in rna, (kind, item.name)


@needs_models
def test_lips_seal_by_the_characters_own_mesh(tmp_path: Path) -> None:
    """Landmarks that a solve has placed say how far lips gape; edits then close them on the mesh."""
    obj = open_sample_head(tmp_path)
    rig = extract_rig(obj)
    names = ("jawOpen", "mouthClose")
    take = make_take(channels=rig.channels, landmarks=open_landmarker(threads=1).model_version)
    weights = np.zeros_like(take.weights)
    weights[:, [rig.channels.index(name) for name in names]] = 0.5
    weights[10:, rig.channels.index("mouthClose")] = 0.0
    take = add_id(replace(take, weights=weights))
    save_take(tmp_path / "a.take.npz", take)
    settings = choose(tmp_path / "none.mp4", obj)
    settings.result.take, settings.bake.head = str(tmp_path / "a.take.npz"), "none"
    embedding_of(rig, open_landmarker(threads=1), characters_in(tmp_path))
    gaps = gaps_in(obj, take, tmp_path / "a.take.npz")
    assert gaps is not None

    def lips_mm(row: int) -> float:
        values = np.array([keyed(obj, channel)[row, 1] for channel in gaps.channels])
        return float((gaps.rest_mm + gaps.slope_mm @ values)[gaps.group == LIPS].mean())

    put_stack(bpy.context.scene, [Offset(channels=("jawOpen",), amount=0.1)])
    bpy.ops.facecap.apply_edits()
    assert lips_mm(4) > 1.0
    bpy.ops.facecap.add_edit(kind="lip-seal")
    assert abs(lips_mm(4)) < 0.2 < 1.0 < lips_mm(30)
    edits().stack[1].on = False
    assert lips_mm(4) > 1.0


@needs_models
def test_gaps_are_between_landmarks_as_they_were_put_by_hand(tmp_path: Path) -> None:
    obj = open_sample_head(tmp_path)
    rig, landmarker = extract_rig(obj), open_landmarker(threads=1)
    take, path = make_take(channels=rig.channels, landmarks=landmarker.model_version), tmp_path / "a.take.npz"
    embedding = embedding_of(rig, landmarker, characters_in(tmp_path))
    found = gaps_in(obj, take, path)
    upper, rim = 13, 0  # the middle of the upper lip's inner edge, put onto its outer edge
    triangle, barycentric = embedding.triangle[[rim]], embedding.barycentric[[rim]]
    topology = topology_key(rig.triangles)
    keep_edits(obj, LandmarkEdits(embedding.scheme, np.array([upper]), triangle, barycentric, topology))
    moved = gaps_in(obj, take, path)
    edited_rig = extract_rig(obj)
    as_solved = find_gaps(edited_rig, embedding_of(edited_rig, landmarker, characters_in(tmp_path)))
    assert found is not None and moved is not None
    np.testing.assert_allclose(moved.slope_mm, as_solved.slope_mm, atol=1e-6)
    assert np.abs(moved.slope_mm - found.slope_mm).max() > 0.1


def test_keys_follow_an_undo_step_that_was_kept_before_they_were_written(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    bpy.ops.facecap.add_edit(kind="gain")
    with quietly():
        edits().stack[0].gain_factor = 0.25
    assert_keyed(obj, take)
    follow_undo(bpy.context.scene)
    assert_keyed(obj, evaluate(take, [Gain(factor=0.25)]))
    curve(obj, "jawOpen").keyframe_points[3].co[1] = 0.7
    follow_undo(bpy.context.scene)  # nothing to follow: nothing is written
    assert keyed(obj, "jawOpen")[3, 1] == pytest.approx(0.7)


def test_locked_and_deleted_curves_stay_so_while_a_slider_moves(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    curve(obj, "jawOpen").lock = True
    curves_of(obj.data.shape_keys).remove(curve(obj, "mouthSmileLeft"))
    bpy.ops.facecap.add_edit(kind="gain")
    edits().stack[0].gain_factor = 0.25
    np.testing.assert_allclose(keyed(obj, "jawOpen")[:, 1], take.weights[:, 0], atol=1e-6)
    right = take.weights[:, take.channels.index("mouthSmileRight")]
    np.testing.assert_allclose(keyed(obj, "mouthSmileRight")[:, 1], right * 0.25, atol=1e-5)
    paths = [one.data_path for one in curves_of(obj.data.shape_keys)]
    assert obj.data.shape_keys.key_blocks["mouthSmileLeft"].path_from_id("value") not in paths


@pytest.mark.parametrize("carrier", ["object", "bone"])
def test_the_head_follows_edits_of_it_as_a_bake_would(tmp_path: Path, carrier: str) -> None:
    obj, _ = baked(tmp_path)
    scene = bpy.context.scene
    if carrier == "bone":
        with_head_bone(obj)
    scene.facecap.bake.head = carrier
    bpy.ops.facecap.bake()
    plain = head_matrices(obj)
    for stack in ((Mirror(mode="swap", head=True),), (Retime(offset_s=0.2),)):
        put_stack(scene, stack)
        shown, keys = head_matrices(obj), len(curves_of(obj.data.shape_keys))
        bpy.ops.facecap.bake()
        np.testing.assert_allclose(shown, head_matrices(obj), atol=1e-5)
        assert np.abs(shown - plain).max() > 0.005 and keys == len(curves_of(obj.data.shape_keys))
        put_stack(scene, ())
        np.testing.assert_allclose(head_matrices(obj), plain, atol=1e-5)


def test_a_head_key_made_by_hand_stays_while_edits_move_the_head(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    scene = bpy.context.scene
    scene.facecap.bake.head = "object"
    bpy.ops.facecap.bake()
    found = next(one for one in curves_of(obj) if one.data_path == "location" and one.array_index == 0)
    found.keyframe_points[10].co[1] = 7.5
    found.update()
    put_stack(scene, (Mirror(mode="swap", head=True),))
    assert dict(np.array([point.co for point in found.keyframe_points]).tolist())[11.0] == 7.5


def test_the_head_of_the_present_frame_follows_without_keys_of_the_take(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    scene = bpy.context.scene
    scene.facecap.bake.head = "object"
    bpy.ops.facecap.bake()
    scene.frame_set(30)
    after, bake = evaluate(take, [Mirror(mode="swap", head=True)]), chosen_bake(scene.facecap)
    show_frame(obj, after, bake, scene, head=True)
    bpy.context.view_layer.update()
    shown = np.array(obj.matrix_world)
    put_stack(scene, (Mirror(mode="swap", head=True),))
    scene.frame_set(30)
    np.testing.assert_allclose(shown, np.array(obj.matrix_world), atol=1e-5)


def with_head_bone(obj: bpy.types.Object) -> None:
    """Hang a face on the head bone of an armature."""
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("head")
    bone.head, bone.tail = (0, 0, -0.1), (0, 0, 0.1)
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.parent, obj.parent_type, obj.parent_bone = armature, "BONE", "head"
    obj.matrix_parent_inverse = (armature.matrix_world @ armature.pose.bones["head"].matrix).inverted()
    bpy.context.view_layer.update()


def head_matrices(obj: bpy.types.Object) -> np.ndarray:
    """(N, 4, 4) where the face is in some frames."""
    found = []
    for frame in (3, 12, 25, 38):
        bpy.context.scene.frame_set(frame)
        bpy.context.view_layer.update()
        found.append(np.array(obj.matrix_world))
    return np.array(found)


def test_sculpted_lips_have_other_gaps_at_once(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    before = gaps_key(obj)
    assert gaps_key(obj) == before
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    block.points[100].co.z += 1e-4
    sculpted = gaps_key(obj)
    assert sculpted != before
    block.points[100].co.z -= 1e-4
    obj.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    assert gaps_key(obj) not in (before, sculpted)


def test_another_mapping_has_other_gaps(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    before = gaps_key(obj)
    link = Link("jawOpen", Target("key", "jawOpen"), 0.5)
    store_mapping(obj, Mapping("half", (link,)))
    half = gaps_key(obj)
    assert half != before
    store_mapping(obj, Mapping("half", (replace(link, factor=0.6),)))
    assert gaps_key(obj) not in (before, half)
    group_of(obj).use = False
    assert gaps_key(obj) == before


def test_a_range_solved_anew_is_all_that_is_keyed_in_a_layer(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    scene, animation = bpy.context.scene, obj.data.shape_keys.animation_data
    scene.facecap.bake.mode = "layer"
    bpy.ops.facecap.bake()
    layer = animation.nla_tracks[-1].strips[-1]
    weights = take.weights.copy()
    weights[10:15] = 0.8
    provenance = {**take.provenance, MERGED_INTO: take.provenance[ID], RANGE: [10 / RATE, 14 / RATE]}
    after = add_id(replace(take, weights=weights, provenance=provenance))
    save_take(tmp_path / "b.take.npz", after)
    add_take(scene, tmp_path / "b.take.npz", after, "solved", choose=True)
    scene.facecap.bake.gain = 0.5
    bake_spans(scene, obj)
    assert animation.action is None and len(animation.nla_tracks[-1].strips) == 1
    assert layer.action[TAKE] == after.provenance[ID]
    animation.action = layer.action
    if SLOTTED:
        animation.action_slot = layer.action_slot
    gain = np.where((np.arange(40) >= 10) & (np.arange(40) < 15), 0.5, 1.0)
    for k, channel in enumerate(take.channels):
        np.testing.assert_allclose(keyed(obj, channel)[:, 1], gain * after.weights[:, k], atol=1e-5)


def test_another_version_as_a_layer_takes_the_place_of_the_action_that_played(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    scene, animation = bpy.context.scene, obj.data.shape_keys.animation_data
    provenance = {**take.provenance, "filtered": {"id": take.provenance[ID]}}
    after = add_id(replace(take, weights=take.weights * np.float32(0.5), provenance=provenance))
    save_take(tmp_path / "b.take.npz", after)
    add_take(scene, tmp_path / "b.take.npz", after, "filtered", choose=True)
    scene.facecap.bake.mode, scene.facecap.bake.layer_blend = "layer", "COMBINE"
    bpy.ops.facecap.bake()
    played = [strip.action for track in animation.nla_tracks for strip in track.strips if strip.action.get(TAKE)]
    assert len(played) == 1 and animation.action is None
    scene.frame_set(9)
    values = [obj.data.shape_keys.key_blocks[name].value for name in after.channels]
    np.testing.assert_allclose(values, after.weights[8], atol=1e-4)
