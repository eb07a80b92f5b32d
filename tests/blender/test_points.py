"""A take as a point cache: Blender plays the vertices that the take means, and shape keys still work on top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.animation.point_cache import bake_points, export_mesh
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.errors import FacecapError
from facecap_addon.takes.formats.point_cache import write_point_cache
from tests.blender.faces import ARKIT, evaluated, make_face
from tests.blender.takes import expected_weights, make_take

START = 5.0


@pytest.mark.parametrize("ending", ["pc2", "mdd"])
def test_blender_plays_what_the_take_means(tmp_path: Path, ending: str) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    take = make_take()
    count = bake_points(obj, take, tmp_path / f"a.{ending}", start_frame=START, scene=scene, solved=None)
    keys = obj.data.shape_keys.key_blocks
    assert count == 38 and all(block.value == 0 for block in keys[1:])
    for frame in (5, 6, 17, 30, 42):
        wanted = rig.vertices_at(expected_weights(take, (frame - START) / 24))
        np.testing.assert_allclose(evaluated(obj, frame), wanted, atol=2e-5)


def test_shape_keys_correct_the_cache_on_top(tmp_path: Path) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    take = make_take()
    still = replace(take, weights=np.zeros_like(take.weights))
    bake_points(obj, still, tmp_path / "a.pc2", start_frame=1.0, scene=bpy.context.scene, solved=None)
    before = evaluated(obj, 10)
    obj.data.shape_keys.key_blocks[1].value = 0.5
    np.testing.assert_allclose(evaluated(obj, 10) - before, 0.5 * rig.deltas[0], atol=2e-5)


def test_a_solvers_own_vertices_are_played(tmp_path: Path) -> None:
    obj = make_face()
    obj.scale = (2.0, 2.0, 2.0)
    bpy.context.view_layer.update()
    rig = extract_rig(obj)
    take = make_take()
    random = np.random.default_rng(0)
    moved = rig.neutral + random.normal(scale=0.003, size=(take.frame_count, *rig.neutral.shape)).astype(np.float32)
    take = replace(take, time_s=np.arange(take.frame_count) / 25.0, provenance={"fps": "25"})
    write_point_cache(tmp_path / "solved.pc2", iter(moved), take.time_s, rig.vertex_count, fps=25.0)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 50, 1.0
    bake_points(obj, take, tmp_path / "a.pc2", start_frame=1.0, scene=scene, solved=tmp_path / "solved.pc2")
    np.testing.assert_allclose(evaluated(obj, 1), moved[0], atol=2e-5)
    np.testing.assert_allclose(evaluated(obj, 61), moved[30], atol=2e-5)
    np.testing.assert_allclose(evaluated(obj, 62), 0.5 * (moved[30] + moved[31]), atol=2e-5)


def test_a_face_unseen_for_a_while_bends_as_keys_do(tmp_path: Path) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    take = make_take(missing=(0, 10, 11, 12))
    bake_points(obj, take, tmp_path / "a.pc2", start_frame=1.0, scene=bpy.context.scene, solved=None)
    for frame in (11, 12, 13):
        wanted = rig.vertices_at(expected_weights(take, (frame - 1) / 24))
        np.testing.assert_allclose(evaluated(obj, frame), wanted, atol=2e-5)


def test_a_cache_of_another_mesh_is_refused(tmp_path: Path) -> None:
    obj = make_face()
    take = make_take()
    at_s = np.linspace(0, take.time_s[-1], 40)
    write_point_cache(tmp_path / "s.pc2", (np.zeros((3, 3)) for _ in at_s), at_s, 3)
    with pytest.raises(FacecapError, match="another mesh"):
        bake_points(obj, take, tmp_path / "a.pc2", start_frame=1, scene=bpy.context.scene, solved=tmp_path / "s.pc2")
    assert not obj.modifiers and not (tmp_path / "a.pc2").exists()


@pytest.mark.parametrize("ending", ["abc", "usdc"])
def test_blenders_exporters_write_the_animated_mesh(tmp_path: Path, ending: str) -> None:
    obj = make_face()
    take = make_take()
    scene = bpy.context.scene
    bake_points(obj, take, tmp_path / "a.pc2", start_frame=1.0, scene=scene, solved=None)
    scene.frame_start, scene.frame_end = 1, 4
    export_mesh(bpy.context, obj, tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").stat().st_size > 1000
    with pytest.raises(FacecapError, match="neither Alembic nor USD"):
        export_mesh(bpy.context, obj, tmp_path / "a.fbx")


def test_the_action_and_other_keys_are_kept(tmp_path: Path) -> None:
    obj = make_face((*ARKIT, "scar"))
    keys = obj.data.shape_keys
    keys.key_blocks["scar"].value = 0.7
    keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    action = keys.animation_data.action
    bake_points(obj, make_take(), tmp_path / "a.pc2", start_frame=1.0, scene=bpy.context.scene, solved=None)
    assert keys.animation_data.action is None and action.use_fake_user
    assert keys.key_blocks["scar"].value == pytest.approx(0.7)
