"""Shape keys for bare heads, generated expressions and other meshes, in Blender."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.headless.requests import answer_request
from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.animation.layer import lay_down
from facecap_addon.blender.scene.animation.nla import cycle, push_down
from facecap_addon.blender.scene.animation.point_cache import export_mesh, play_cache
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.blender.scene.head.empties import follow_empties
from facecap_addon.blender.scene.head.shape_keys import write_shape_keys
from facecap_addon.errors import FacecapError
from facecap_addon.generate.authored.emotions import EXPRESSIONS
from facecap_addon.rig.blendshapes import save_rig
from facecap_addon.takes.formats.point_cache import read_point_cache, write_point_cache
from tests.blender.faces import coordinates, evaluated, make_face
from tests.blender.takes import make_take
from tests.blender.test_operators import needs_models, open_sample_head


def bare_face() -> bpy.types.Object:
    obj = make_face()
    obj.shape_key_clear()
    return obj


def without_keys(obj: bpy.types.Object) -> bpy.types.Object:
    obj.shape_key_clear()
    if obj.animation_data:
        obj.animation_data_clear()
    return obj


def test_a_rigs_keys_are_added_and_move_the_mesh_as_they_should() -> None:
    source = make_face()
    rig = extract_rig(source)
    target = bare_face()
    target.scale = (2.0, 0.5, 1.0)  # not the same on all axes
    bpy.context.view_layer.update()
    before = coordinates(target.data.vertices).tobytes()
    placed = extract_rig(target, bare=True)
    assert placed.channels == () and placed.deltas.shape == (0, 482, 3)
    rig = replace(rig, neutral=placed.neutral)
    assert write_shape_keys(target, rig) == list(rig.channels)
    np.testing.assert_allclose(evaluated(target), placed.neutral, atol=1e-6)  # all of them at rest
    assert coordinates(target.data.vertices).tobytes() == before
    target.data.shape_keys.key_blocks["jawOpen"].value = 1.0
    wanted = rig.neutral + rig.deltas[rig.channels.index("jawOpen")]
    np.testing.assert_allclose(evaluated(target), wanted, atol=1e-6)
    again = extract_rig(target)
    np.testing.assert_allclose(again.deltas, rig.deltas, atol=1e-6)


def test_keys_that_are_there_are_kept_under_another_name() -> None:
    obj = make_face(("jawOpen", "mine"))
    rig = extract_rig(obj)
    theirs = coordinates(obj.data.shape_keys.key_blocks["jawOpen"].data).copy()
    write_shape_keys(obj, replace(rig, deltas=2 * rig.deltas[:1], channels=("jawOpen",), ranges=rig.ranges[:1]))
    blocks = obj.data.shape_keys.key_blocks
    assert [b.name for b in blocks] == ["Basis", "jawOpen (before)", "mine", "jawOpen"]
    np.testing.assert_array_equal(coordinates(blocks["jawOpen (before)"].data), theirs)
    assert blocks["jawOpen (before)"].mute and not blocks["mine"].mute


def test_wrong_and_locked_meshes_get_no_key() -> None:
    obj = make_face(("jawOpen",))
    rig = extract_rig(obj)
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(FacecapError, match="482 vertices"):
        write_shape_keys(bpy.context.object, rig)
    assert bpy.context.object.data.shape_keys is None
    if hasattr(obj.data.shape_keys.key_blocks["jawOpen"], "lock_shape"):
        obj.data.shape_keys.key_blocks["jawOpen"].lock_shape = True
        with pytest.raises(FacecapError, match="locked"):
            write_shape_keys(obj, rig)
        assert len(obj.data.shape_keys.key_blocks) == 2


def test_a_cache_in_the_scenes_axes_plays_on_a_mesh_that_is_placed_and_scaled(tmp_path: Path) -> None:
    obj = bare_face()
    obj.scale, obj.rotation_euler = (2.0, 1.0, 3.0), (0.3, 0.0, 0.7)
    bpy.context.view_layer.update()
    rig = extract_rig(obj, bare=True)
    frames = rig.neutral + np.random.default_rng(1).normal(scale=0.01, size=(6, *rig.neutral.shape)).astype(np.float32)
    write_point_cache(tmp_path / "a.pc2", iter(frames), np.arange(6) / 12.0, rig.vertex_count, fps=12.0)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    filled = play_cache(obj, tmp_path / "a.pc2", tmp_path / "b.pc2", fps=12.0, start_frame=3, scene=scene)
    assert filled == range(3, 14)
    for row in range(6):  # twice the rate: every other scene frame is a sample
        np.testing.assert_allclose(evaluated(obj, 3 + 2 * row), frames[row], atol=2e-5)
    np.testing.assert_allclose(evaluated(obj, 4), 0.5 * (frames[0] + frames[1]), atol=2e-5)
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(FacecapError, match="482 vertices"):
        play_cache(bpy.context.object, tmp_path / "a.pc2", tmp_path / "c.pc2", fps=12.0, start_frame=1, scene=scene)


def test_a_cache_of_a_later_part_of_the_footage_plays_where_that_part_is(tmp_path: Path) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    random = np.random.default_rng(1)
    frames = rig.neutral + random.normal(scale=0.003, size=(6, *rig.neutral.shape)).astype(np.float32)
    write_point_cache(tmp_path / "a.pc2", iter(frames), 2.0 + np.arange(6) / 12.0, rig.vertex_count, fps=12.0)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    filled = play_cache(obj, tmp_path / "a.pc2", tmp_path / "b.pc2", fps=12.0, start_frame=3, scene=scene)
    assert filled == range(51, 62)
    np.testing.assert_allclose(evaluated(obj, 53), frames[1], atol=2e-5)


def test_a_mesh_follows_empties(tmp_path: Path) -> None:
    obj = bare_face()
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 5
    vertices = coordinates(obj.data.vertices)
    places = [vertices[i] for i in (40, 150, 260, 370, 95, 205)]
    empties = []
    for number, place in enumerate(places):
        empty = bpy.data.objects.new(f"marker {number}", None)
        empty.location = place
        scene.collection.objects.link(empty)
        empties.append(empty)
    empties[0].keyframe_insert("location", frame=1)
    empties[0].location = np.array(places[0]) * 1.2
    empties[0].keyframe_insert("location", frame=5)
    with pytest.raises(FacecapError, match="four or more"):
        follow_empties(scene, obj, empties[:3], tmp_path / "a.pc2")
    said = follow_empties(scene, obj, empties, tmp_path / "a.pc2")
    assert said[0] == "5 frames follow 6 empties"
    np.testing.assert_allclose(evaluated(obj, 1), vertices, atol=1e-5)
    moved = evaluated(obj, 5) - vertices
    np.testing.assert_allclose(moved[40], 0.2 * vertices[40], atol=2e-4)
    assert np.linalg.norm(moved, axis=1).argmax() == 40


def test_beside_a_strip_the_face_is_at_rest() -> None:
    """In Blender 5 a shape key's default is 1."""
    obj = make_face()
    apply_take(obj, make_take(20), BakeSettings(start_frame=10))
    keys = obj.data.shape_keys
    assert lay_down(keys, "happy") is not None
    scene = bpy.context.scene
    for frame in (1, 12):
        scene.frame_set(frame)
        shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
        values = [block.value for block in shown.key_blocks[1:]]
        assert (max(values) > 0.1) == (frame == 12), (frame, values)


