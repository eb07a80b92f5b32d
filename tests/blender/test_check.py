"""Checking a take: its bad frames in the scene, the strips of the timeline, the head over the footage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from facecap_addon.blender.check import frames_of
from facecap_addon.blender.overlay.colors import confidence_color
from facecap_addon.blender.overlay.confidence_lane import cut_strips, lanes_of_take
from facecap_addon.blender.overlay.footage_landmarks import groups_of
from facecap_addon.blender.scene.camera_setup import add_camera, picture_corners
from facecap_addon.blender.scene.footage import footage_images
from facecap_addon.blender.scene.head_over_footage import show_head_over_footage
from facecap_addon.blender.scene.shown_take import row_at, shown_take
from facecap_addon.blender.takes import add_take, choose_take
from facecap_addon.landmarks.layout import BU_83, IBUG_68, MEDIAPIPE_478
from facecap_addon.takes.npz import save_take
from facecap_addon.takes.take import REGIONS, STATUS_MISSING, Take
from tests.blender.faces import make_face
from tests.blender.takes import make_take
from tests.blender.test_footage_in_scene import write_video


def calm(take: Take) -> Take:
    """Without the jumps of random weights."""
    return replace(take, weights=np.where(take.solved[:, None], 0.5, 0.0).astype(np.float32) * np.ones(5, np.float32))


def take_in_scene(folder: Path, take: Take, name: str = "a") -> Take:
    path = folder / f"{name}.take.npz"
    save_take(path, take)
    add_take(bpy.context.scene, path, take, "solved", choose=True)
    return take


def test_bad_frames_are_listed_in_scene_frames_and_gone_to(tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.render.fps = 50
    scene.facecap.start_frame = 11
    take = take_in_scene(tmp_path, calm(make_take(40, missing=(10, 11, 12, 30))))
    stretches = scene.facecap.check.stretches
    assert [one.text for one in stretches] == ["No face", "No face"]
    first = 11 + take.time_s[10] * 50, 11 + take.time_s[12] * 50
    assert frames_of(scene, stretches[0]) == (round(first[0]), round(first[1]))
    scene.frame_set(11)
    reached = []
    for _ in range(2):
        assert bpy.ops.facecap.go_to_bad_frame(forward=True) == {"FINISHED"}
        reached.append(scene.frame_current)
    assert reached == [frames_of(scene, one)[0] for one in stretches]
    assert bpy.ops.facecap.go_to_bad_frame(forward=True) == {"CANCELLED"}
    assert bpy.ops.facecap.go_to_bad_frame(forward=False) == {"FINISHED"}
    assert scene.frame_current == reached[0]
    scene.facecap.check.active = 1  # as by a click into the list
    assert scene.frame_current == reached[1]


def test_another_take_has_its_own_bad_frames(tmp_path: Path) -> None:
    check = bpy.context.scene.facecap.check
    take_in_scene(tmp_path, calm(make_take(40, missing=(3,))), "a")
    take_in_scene(tmp_path, calm(make_take(40)), "b")
    assert len(check.stretches) == 0
    choose_take(bpy.context.scene, 0)
    assert [one.text for one in check.stretches] == ["No face"]
    assert not bpy.ops.facecap.go_to_bad_frame.poll() or len(check.stretches)


def test_a_take_that_is_removed_takes_its_bad_frames_along(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    take_in_scene(tmp_path, calm(make_take(40, missing=(3,))), "a")
    take_in_scene(tmp_path, calm(make_take(40)), "b")
    assert bpy.ops.facecap.remove_take() == {"FINISHED"}
    assert [one.text for one in settings.check.stretches] == ["No face"]
    assert settings.check.take == settings.result.take
    assert bpy.ops.facecap.remove_take() == {"FINISHED"}
    assert not len(settings.check.stretches) and not settings.result.take


def test_the_shown_row_is_the_one_of_the_present_frame_at_any_rate(tmp_path: Path) -> None:
    scene = bpy.context.scene
    take = take_in_scene(tmp_path, make_take(40, rate=30.0))
    assert shown_take(scene).frame_count == 40
    for rate in (24, 25, 60):
        scene.render.fps = rate
        for row in (0, 7, 39):
            scene.frame_set(round(1 + float(take.time_s[row]) * rate))
            near = np.abs(take.time_s - (scene.frame_current - 1) / rate)
            assert row_at(scene, take) == near.argmin()
    scene.frame_set(500)
    assert row_at(scene, take) is None
    scene.frame_set(-50)
    assert row_at(scene, take) is None


def test_a_take_whose_file_is_gone_is_not_shown(tmp_path: Path) -> None:
    take_in_scene(tmp_path, make_take(5))
    (tmp_path / "a.take.npz").write_bytes(b"damaged")
    assert shown_take(bpy.context.scene) is None
    (tmp_path / "a.take.npz").unlink()
    assert shown_take(bpy.context.scene) is None


def test_strips_cover_every_region_and_frame_once() -> None:
    take = make_take(60, missing=(20, 21))
    confidence = take.confidence.copy()
    confidence[30:35, REGIONS.index("mouth")] = 0.3
    strips = cut_strips(lanes_of_take(replace(take, confidence=confidence)))
    for region in range(len(REGIONS)):
        x = strips.x_s[strips.lane == len(REGIONS) - 1 - region]
        assert x[0, 0] == take.time_s[0] and x[-1, 1] > take.time_s[-1]
        np.testing.assert_array_equal(x[1:, 0], x[:-1, 1])
    mouth = strips.lane == len(REGIONS) - 1 - REGIONS.index("mouth")
    steps = dict(zip(strips.x_s[mouth][:, 0].tolist(), strips.step[mouth].tolist(), strict=True))
    assert steps[float(take.time_s[20])] == -1
    assert steps[float(take.time_s[30])] < steps[float(take.time_s[0])]
    assert (strips.lane < len(REGIONS)).all()


def test_strips_of_many_frames_are_coarser_and_never_hide_the_worst() -> None:
    take = make_take(1000, missing=(500,))
    fine, coarse = cut_strips(lanes_of_take(take)), cut_strips(lanes_of_take(take), 8)
    assert len(coarse.step) <= len(fine.step)
    assert (coarse.step == -1).sum() == len(REGIONS)
    begin, count = fine.visible(float(take.time_s[495]), float(take.time_s[505]))
    seen = slice(begin, begin + count)
    assert (fine.step[seen] == -1).sum() == len(REGIONS)
    hidden = np.r_[0:begin, begin + count : len(fine.step)]
    assert ((fine.x_s[hidden, 1] <= take.time_s[495]) | (fine.x_s[hidden, 0] >= take.time_s[505])).all()


def test_colors_go_from_red_to_green() -> None:
    red, green = confidence_color(0.3), confidence_color(1.0)
    assert red[0] > red[1] and green[1] > green[0]


@pytest.mark.parametrize("layout", [MEDIAPIPE_478, IBUG_68, BU_83])
def test_every_region_has_landmarks_of_its_own(layout) -> None:
    groups = groups_of(layout, REGIONS)
    assert {REGIONS[number] for number, _, _ in groups} >= {"brows", "eyes", "nose", "mouth", "jaw"}
    for _, points, lines in groups:
        assert max(points) < layout.count
        assert all(one in points and other in points for one, other in lines)


@pytest.mark.parametrize("resolution", [(640, 480), (1920, 1080), (1080, 1920), (2048, 858)])
def test_head_and_footage_meet_whatever_the_scene_renders(tmp_path: Path, resolution: tuple[int, int]) -> None:
    """A point of the head lies at the place in the picture that the take's camera gives it."""
    scene, head = bpy.context.scene, make_face()
    scene.render.resolution_x, scene.render.resolution_y = resolution
    take = make_take(20)
    camera = add_camera(scene, head, take, write_video(tmp_path / "a.mp4"), 1, set_render=False)
    bpy.context.view_layer.update()
    point = Vector((0.03, -0.9, 0.04))
    for target in (head.matrix_world @ point, head.matrix_world @ Vector((0, 0, 0))):
        local = camera.matrix_world.normalized().inverted() @ target
        width, height = take.image_size
        expected = (
            width / 2 + take.focal_px * local.x / -local.z,
            height / 2 - take.focal_px * local.y / -local.z,
        )
        low, right, high = picture_corners(scene, camera, take.image_size)
        at = local * (low.z / local.z)
        found = (
            (at.x - low.x) / (right.x - low.x) * width,
            height - (at.y - low.y) / (high.y - low.y) * height,
        )
        assert found == pytest.approx(expected, abs=0.05)
    behind, _ = footage_images(camera)
    wide = resolution[0] / resolution[1] > take.image_size[0] / take.image_size[1]
    assert behind.frame_method == ("CROP" if wide else "FIT")


