"""What Blender itself shows of footage at a scene frame, and where it is put."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import bpy
import numpy as np
import pytest

from facecap_addon.blender.operators.viewport.show_footage import show
from facecap_addon.blender.scene.camera_setup import PLATE, add_plate
from facecap_addon.blender.scene.footage import load_clip, match_scene, set_backdrop
from facecap_addon.blender.scene.placing import box_of
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.jobs.steps.proxy import Shown, prepare_shown_footage
from tests.blender.faces import make_face
from tests.blender.test_footage_in_scene import write_video

SIZE = (64, 48)


def level(index: int) -> int:
    return 30 + index * 11 % 200


def grey(index: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), level(index), np.uint8), format="rgb24")


def write_phone(path: Path) -> Path:
    """Variable frame rate: a second at 30 frames a second, then a pause, then 12 a second."""
    stamps = [20 * i for i in range(30)] + [1200 + 50 * i for i in range(24)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 600)
        for i, stamp in enumerate(stamps):
            frame = grey(i)
            frame.pts, frame.time_base = stamp, Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_plate(path: Path) -> Path:
    """An MPEG program stream."""
    with av.open(str(path), "w", format="mpeg") as container:
        stream = container.add_stream("mpeg1video", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(75):
            frame = grey(i)
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Viewer:
    """Draws, frame by frame, what a clip or an image of Blender's shows; no 3D, so that it is quick."""

    def __init__(self, scene: bpy.types.Scene, folder: Path) -> None:
        self._scene, self._path = scene, folder / "seen.png"
        scene.render.resolution_x, scene.render.resolution_y = SIZE
        scene.render.resolution_percentage = 100
        scene.view_settings.view_transform = "Standard"
        scene.camera = bpy.data.objects.new("viewer", bpy.data.cameras.new("viewer"))
        scene.collection.objects.link(scene.camera)
        if hasattr(scene, "compositing_node_group"):
            self._tree = bpy.data.node_groups.new("viewer", "CompositorNodeTree")
            self._tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            scene.compositing_node_group = self._tree
            self._end = self._tree.nodes.new("NodeGroupOutput")
        else:
            scene.use_nodes = True
            self._tree = scene.node_tree
            self._tree.nodes.clear()
            self._end = self._tree.nodes.new("CompositorNodeComposite")

    def clip(self, clip: bpy.types.MovieClip) -> None:
        node = self._tree.nodes.new("CompositorNodeMovieClip")
        node.clip = clip
        self._tree.links.new(node.outputs["Image"], self._end.inputs[0])

    def image(self, image: bpy.types.Image, user: bpy.types.ImageUser) -> None:
        node = self._tree.nodes.new("CompositorNodeImage")
        node.image = image
        node.frame_start, node.frame_offset = user.frame_start, user.frame_offset
        node.frame_duration = user.frame_duration
        node.use_auto_refresh = True
        self._tree.links.new(node.outputs["Image"], self._end.inputs[0])

    def level_at(self, frame: int) -> float:
        self._scene.frame_set(frame)
        self._scene.render.filepath = str(self._path)
        self._scene.render.image_settings.file_format = "PNG"
        bpy.ops.render.render(write_still=True)
        return float(next(read_frames(open_footage(self._path))).image[8:-8, 8:-8].mean())


def finished(job: Generator[Any, None, Shown]) -> Path:
    while True:
        try:
            next(job)
        except StopIteration as stop:
            return stop.value.path


@pytest.mark.parametrize("make", [write_phone, write_plate], ids=["variable rate", "program stream"])
@pytest.mark.parametrize("scene_fps", [25, 30])
def test_plate_and_backdrop_show_the_picture_of_that_time(tmp_path: Path, make: object, scene_fps: int) -> None:
    footage = open_footage(make(tmp_path / ("a.mp4" if make is write_phone else "a.mpg")))  # type: ignore[operator]
    times = [frame.time_s for frame in read_frames(footage)]
    scene = bpy.context.scene
    start = 11
    match_scene(scene, Fraction(scene_fps), times[-1], start_frame=start)
    shown = finished(prepare_shown_footage(footage, tmp_path, Fraction(scene_fps)))
    clip = load_clip(shown, start_frame=start)
    plate = add_plate(scene, None, shown, footage.size_px, start)
    last = scene.frame_end
    wanted = (last, start, last - 9, start + 12, start + 40)  # jumps both ways
    viewer = Viewer(scene, tmp_path)
    for put in (lambda: viewer.clip(clip), lambda: viewer.image(plate.data, plate.image_user)):
        put()
        for frame in wanted:
            time_s = (frame - start) / scene_fps
            seen = max(i for i, stamp in enumerate(times) if stamp <= time_s + 0.5 / scene_fps + 1e-6)
            assert viewer.level_at(frame) == pytest.approx(level(seen), abs=4), (frame, seen)