def test_an_action_becomes_a_strip_that_plays() -> None:
    obj = make_face(("jawOpen",))
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((10, 0.0), (20, 1.0)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    shown = evaluated(obj, 15)
    strip = push_down(obj.data.shape_keys, "happy")
    assert strip is not None and (strip.frame_start, strip.frame_end) == (10, 20)
    assert obj.data.shape_keys.animation_data.action is None
    np.testing.assert_allclose(evaluated(obj, 15), shown, atol=1e-6)
    assert push_down(obj, "nothing") is None


def test_an_action_that_loops_goes_on_after_its_end() -> None:
    obj = make_face(("jawOpen",))
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.0), (6, 1.0), (11, 0.0)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    cycle(obj.data.shape_keys)
    cycle(obj)  # has no action
    np.testing.assert_allclose(evaluated(obj, 26), evaluated(obj, 6), atol=1e-6)


def test_requests_of_the_command_line_add_keys_and_play_points(tmp_path: Path) -> None:
    obj = bare_face()
    rig = extract_rig(obj, bare=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "face.blend"))
    request = {"blend": str(tmp_path / "face.blend"), "object": "Face"}
    facts = answer_request({"do": "extract", "out": str(tmp_path / "rig.npz"), "bare": True, **request})
    assert facts["vertices"] == 482 and facts["channels"] == []
    with pytest.raises(FacecapError, match="no shape keys"):
        answer_request({"do": "extract", "out": str(tmp_path / "no.npz"), **request})
    keyed = extract_rig(make_face())
    save_rig(tmp_path / "keys.npz", keyed)
    out = {"rig": str(tmp_path / "keys.npz"), "out": str(tmp_path / "keyed.blend")}
    assert answer_request({"do": "add_keys", **request, **out})["keys"] == list(keyed.channels)
    frames = np.stack([rig.neutral, rig.neutral * 1.1])
    write_point_cache(tmp_path / "a.pc2", iter(frames), np.arange(2) / 25.0, 482, fps=25.0)
    out = {"points": str(tmp_path / "a.pc2"), "out": str(tmp_path / "played.blend"), "fps": 25.0}
    answer_request({"do": "play_points", **request, **out})
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "played.blend"))
    np.testing.assert_allclose(evaluated(bpy.data.objects["Face"], 1), rig.neutral, atol=1e-5)
    with pytest.raises(FacecapError, match="own file"):
        answer_request({"do": "add_keys", **request, "rig": out["points"], "out": request["blend"]})


