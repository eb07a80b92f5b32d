"""Frames are put right in the scene, kept in the file, and reached exactly by what is solved anew around them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.corrections import corrections_in, is_of_footage, landmarks_at, put_correction
from facecap_addon.blender.edits import put_stack
from facecap_addon.blender.operators.solve import solve_settings
from facecap_addon.blender.overlay.picture_in_view import PictureInView
from facecap_addon.blender.scene.animation.curves import curves_of
from facecap_addon.blender.scene.animation.nla import push_down
from facecap_addon.blender.scene.camera_setup import picture_corners
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.takes.actor import load_actor
from facecap_addon.takes.corrections import MOST_REACH_S, REACH_S, Correction, corrections_of, seen_and_wanted
from facecap_addon.takes.edits.kinds import Gain, Offset
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import Take
from tests.blender.face_video import write_face_video
from tests.blender.faces import make_face
from tests.blender.takes import make_take
from tests.blender.test_operators import choose, needs_models, open_sample_head
from tests.unit.takes.test_actor import some_actor

RATE = 25


def baked(tmp_path: Path) -> tuple[bpy.types.Object, Take]:
    """A face with a baked take whose landmarks stand in a grid, at the scene's rate."""
    obj = make_face()
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = RATE, 1.0
    grid = np.stack(np.meshgrid(np.arange(24.0), np.arange(20.0)), -1).reshape(-1, 2)[:478] * 10 + 100
    take = make_take()
    still = np.tile(grid, (40, 1, 1)).astype(np.float32)
    take = replace(take, time_s=np.arange(40) / RATE, landmarks_px=still)
    save_take(tmp_path / "a.take.npz", take)
    settings = choose(tmp_path / "none.mp4", obj)
    settings.result.take = str(tmp_path / "a.take.npz")
    settings.bake.head = "none"
    bpy.ops.facecap.bake()
    return obj, take


def test_a_dragged_landmark_is_kept_with_its_neighbours_and_dragged_further(tmp_path: Path) -> None:
    _, take = baked(tmp_path)
    scene = bpy.context.scene
    assert bpy.ops.facecap.move_landmarks(frame=11, grip="point", landmark=61, offset=(4.0, -3.0)) == {"FINISHED"}
    (correction,) = corrections_in(scene)
    assert correction.time_s == pytest.approx(take.time_s[10], abs=1e-5) and correction.scheme == "mediapipe-478"
    of = dict(zip(correction.landmarks.tolist(), correction.offsets_px.tolist(), strict=True))
    assert of[61] == [4.0, -3.0]
    assert 60 in of and 0 < of[60][0] < 4.0 and 61 + 6 not in of
    bpy.ops.facecap.move_landmarks(frame=11, grip="point", landmark=61, offset=(1.0, 0.0))
    (correction,) = corrections_in(scene)
    np.testing.assert_allclose(landmarks_at(scene, take, 10)[61] - take.landmarks_px[10, 61], [5.0, -3.0])
    np.testing.assert_array_equal(landmarks_at(scene, take, 11), take.landmarks_px[11])
    scene.facecap.corrections.frames[0].muted = True
    np.testing.assert_array_equal(landmarks_at(scene, take, 10), take.landmarks_px[10])
    with pytest.raises(RuntimeError, match="does not play"):
        bpy.ops.facecap.move_landmarks(frame=400, grip="point", landmark=61, offset=(4.0, -3.0))
    with pytest.raises(RuntimeError, match="nothing to drag"):
        bpy.ops.facecap.move_landmarks(frame=11, grip="brow", landmark=61, offset=(4.0, -3.0))


def test_groups_are_dragged_together(tmp_path: Path) -> None:
    baked(tmp_path)
    bpy.context.scene.facecap.corrections.radius = 0
    bpy.ops.facecap.move_landmarks(frame=3, grip="brow", landmark=105, offset=(0.0, -6.0))
    (correction,) = corrections_in(bpy.context.scene)
    assert sorted(correction.landmarks.tolist()) == sorted(MEDIAPIPE_478.brow_right)
    np.testing.assert_allclose(correction.offsets_px, np.tile([0.0, -6.0], (10, 1)))


