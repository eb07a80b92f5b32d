"""Import footage, match the scene to it."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
from .base import FacecapOperator

_PATTERN = "*.mp4;*.mov;*.m4v;*.avi;*.mkv;*.webm;*.mpg;*.mpeg;*.mts;*.wmv;*.flv;*.png;*.jpg;*.jpeg;*.tif;*.tiff;*.exr"


def footage_path(context: bpy.types.Context) -> Path:
    """The scene's footage. Raises FacecapError if none was chosen or it is gone."""
    given = context.scene.facecap.video
    if not given:
        raise FacecapError("No footage was chosen.", "Import a video of a face first.")
    path = Path(bpy.path.abspath(given))
    if not path.exists() and "%" not in path.name:
        raise FacecapError(f"The footage {path} is not there.", "Choose it again.")
    return path


class FACECAP_OT_import_footage(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.import_footage"
    bl_label = "Import Footage"
    bl_description = "Choose a video or a picture of an image sequence, and match the scene's rate and range to it"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default=_PATTERN, options={"HIDDEN"})  # type: ignore[valid-type]
    match_scene: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Match Scene",
        description="Give the scene the footage's frame rate and length, and put its sound into the sequencer",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        footage = _opened(Path(bpy.path.abspath(self.filepath)), None)
        context.scene.facecap.video = self.filepath  # looks into it, too
        if self.match_scene:
            _match(context.scene, footage)
        for note in footage.notes:
            self.report({"INFO"}, note)
        return {"FINISHED"}


class FACECAP_OT_match_scene(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.match_scene"
    bl_label = "Match Scene"
    bl_description = "Give the scene the footage's frame rate and length, and put its sound into the sequencer in sync"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.facecap
        footage = _opened(footage_path(context), settings.solve.fps if settings.solve.use_fps else None)
        settings.facts = _facts(footage)
        _match(context.scene, footage)
        return {"FINISHED"}


def _opened(path: Path, fps: float | None):
    from ...footage.footage import open_footage

    return open_footage(path, fps=fps)


def look_into(settings: bpy.types.PropertyGroup) -> None:
    """Show what the scene's footage is, or what is wrong with it, and trim to all of it."""
    settings.use_trim = False
    settings.facts = ""
    if not settings.video:
        return
    try:
        footage = _opened(Path(bpy.path.abspath(settings.video)), None)
    except FacecapError as error:
        settings.facts = f"! {error.what} {error.way_out}"
        return
    except ImportError as error:
        settings.facts = f"! FaceCap's installation is incomplete ({error.name}). See its preferences."
        return
    settings.trim_start, settings.trim_end = 0, max(0, footage.frame_count - 1)
    settings.facts = _facts(footage)


def _facts(footage) -> str:
    width, height = footage.size_px
    sound = "sound" if footage.has_audio else "no sound"
    return (
        f"{width} × {height} · {float(footage.frame_rate):.4g} fps\n"
        f"{footage.frame_count} frames · {footage.duration_s:.1f} s · {sound}"
    )


def _match(scene: bpy.types.Scene, footage) -> None:
    from ..scene import footage as scene_footage

    start = scene.facecap.start_frame
    last_s = max(0.0, footage.duration_s - 1.0 / float(footage.frame_rate))
    clip = scene_footage.load_clip(footage.paths[0], start_frame=start)
    scene_footage.show_in_clip_editors(clip)
    if footage.has_audio:
        scene_footage.add_audio(scene, footage.paths[0], start_frame=start, offset_s=footage.audio_offset_s)
    scene_footage.match_scene(scene, footage.frame_rate, last_s, start_frame=start)


CLASSES = (FACECAP_OT_import_footage, FACECAP_OT_match_scene)