def test_a_second_clip_takes_the_place_of_the_first(tmp_path: Path) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    for name in ("one.mp4", "two.mp4"):
        set_backdrop(camera, load_clip(write_video(tmp_path / name)))
    images = camera.data.background_images
    assert [Path(image.clip.filepath).name for image in images] == ["two.mp4"]


def test_footage_is_seen_before_a_solve(tmp_path: Path) -> None:
    video = write_video(tmp_path / "one.mp4")
    head = make_face()
    scene = bpy.context.scene
    scene.facecap.character = head
    assert bpy.ops.facecap.import_footage(filepath=str(video)) == {"FINISHED"}
    plate = scene.objects[PLATE]
    assert Path(bpy.path.abspath(plate.data.filepath)) == video
    assert plate.image_user.frame_start == scene.facecap.start_frame
    assert plate.image_user.frame_duration == 25
    bpy.context.view_layer.update()
    assert plate.matrix_world.translation.x < box_of([head])[0].x
    assert "FaceCap camera" not in scene.objects  # nobody knows yet where it stood
    assert bpy.ops.facecap.import_footage(filepath=str(write_video(tmp_path / "two.mp4"))) == {"FINISHED"}
    assert Path(plate.data.filepath).name == "two.mp4"


def test_footage_that_needs_a_copy_is_shown_by_its_button(tmp_path: Path) -> None:
    video = write_plate(tmp_path / "plate.mpg")
    scene = bpy.context.scene
    bpy.ops.facecap.import_footage(filepath=str(video))
    assert "75 frames" in scene.facecap.facts
    assert (scene.frame_start, scene.frame_end) == (1, 75)
    assert bpy.ops.facecap.show_footage() == {"FINISHED"}
    plate = scene.objects[PLATE]
    assert Path(plate.data.filepath).suffix == ".mp4"
    assert plate.image_user.frame_duration == 75


def test_an_image_sequence_has_a_rate_of_its_own(tmp_path: Path) -> None:
    from tests.unit.footage.test_sequence import write_pictures

    write_pictures(tmp_path, list(range(1, 13)))
    scene = bpy.context.scene
    settings = scene.facecap
    bpy.ops.facecap.import_footage(filepath=str(tmp_path / "shot_0003.png"))
    assert "24 fps" in settings.facts
    settings.solve.use_fps, settings.solve.fps = True, 12.0
    assert "12 fps" in settings.facts
    assert "1.0 s" in settings.facts
    bpy.ops.facecap.match_scene()
    assert (scene.render.fps, scene.frame_end) == (12, 12)
    settings.video = str(write_video(tmp_path / "a.mp4"))  # a video keeps its own
    assert "25 fps" in settings.facts


def test_match_scene_ends_a_preview_range() -> None:
    scene = bpy.context.scene
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 3, 5
    match_scene(scene, Fraction(25), 1.0)
    assert not scene.use_preview_range


def test_the_sample_head_lands_beside_what_is_there() -> None:
    bpy.ops.mesh.primitive_cube_add(size=2)
    boxes = [box_of([bpy.context.object])]
    for _ in range(3):
        bpy.ops.facecap.add_sample_head()
        bpy.context.view_layer.update()
        boxes.append(box_of([bpy.context.scene.facecap.character]))
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert any(high[axis] <= other_low[axis] or low[axis] >= other_high[axis] for axis in range(3))


def test_the_sample_head_has_eyes_in_a_solid_view() -> None:
    bpy.ops.facecap.add_sample_head()
    spaces = [area.spaces.active for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    assert all(space.shading.color_type != "MATERIAL" for space in spaces)
    assert bpy.context.scene.facecap.character.data.color_attributes


def test_show_uses_a_proxy_for_clip_and_plate(tmp_path: Path) -> None:
    video = write_video(tmp_path / "shown.mp4")
    scene = bpy.context.scene
    scene.facecap.video = str(tmp_path / "film.mpg")
    show(scene, video, (64, 48))
    assert scene.objects[PLATE].data.filepath == bpy.data.movieclips[0].filepath == str(video)


def test_a_blend_shows_the_copy_and_plays_the_sound_of_the_footage(tmp_path: Path) -> None:
    from facecap_addon.blender.headless.requests import dress
    from facecap_addon.blender.scene.footage import strips_of
    from tests.blender.takes import make_take
    from tests.blender.test_footage_in_scene import HAS_SOUND

    copy = write_video(tmp_path / "copy.mp4")
    original = write_video(tmp_path / "original.mov", beep_s=0.3)
    scene, head = bpy.context.scene, make_face()
    assert dress(scene, head, make_take(), copy, original, 1, 0.0) is HAS_SOUND
    assert scene.objects[PLATE].data.filepath == str(copy)
    assert scene.camera.data.background_images[0].clip.filepath == str(copy)
    if HAS_SOUND:
        assert Path(strips_of(scene.sequence_editor)[0].sound.filepath).name == "original.mov"