def test_the_head_is_seen_through_by_footage_before_it_and_nothing_else_changes(tmp_path: Path) -> None:
    scene, head = bpy.context.scene, make_face()
    camera = add_camera(scene, head, make_take(20), write_video(tmp_path / "a.mp4"), 1)
    check = scene.facecap.check
    check.head_opacity = 0.25
    behind, before = footage_images(camera)
    assert (behind.alpha, before.alpha, before.display_depth) == (1.0, 0.75, "FRONT")
    assert before.clip == behind.clip and before.frame_method == behind.frame_method
    check.head_opacity = 1.0
    assert len(camera.data.background_images) == 1
    assert tuple(head.color) == (1.0, 1.0, 1.0, 1.0)


def test_the_wipe_cuts_the_view_through_the_cameras_picture(tmp_path: Path) -> None:
    scene, head = bpy.context.scene, make_face()
    camera = add_camera(scene, head, make_take(20), write_video(tmp_path / "a.mp4"), 1)
    bpy.context.view_layer.update()
    spaces = [area.spaces.active for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    views = [space.region_3d for space in spaces]
    views[0].view_perspective = "CAMERA"
    show_head_over_footage(scene, 1.0, 0.25)
    assert views[0].use_clip_planes
    plane = np.array(views[0].clip_planes[0])
    low, right, _ = picture_corners(scene, camera, tuple(footage_images(camera)[0].clip.size))
    for share, sign in ((0.1, -1), (0.24, -1), (0.26, 1), (0.9, 1)):
        for far in (1.0, 7.0):
            world = camera.matrix_world.normalized() @ (low.lerp(right, share) * far)
            assert np.sign(plane @ (*world, 1.0)) == sign
    show_head_over_footage(scene, 1.0, 0.0)
    assert not views[0].use_clip_planes


def test_checking_needs_a_take_and_says_so() -> None:
    for name in ("check_view", "find_bad_frames", "go_to_bad_frame"):
        assert not getattr(bpy.ops.facecap, name).poll()


def test_find_bad_frames_lists_those_of_an_older_scene(tmp_path: Path) -> None:
    take_in_scene(tmp_path, calm(make_take(40, missing=(3,))))
    check = bpy.context.scene.facecap.check
    check.stretches.clear()
    check.take = ""
    assert bpy.ops.facecap.find_bad_frames() == {"FINISHED"}
    assert [one.text for one in check.stretches] == ["No face"]
    assert STATUS_MISSING == 0