@needs_models
@pytest.mark.usefixtures("models")
def test_the_generate_button_keys_the_character(tmp_path: Path) -> None:
    head = open_sample_head(tmp_path)
    settings = bpy.context.scene.facecap
    settings.character = head
    settings.generate.expression = "happiness"
    assert {item.identifier for item in settings.generate.bl_rna.properties["expression"].enum_items} == set(
        EXPRESSIONS
    )
    assert bpy.ops.facecap.generate() == {"FINISHED"}
    keys = head.data.shape_keys
    bpy.context.scene.frame_set(40)
    assert keys.key_blocks["mouthSmileLeft"].value > 0.2
    bpy.context.scene.frame_set(1)
    assert keys.key_blocks["mouthSmileLeft"].value < 0.05
    settings.generate.as_strip = True
    settings.generate.use_chain, settings.generate.chain = True, "surprise, sadness"
    assert bpy.ops.facecap.generate() == {"FINISHED"}
    assert [track.strips[0].name for track in keys.animation_data.nla_tracks] == ["surprise-sadness-0"]
    assert session.outcome is not None and session.outcome.ok
    settings.generate.chain = "boredom"
    with pytest.raises(RuntimeError, match="no expression called boredom"):
        bpy.ops.facecap.generate()


@needs_models
@pytest.mark.usefixtures("models")
def test_an_expression_mixed_into_an_action_leaves_the_eyes_as_they_were_keyed(tmp_path: Path) -> None:
    head = open_sample_head(tmp_path)
    settings = bpy.context.scene.facecap
    settings.character, settings.bake.mode = head, "mix"
    blocks = head.data.shape_keys.key_blocks
    for name in ("eyeLookOutLeft", "eyeLookInRight"):
        for frame, value in ((1, 0.1), (60, 0.8), (120, 0.3)):
            blocks[name].value = value
            blocks[name].keyframe_insert("value", frame=frame)
    bpy.context.scene.frame_set(33)
    keyed = blocks["eyeLookOutLeft"].value
    settings.generate.expression = "happiness"
    assert bpy.ops.facecap.generate() == {"FINISHED"}
    bpy.context.scene.frame_set(60)
    assert blocks["mouthSmileLeft"].value > 0.1
    bpy.context.scene.frame_set(33)
    assert blocks["eyeLookOutLeft"].value == blocks["eyeLookInRight"].value == pytest.approx(keyed, abs=1e-6)


