"""Refine in Blender: cameras as pinholes, the operator, and what the timeline means."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from facecap_addon.blender.operators.refine import timeline_rows
from facecap_addon.blender.scene.cameras import camera_from_world, pinhole_of, write_cameras
from facecap_addon.errors import FacecapError
from facecap_addon.geometry.camera import project
from facecap_addon.takes.npz import load_take
from tests.blender.takes import make_take
from tests.blender.test_footage_in_scene import write_video
from tests.blender.test_operators import choose, needs_models, open_sample_head

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "sample_scenes" / "take_01.mp4"


def add_camera(name: str = "Left", place: tuple[float, float, float] = (0.3, -2.0, 0.4)) -> bpy.types.Object:
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.location = place
    camera.rotation_euler = (1.4, 0.1, 0.2)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.view_layer.update()
    return camera


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(640, 360), (360, 640), (500, 500)])
@pytest.mark.parametrize("aspect", [(1.0, 1.0), (1.0, 1.3), (2.0, 1.0)])
def test_a_camera_sees_points_where_blender_sees_them(
    fit: str, size: tuple[int, int], aspect: tuple[float, float]
) -> None:
    scene, camera = bpy.context.scene, add_camera()
    data = camera.data
    data.lens, data.sensor_width, data.sensor_height, data.sensor_fit = 43.0, 30.0, 21.0, fit
    data.shift_x, data.shift_y = 0.13, -0.08
    render = scene.render
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = aspect
    camera.scale = (1.5, 1.5, 1.5)
    bpy.context.view_layer.update()
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (20, 3))
    matrix = camera_from_world(camera)
    inside = points @ matrix[:3, :3].T + matrix[:3, 3]
    found = project(inside, pinhole_of(camera, scene, size))
    for point, place in zip(points, found, strict=True):
        view = world_to_camera_view(scene, camera, Vector(point))
        # Blender counts from the lower left corner of the picture, we from the centre of the upper left pixel.
        np.testing.assert_allclose(place, (view.x * size[0] - 0.5, (1 - view.y) * size[1] - 0.5), atol=2e-3)


def test_further_cameras_are_written_with_their_clips(tmp_path: Path) -> None:
    scene, first, second = bpy.context.scene, add_camera("First", (0, -2, 0)), add_camera()
    scene.render.fps, scene.render.fps_base = 25, 1.0
    clip = bpy.data.movieclips.load(str(write_video(tmp_path / "left.mov", frames=10, rate=25)))
    clip.frame_start = -4
    image = second.data.background_images.new()
    image.source, image.clip = "MOVIE_CLIP", clip
    write_cameras(tmp_path / "cameras.json", first, [second], scene, start_frame=1, size_px=(640, 480))
    written = json.loads((tmp_path / "cameras.json").read_text())
    facts = written["cameras"][0]
    assert written["first"]["focal_px"] == pytest.approx(pinhole_of(first, scene, (640, 480)).focal_px)
    assert facts["size_px"] == list(clip.size)
    assert facts["offset_s"] == pytest.approx(0.2)
    assert Path(facts["video"]) == (tmp_path / "left.mov").resolve()
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (5, 3))
    turn, direct = (camera_from_world(camera) for camera in (first, second))
    across = np.array(facts["from_first"]) @ turn
    seen, expected = (points @ matrix[:3, :3].T + matrix[:3, 3] for matrix in (across, direct))
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    with pytest.raises(FacecapError, match="no movie clip"):
        write_cameras(tmp_path / "cameras.json", second, [first], scene, start_frame=1, size_px=(640, 480))
    second.data.type = "ORTHO"
    with pytest.raises(FacecapError, match="perspective"):
        pinhole_of(second, scene, (10, 10))


@pytest.mark.parametrize(("model", "name"), [("POLYNOMIAL", "k2"), ("DIVISION", "division_k1"), ("BROWN", "brown_p1")])
def test_a_clip_whose_lens_distorts_is_refused(tmp_path: Path, model: str, name: str) -> None:
    """Its tracking settings say so; refining took it for a pinhole's."""
    scene, first, second = bpy.context.scene, add_camera("First", (0, -2, 0)), add_camera()
    clip = bpy.data.movieclips.load(str(write_video(tmp_path / "left.mov", frames=4, rate=25)))
    image = second.data.background_images.new()
    image.source, image.clip = "MOVIE_CLIP", clip
    lens = clip.tracking.camera
    lens.distortion_model = model
    setattr(lens, name, 0.05)
    with pytest.raises(FacecapError, match="lens distortion") as refused:
        write_cameras(tmp_path / "cameras.json", first, [second], scene, start_frame=1, size_px=(640, 480))
    assert "Undistort" in refused.value.way_out
    lens.distortion_model = "NUKE"  # whose coefficients are 0
    write_cameras(tmp_path / "cameras.json", first, [second], scene, start_frame=1, size_px=(640, 480))


def test_the_timeline_chooses_rows() -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    scene.facecap.start_frame = 11
    take = make_take(frames=20)
    scene.frame_start, scene.frame_end = 1, 14
    assert timeline_rows(scene, take) == (0, 3)
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 15, 400
    assert timeline_rows(scene, take) == (4, 19)
    scene.frame_preview_start, scene.frame_preview_end = 300, 400
    with pytest.raises(FacecapError, match="timeline"):
        timeline_rows(scene, take)


@needs_models
def test_refine_keys_the_refined_take(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    head = open_sample_head(tmp_path)
    settings = choose(CLIP, head)
    settings.use_trim, settings.trim_start, settings.trim_end = True, 60, 66
    assert not bpy.ops.facecap.refine.poll()
    assert bpy.ops.facecap.solve() == {"FINISHED"}
    solved = Path(bpy.path.abspath(settings.result.take))
    before = load_take(solved)
    settings.refine.use_timeline = True
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = settings.start_frame + 62, settings.start_frame + 64
    settings.refine.looks = 1
    assert bpy.ops.facecap.refine() == {"FINISHED"}
    refined = Path(bpy.path.abspath(settings.result.take))
    assert refined != solved and solved.is_file()
    after = load_take(refined)
    changed = (np.abs(after.weights - before.weights).max(1) > 1e-6).tolist()
    assert any(changed) and changed.count(True) <= 3
    action = head.data.shape_keys.animation_data.action
    assert action is not None