def test_a_pose_is_what_was_set_where_it_differs_from_the_keys(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    settings = bpy.context.scene.facecap
    bpy.context.scene.frame_set(8)
    with pytest.raises(RuntimeError, match="No shape key differs"):
        bpy.ops.facecap.keep_pose()
    obj.data.shape_keys.key_blocks["jawOpen"].value = 0.125
    assert bpy.ops.facecap.keep_pose() == {"FINISHED"}
    (correction,) = corrections_in(bpy.context.scene)
    assert correction.pose == {"jawOpen": pytest.approx(0.125)}
    assert correction.time_s == pytest.approx(take.time_s[7], abs=1e-5)
    bpy.context.scene.frame_set(8)  # the next pose of that frame joins it
    obj.data.shape_keys.key_blocks["browInnerUp"].value = 0.75
    bpy.ops.facecap.keep_pose()
    (correction,) = corrections_in(bpy.context.scene)
    assert correction.pose == {"jawOpen": pytest.approx(0.125), "browInnerUp": pytest.approx(0.75)}
    settings.bake.gain = 0.5
    bpy.ops.facecap.bake()
    bpy.context.scene.frame_set(20)
    obj.data.shape_keys.key_blocks["jawOpen"].value = 0.4  # on a head with half the gain: the take has twice that
    bpy.ops.facecap.keep_pose()
    assert corrections_in(bpy.context.scene)[1].pose["jawOpen"] == pytest.approx(0.8)


def test_a_take_in_a_strip_is_no_pose_that_was_set(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    keys = obj.data.shape_keys
    assert push_down(keys, "take") is not None
    bpy.context.scene.frame_set(8)
    with pytest.raises(RuntimeError, match="No shape key differs"):
        bpy.ops.facecap.keep_pose()


def test_a_pose_below_a_stack_of_edits_is_what_they_turn_into_what_was_set(tmp_path: Path) -> None:
    obj, _ = baked(tmp_path)
    put_stack(bpy.context.scene, [Gain(factor=1.5), Offset(amount=0.03)])
    bpy.ops.facecap.bake()
    bpy.context.scene.frame_set(8)
    with pytest.raises(RuntimeError, match="No shape key differs"):
        bpy.ops.facecap.keep_pose()
    obj.data.shape_keys.key_blocks["jawOpen"].value = 0.63
    assert bpy.ops.facecap.keep_pose() == {"FINISHED"}
    (correction,) = corrections_in(bpy.context.scene)
    assert correction.pose == {"jawOpen": pytest.approx(0.4, abs=2e-3)}


def test_the_list_is_in_order_saved_with_the_file_and_undone(tmp_path: Path) -> None:
    baked(tmp_path)
    scene = bpy.context.scene
    bpy.ops.facecap.move_landmarks(frame=30, grip="point", landmark=61, offset=(4.0, 0.0))
    bpy.ops.facecap.move_landmarks(frame=10, grip="point", landmark=62, offset=(2.0, 0.0))
    listed = scene.facecap.corrections
    assert [round(one.time_s * RATE) for one in listed.frames] == [9, 29] and listed.active == 0
    scene.frame_set(20)
    bpy.ops.facecap.copy_correction()
    assert [round(one.time_s * RATE) for one in listed.frames] == [9, 19, 29] and listed.active == 1
    scene.frame_set(1)
    bpy.ops.facecap.go_to_correction()
    assert scene.frame_current == 20
    bpy.ops.ed.undo_push(message="three")
    bpy.ops.facecap.delete_correction()
    bpy.ops.ed.undo_push(message="two")
    assert len(corrections_in(bpy.context.scene)) == 2
    bpy.ops.ed.undo()
    assert len(corrections_in(bpy.context.scene)) == 3
    bpy.context.scene.facecap.corrections.frames[0].muted = True
    before = corrections_in(bpy.context.scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    after = corrections_in(bpy.context.scene)
    assert [one.time_s for one in after] == [one.time_s for one in before] and after[0].muted
    np.testing.assert_array_equal(after[1].offsets_px, before[1].offsets_px)


def test_corrected_poses_teach_the_actor_and_her_former_file_stays(tmp_path: Path) -> None:
    obj, take = baked(tmp_path)
    save_take(tmp_path / "a.take.npz", replace(take, actor=some_actor()))
    settings = bpy.context.scene.facecap
    for frame in (5, 15, 25):
        bpy.context.scene.frame_set(frame)
        seen = float(take.weights[frame - 1, 0])
        obj.data.shape_keys.key_blocks["jawOpen"].value = min(1.0, 1.5 * seen) if seen > 0.1 else 0.5
        bpy.ops.facecap.keep_pose()
    pairs = seen_and_wanted(corrections_in(bpy.context.scene))["jawOpen"]
    assert [pair[0] for pair in pairs] == pytest.approx(take.weights[[4, 14, 24], 0].tolist(), abs=1e-4)
    assert bpy.ops.facecap.teach_actor() == {"FINISHED"}
    first = Path(bpy.path.abspath(settings.solve.actor_file))
    assert load_actor(first).gains["jawOpen"].gain > 1.0
    assert bpy.ops.facecap.teach_actor() == {"FINISHED"}
    second = Path(bpy.path.abspath(settings.solve.actor_file))
    assert second != first and first.is_file() and second.name.endswith(".actor.json")
    with pytest.raises(RuntimeError, match="Re-Solve Range"):
        bpy.ops.facecap.send_to_set()


def test_limits_are_those_of_corrections() -> None:
    reach = bpy.context.scene.facecap.corrections.bl_rna.properties["reach_s"]
    assert (reach.default, reach.hard_max) == (pytest.approx(REACH_S), pytest.approx(MOST_REACH_S))


def test_corrections_belong_to_their_footage(tmp_path: Path) -> None:
    _, take = baked(tmp_path)
    scene = bpy.context.scene
    bpy.ops.facecap.move_landmarks(frame=11, grip="point", landmark=61, offset=(4.0, -3.0))
    scene.facecap.video = str(tmp_path / "other.mp4")
    assert corrections_in(scene) == [] and len(scene.facecap.corrections.frames) == 1
    np.testing.assert_array_equal(landmarks_at(scene, take, 10), take.landmarks_px[10])
    scene.facecap.video = str(tmp_path / "moved" / "none.mp4")
    assert len(corrections_in(scene)) == 1


def test_a_clip_of_the_same_name_in_another_folder_is_another_clip(tmp_path: Path) -> None:
    baked(tmp_path)
    scene = bpy.context.scene
    clips = [tmp_path / folder / "C0001.mp4" for folder in ("A", "B")]
    for clip in clips:
        clip.parent.mkdir()
        clip.touch()
    scene.facecap.video = str(clips[0])
    bpy.ops.facecap.move_landmarks(frame=11, grip="point", landmark=61, offset=(4.0, -3.0))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene.facecap.video = str(clips[1])
    assert corrections_in(scene) == []
    bpy.ops.facecap.move_landmarks(frame=11, grip="point", landmark=61, offset=(1.0, 2.0))
    (correction,) = corrections_in(scene)
    assert correction.offsets_px[correction.landmarks.tolist().index(61)].tolist() == [1.0, 2.0]
    assert {entry.clip_path for entry in scene.facecap.corrections.frames} == {str(clips[0]), "//B/C0001.mp4"}
    scene.facecap.video = "//A/../A/C0001.mp4"
    (correction,) = corrections_in(scene)
    assert correction.offsets_px[correction.landmarks.tolist().index(61)].tolist() == [4.0, -3.0]
    scene.facecap.solve.mirror = True  # what was dragged lies on the other side then
    assert corrections_in(scene) == []
    scene.facecap.solve.mirror = False
    scene.facecap.corrections.frames[0].clip_path = ""  # as earlier versions had it: known by name alone
    scene.facecap.corrections.frames[1].clip_path = ""
    assert len(corrections_in(scene)) == 2


def test_without_a_take_buttons_say_what_is_missing() -> None:
    for name in ("keep_pose", "move_landmarks", "solve_range", "correct_landmarks"):
        with pytest.raises(RuntimeError):
            getattr(bpy.ops.facecap, name)()
    with pytest.raises(RuntimeError, match="no correction yet"):
        bpy.ops.facecap.delete_correction()


def test_places_in_a_view_and_in_the_picture_are_the_same() -> None:
    view = PictureInView(np.array([100.0, 700.0]), np.array([1.5, 0.0]), np.array([0.0, -1.5]))
    points = np.array([[0.0, 0.0], [40.0, 20.0]])
    np.testing.assert_allclose(view.to_region(points), [[100, 700], [160, 670]])
    np.testing.assert_allclose(view.to_picture((160.0, 670.0)), [40, 20])


def test_the_picture_fills_the_cameras_frame() -> None:
    camera = bpy.data.objects.new("FaceCap camera", bpy.data.cameras.new("FaceCap camera"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = 640, 480
    lower_left, lower_right, upper_left = picture_corners(bpy.context.scene, camera, (640, 480))
    frame = camera.data.view_frame(scene=bpy.context.scene)
    assert lower_right.x - lower_left.x == pytest.approx(max(v.x for v in frame) - min(v.x for v in frame))
    assert upper_left.y - lower_left.y == pytest.approx(max(v.y for v in frame) - min(v.y for v in frame))


@needs_models
def test_what_is_near_is_solved_anew_and_no_other_key_is_touched(tmp_path: Path) -> None:
    video = write_face_video(tmp_path / "face.mp4", frames=40)
    obj = open_sample_head(tmp_path)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = RATE, 1.0
    settings = choose(video, obj)
    settings.corrections.reach_s = 0.08
    assert bpy.ops.facecap.solve() == {"FINISHED"}
    whole = load_take(Path(bpy.path.abspath(settings.result.take)))
    jaw = next(c for c in curves_of(obj.data.shape_keys) if c.data_path == 'key_blocks["jawOpen"].value')
    planted = jaw.keyframe_points.insert(33.5, 0.77)
    planted.interpolation = "BEZIER"
    scene.frame_set(11)
    obj.data.shape_keys.key_blocks["jawOpen"].value = 0.9
    assert bpy.ops.facecap.keep_pose() == {"FINISHED"}
    assert bpy.ops.facecap.solve_range() == {"FINISHED"}
    assert "all others kept" in session.outcome.lines[0]
    take = load_take(Path(bpy.path.abspath(settings.result.take)))
    assert len(settings.takes) == 2 and len(corrections_of(take)) == 1
    np.testing.assert_array_equal(take.weights[18:], whole.weights[18:])
    scene.frame_set(11)
    assert obj.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.9, abs=0.02)
    jaw = next(c for c in curves_of(obj.data.shape_keys) if c.data_path == 'key_blocks["jawOpen"].value')
    kept = next(point for point in jaw.keyframe_points if abs(point.co.x - 33.5) < 1e-3)
    assert kept.co.y == pytest.approx(0.77) and kept.interpolation == "BEZIER"
    assert len(jaw.keyframe_points) == 41
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.facecap.solve_range()
    # A new solve of the whole clip has them from the start; a deleted one is taken back.
    assert solve_settings(bpy.context).corrections is not None and not solve_settings(bpy.context).merge
    bpy.ops.facecap.delete_correction()
    assert solve_settings(bpy.context).corrections is None
    assert bpy.ops.facecap.solve_range() == {"FINISHED"}
    back = load_take(Path(bpy.path.abspath(settings.result.take)))
    assert np.abs(back.weights - whole.weights).max() < 0.1 and not corrections_of(back)


def test_a_clip_whose_place_is_gone_is_known_again_by_its_content(tmp_path: Path) -> None:
    scene = bpy.context.scene
    clips = [tmp_path / name / "C0001.mp4" for name in ("A", "moved", "B")]
    for clip, content in zip(clips, (b"take one" * 9, b"take one" * 9, b"take two" * 9), strict=True):
        clip.parent.mkdir()
        clip.write_bytes(content)
    scene.facecap.video = str(clips[0])
    entry = put_correction(scene, Correction(0.4, pose={"jawOpen": 0.5}))
    clips[0].unlink()
    for clip, is_the_same in ((clips[1], True), (clips[2], False)):
        scene.facecap.video = str(clip)
        assert is_of_footage(scene, entry) is is_the_same
    entry.clip_content = ""  # as earlier versions had it
    assert is_of_footage(scene, entry)