@needs_models
@pytest.mark.usefixtures("models")
def test_a_bare_head_gets_keys_and_follows_by_button(tmp_path: Path) -> None:
    head = open_sample_head(tmp_path)
    wanted = extract_rig(head)
    settings = bpy.context.scene.facecap
    copied = head.copy()
    copied.data = head.data.copy()
    copied.name = "Other"
    bpy.context.scene.collection.objects.link(copied)
    without_keys(copied)
    settings.character = copied
    assert bpy.ops.facecap.make_keys() == {"FINISHED"}
    made = extract_rig(copied)
    assert made.channels == wanted.channels
    smile = wanted.channels.index("mouthSmileLeft")
    cosine = (made.deltas[smile] * wanted.deltas[smile]).sum()
    cosine /= np.linalg.norm(made.deltas[smile]) * np.linalg.norm(wanted.deltas[smile])
    assert cosine > 0.9

    settings.character = head
    settings.generate.expression, settings.generate.head = "surprise", False
    bpy.ops.facecap.generate()
    without_keys(copied)
    bpy.context.view_layer.objects.active = copied
    settings.retarget.head = False
    assert bpy.ops.facecap.retarget() == {"FINISHED"}
    assert copied.modifiers[0].type == "MESH_CACHE"
    shown, led = evaluated(copied, 20), evaluated(head, 20)
    lively = np.linalg.norm(led - wanted.neutral, axis=1) > 0.003
    assert lively.sum() > 50
    apart = np.linalg.norm((shown - led)[lively], axis=1)
    assert np.median(apart) < 0.4 * np.median(np.linalg.norm((led - wanted.neutral)[lively], axis=1))


def test_a_plane_is_no_head(tmp_path: Path) -> None:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=20, y_subdivisions=20)
    obj = bpy.context.object
    bpy.context.scene.facecap.character = obj
    with pytest.raises(RuntimeError):
        bpy.ops.facecap.make_keys()
    assert obj.data.shape_keys is None and session.job is None


def test_an_alembic_files_vertices_become_a_point_cache(tmp_path: Path) -> None:
    obj = make_face(("jawOpen",))
    obj.scale = (1.0, 2.0, 1.0)
    bpy.context.view_layer.update()
    rig = extract_rig(obj)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    scene.frame_start, scene.frame_end = 1, 7
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    for frame in range(1, 8):
        block.value = frame / 10
        block.keyframe_insert("value", frame=frame)
    export_mesh(bpy.context, obj, tmp_path / "face.abc")
    request = {
        "do": "read_mesh",
        "file": str(tmp_path / "face.abc"),
        "out": str(tmp_path / "face.mdd"),
        "fps": 30,
    }
    with pytest.raises(FacecapError, match="no mesh of 481 vertices"):
        answer_request({**request, "vertices": 481})
    assert answer_request({**request, "vertices": 482})["frames"] == 7
    cache = read_point_cache(tmp_path / "face.mdd")
    np.testing.assert_allclose(np.diff(cache.time_s), 1 / 30, atol=1e-6)
    for row in range(7):
        np.testing.assert_allclose(cache.positions[row], rig.vertices_at(np.array([(row + 1) / 10])), atol=1e-5)
