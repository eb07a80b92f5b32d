"""Footage in a scene: exact rate, range, backdrop and sound, however often it is done."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.footage import (
    add_audio,
    load_clip,
    match_scene,
    scene_rate,
    set_backdrop,
    strips_of,
)
from facecap_addon.errors import FacecapError

HAS_SOUND = bpy.app.build_options.audaspace
needs_sound = pytest.mark.skipif(not HAS_SOUND, reason="this bpy was built without sound")


def write_video(path: Path, *, frames: int = 25, rate: int = 25, beep_s: float | None = None) -> Path:
    """A small video; with `beep_s`, sound that starts with silence and becomes a tone at that time."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = None if beep_s is None else container.add_stream("aac", rate=48000, layout="mono")
        for index in range(frames):
            image = np.full((48, 64, 3), index * 9 % 255, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        if audio is not None and beep_s is not None:
            time_s = np.arange(int(48000 * frames / rate)) / 48000
            tone = np.where(time_s >= beep_s, 0.8 * np.sin(2 * np.pi * 440 * time_s), 0).astype(np.float32)
            for start in range(0, len(tone) - 1023, 1024):
                block = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = 48000, start, Fraction(1, 48000)
                container.mux(audio.encode(block))
            container.mux(audio.encode())
    return path


@pytest.mark.parametrize(
    "rate", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(2357, 100), Fraction(1, 2)]
)
def test_scene_rate_is_exact(rate: Fraction) -> None:
    scene = bpy.context.scene
    match_scene(scene, rate, 10.0, start_frame=50)
    assert scene_rate(scene) == pytest.approx(float(rate), rel=1e-6)
    assert scene.frame_start == 50
    assert scene.frame_end >= 50 + 10.0 * float(rate) - 1e-3


def test_range_ends_with_the_last_frame() -> None:
    scene = bpy.context.scene
    match_scene(scene, Fraction(25), 74 / 25, start_frame=1)  # 75 frames: the last one is at 74/25 s
    assert (scene.frame_start, scene.frame_end) == (1, 75)


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(1_000_000)])
def test_absurd_rates_are_refused(rate: Fraction) -> None:
    with pytest.raises(FacecapError, match="frames per second"):
        match_scene(bpy.context.scene, rate, 1.0)


def heard_from(scene: bpy.types.Scene, tmp_path: Path) -> float:
    """Seconds from the scene's start until the mixed-down sound is loud."""
    path = tmp_path / "mix.wav"
    bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", check_existing=False)
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        samples = np.concatenate([f.to_ndarray().reshape(-1, f.layout.nb_channels) for f in container.decode(audio=0)])
    loud = np.abs(samples[:, 0].astype(float)) > 0.2 * np.abs(samples).max()
    return float(np.argmax(loud)) / rate


@needs_sound
@pytest.mark.parametrize("offset_s", [0.0, 0.1, 0.139])
def test_sound_is_in_sync(tmp_path: Path, offset_s: float) -> None:
    video = write_video(tmp_path / "bëep.mov", frames=50, beep_s=1.0)
    scene = bpy.context.scene
    scene.frame_start = 31
    match_scene(scene, Fraction(25), 49 / 25, start_frame=31)
    strip = add_audio(scene, video, start_frame=31, offset_s=offset_s)
    assert strip is not None
    scene.frame_end += 20
    assert heard_from(scene, tmp_path) == pytest.approx(1.0 + offset_s, abs=0.012)


@needs_sound
def test_sound_is_there_once_and_others_stay(tmp_path: Path) -> None:
    video = write_video(tmp_path / "beep.mov", beep_s=0.5)
    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    mine = strips_of(editor).new_sound("mine", str(video), 1, 5)
    for _ in range(3):
        add_audio(scene, video, start_frame=1)
    names = sorted(strip.name for strip in strips_of(editor))
    assert len(names) == 2
    assert mine.channel == 1
    assert all(strip.channel == 2 for strip in strips_of(editor) if strip.name != "mine")


def test_silent_video_adds_no_strip(tmp_path: Path) -> None:
    video = write_video(tmp_path / "silent.mp4")
    scene = bpy.context.scene
    assert add_audio(scene, video) is None
    assert len(strips_of(scene.sequence_editor)) == 0


def test_backdrop_and_clip_are_made_once(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4")
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    for _ in range(3):
        set_backdrop(camera, load_clip(video, start_frame=11))
    assert len(bpy.data.movieclips) == 1
    assert bpy.data.movieclips[0].frame_start == 11
    assert len(camera.data.background_images) == 1
    assert camera.data.background_images[0].clip == bpy.data.movieclips[0]


def test_a_clip_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="cannot show"):
        load_clip(tmp_path / "nothing.mp4")
