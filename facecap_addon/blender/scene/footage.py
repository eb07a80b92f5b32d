"""Footage in a scene: its rate and range, the clip as a backdrop, its sound in sync. Each can be repeated safely."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import bpy

from ...errors import FacecapError
from ..present import settings_of
from .editors import open_editors
from .objects import camera_of

if TYPE_CHECKING:
    from fractions import Fraction

AUDIO_NAME = "FaceCap audio"
_MAX_FRAME = 1_048_574


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames per second of a scene."""
    return scene.render.fps / scene.render.fps_base


def frame_of_time(scene: bpy.types.Scene, time_s: float) -> float:
    """The scene frame, fractional, at which a time of the footage plays."""
    return settings_of(scene).start_frame + time_s * scene_rate(scene)


def time_of_frame(scene: bpy.types.Scene, frame: float) -> float:
    """The time of the footage, s, that plays at a scene frame."""
    return (frame - settings_of(scene).start_frame) / scene_rate(scene)


def match_scene(scene: bpy.types.Scene, rate: Fraction, duration_s: float, *, start_frame: int = 1) -> None:
    """Give a scene the footage's frame rate and a range that spans it.

    Args:
        rate: frames per second; 30000/1001 becomes 30 over a base of 1.001, which Blender divides exactly.
        duration_s: time of the last frame, seconds from the footage's start.
        start_frame: scene frame at which the footage starts.
    """
    if not 0.1 <= rate <= 1000:
        raise FacecapError(f"The footage claims {float(rate):g} frames per second.", "Give its rate yourself.")
    whole = max(1, round(rate))
    scene.render.fps = whole
    scene.render.fps_base = float(whole / rate)
    last = start_frame + math.ceil(duration_s * float(rate) - 1e-3)
    scene.frame_start, scene.frame_end = start_frame, min(max(last, start_frame), _MAX_FRAME)
    scene.use_preview_range = False  # one that was set for something else would hide the footage
    scene.sync_mode = "FRAME_DROP" if scene.sequence_editor is None else "AUDIO_SYNC"


def load_clip(path: Path, *, start_frame: int = 1) -> bpy.types.MovieClip:
    """The footage as a movie clip that starts at a scene frame; a clip of the same file is used again."""
    try:
        clip = bpy.data.movieclips.load(str(path), check_existing=True)
    except RuntimeError as error:
        raise FacecapError(f"Blender cannot show {path.name} ({error}).", "Convert it to an MP4 video.") from error
    clip.frame_start = start_frame
    return clip


def set_backdrop(camera: bpy.types.Object, clip: bpy.types.MovieClip, *, covers: bool = False) -> None:
    """Show a clip behind everything in a camera's view, in place of any other clip there.

    Args:
        covers: let the picture reach over the camera's frame instead of lying within it.
    """
    data = camera_of(camera)
    data.show_background_images = True
    image, before = footage_images(camera)
    image = image or data.background_images.new()
    image.source, image.display_depth, image.alpha = "MOVIE_CLIP", "BACK", 1.0
    for one in (image, before):
        if one is not None:
            one.clip, one.frame_method = clip, "CROP" if covers else "FIT"


def footage_images(
    camera: bpy.types.Object,
) -> tuple[bpy.types.CameraBackgroundImage | None, bpy.types.CameraBackgroundImage | None]:
    """The footage behind everything in a camera's view, and before everything, each if it is there."""
    clips = [image for image in camera_of(camera).background_images if image.source == "MOVIE_CLIP"]
    behind = next((image for image in clips if image.display_depth == "BACK"), None)
    return behind, next((image for image in clips if image.display_depth == "FRONT"), None)


def show_in_clip_editors(clip: bpy.types.MovieClip) -> None:
    """Show a clip in every open clip editor."""
    for editor in open_editors(bpy.types.SpaceClipEditor):
        editor.clip = clip


def add_audio(
    scene: bpy.types.Scene, path: Path, *, start_frame: int = 1, offset_s: float = 0.0
) -> bpy.types.SoundStrip | None:
    """Put the footage's sound into the sequencer so that it is heard in sync; an earlier one of FaceCap is replaced.

    Args:
        path: video or audio file.
        start_frame: scene frame at which the footage starts.
        offset_s: how much later than the picture the sound starts, seconds.
    Returns:
        the strip, or None if the file has no sound.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = strips_of(editor)
    for strip in [s for s in strips if _is_sound(s) and s.get("facecap")]:
        sound = strip.sound
        strips.remove(strip)
        if sound is not None and sound.users == 0:
            bpy.data.sounds.remove(sound)
    exact = start_frame + offset_s * scene_rate(scene)
    first = math.floor(exact + 1e-6)
    sounds_before = set(bpy.data.sounds)
    try:
        strip = strips.new_sound(AUDIO_NAME, str(path), _free_channel(editor), first)
    except RuntimeError:
        return None
    if not _is_sound(strip) or not _has_sound(strip):
        strips.remove(strip)
        for sound in set(bpy.data.sounds) - sounds_before:
            if sound.users == 0:
                bpy.data.sounds.remove(sound)
        return None
    if hasattr(strip, "sound_offset"):
        strip.sound_offset = (exact - first) / scene_rate(scene)
    strip["facecap"] = True
    scene.sync_mode = "AUDIO_SYNC"
    return strip


def strips_of(editor: bpy.types.SequenceEditor):
    """The sequencer's strips, whatever this version of Blender calls them."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def _is_sound(strip: bpy.types.Strip) -> TypeGuard[bpy.types.SoundStrip]:
    return strip.type == "SOUND"  # before 4.5 these classes had other names


def _has_sound(strip: bpy.types.SoundStrip) -> bool:
    # Blender makes a silent strip of anything; only real sound has a rate.
    return strip.sound is not None and strip.sound.samplerate > 0


def _free_channel(editor: bpy.types.SequenceEditor) -> int:
    """The lowest channel that holds nothing yet."""
    used = {strip.channel for strip in strips_of(editor)}
    return next(channel for channel in range(1, 129) if channel not in used or channel == 128)
