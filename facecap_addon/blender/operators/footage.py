"""Import footage, match the scene to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...errors import FacecapError
from ..present import scene_in, scene_with, settings_in, settings_of, window_manager_in
from ..properties.declare import BoolProperty, StringProperty, with_properties
from ..translations import phrase
from .base import FacecapOperator, OperatorReturn

if TYPE_CHECKING:
    from ..properties.settings import FACECAP_PG_scene

_PATTERN = "*.mp4;*.mov;*.m4v;*.avi;*.mkv;*.webm;*.mpg;*.mpeg;*.mts;*.wmv;*.flv;*.png;*.jpg;*.jpeg;*.tif;*.tiff;*.exr"

_COPIED_AT_ONCE_S = 60.0


def footage_path(context: bpy.types.Context) -> Path:
    """The scene's footage. Raises FacecapError if none was chosen or it is gone."""
    given = settings_in(context).video
    if not given:
        raise FacecapError("No footage was chosen.", "Import a video of a face first.")
    path = Path(bpy.path.abspath(given))
    if not path.exists() and "%" not in path.name:
        raise FacecapError(f"The footage {path} is not there.", "Choose it again.")
    return path


@with_properties()
class FACECAP_OT_import_footage(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.import_footage"
    bl_label = "Import Footage"
    bl_description = (
        "Choose a video, or one picture of an image sequence, and match the scene's frame rate and range to it"
    )
    bl_options = {"REGISTER", "UNDO"}

    filepath: str = StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: str = StringProperty(default=_PATTERN, options={"HIDDEN"})
    match_scene: bool = BoolProperty(
        name="Match Scene",
        description="Give the scene the footage's frame rate and length, and add its sound to the sequencer",
        default=True,
    )
    show_beside: bool = BoolProperty(
        name="Show Footage",
        description="Show the playing footage beside the head",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        footage = opened_footage(scene_in(context), self.filepath)
        settings_in(context).video = self.filepath  # looks into it, too
        if self.match_scene:
            _match(scene_in(context), footage)
        for note in footage.notes:
            self.report({"INFO"}, note)
        if self.show_beside:
            _show(self, context, footage)
        return {"FINISHED"}


class FACECAP_OT_match_scene(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.match_scene"
    bl_label = "Match Scene"
    bl_description = "Give the scene the footage's frame rate and length, and add its sound to the sequencer in sync"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        settings = settings_in(context)
        footage_path(context)
        footage = opened_footage(scene_in(context))
        _describe(settings, footage)
        _match(scene_in(context), footage)
        from ..scene.camera_setup import PLATE

        if scene_in(context).objects.get(PLATE) is not None:
            _show(self, context, footage)
        return {"FINISHED"}


def opened_footage(scene: bpy.types.Scene, video: str = ""):
    """The scene's footage or another, an image sequence at the rate that was given. Raises FacecapError."""
    from ...footage.footage import open_footage

    settings = settings_of(scene)
    mirror = settings.solve.mirror and video in ("", settings.video)
    video = video or settings.video
    return open_footage(Path(bpy.path.abspath(video)), fps=sequence_rate(settings, video), mirror=mirror)


def is_sequence(video: str) -> bool:
    """Whether a path, perhaps relative to the .blend, names an image sequence, which has no rate of its own."""
    from ...footage.sequence import is_sequence_path

    path = Path(bpy.path.abspath(video))
    return bool(video) and (is_sequence_path(path) or "%" in path.name)


def sequence_rate(settings: FACECAP_PG_scene, video: str = "") -> float | None:
    """The frame rate given for an image sequence; None if none was given, or the footage is a video."""
    return settings.solve.fps if settings.solve.use_fps and is_sequence(video or settings.video) else None


def refresh_facts(settings: FACECAP_PG_scene) -> None:
    """Show the footage's facts anew, after its rate was changed."""
    if is_sequence(settings.video) and not settings.facts.startswith("! "):
        _describe(settings, opened_footage(scene_with(settings)))


def _show(operator: FacecapOperator, context: bpy.types.Context, footage) -> None:
    """Show the footage beside the head, now or once a proxy is made; what goes wrong does not undo the rest."""
    from .. import session
    from .viewport.show_footage import show_if_ready

    try:
        if show_if_ready(context):
            return
    except FacecapError as error:
        operator.report({"WARNING"}, f"{error.what} {error.way_out}")
        return
    # Solving waits for a copy, so a long one is made only when it is asked for.
    if bpy.app.background or session.job is not None or footage.duration_s > _COPIED_AT_ONCE_S:
        operator.report({"INFO"}, "Show Footage and Camera shows it: Blender needs a copy that it can play")
    else:
        bpy.ops.facecap.show_footage("INVOKE_DEFAULT")  # pyright: ignore[reportAttributeAccessIssue]  its own operator


def look_into(settings: FACECAP_PG_scene) -> None:
    """Show what the scene's footage is, or what is wrong with it, and trim to all of it."""
    settings.use_trim = False
    settings.solve.mirror, settings.sides_picture = False, ""
    settings.facts = ""
    settings.footage_fps = 0.0
    if not settings.video:
        return
    try:
        footage = opened_footage(scene_with(settings))
    except FacecapError as error:
        settings.facts = f"! {error.what} {error.way_out}"
        return
    except ImportError as error:
        said = phrase("FaceCap's installation is incomplete ({name}). See its preferences", name=error.name)
        settings.facts = f"! {said}"
        return
    settings.trim_start, settings.trim_end = 0, max(0, footage.frame_count - 1)
    _describe(settings, footage)


def _describe(settings: FACECAP_PG_scene, footage) -> None:
    """Keep what the footage is."""
    settings.facts, settings.footage_fps = _facts(footage), float(footage.frame_rate)


def _facts(footage) -> str:
    width, height = footage.size_px
    sound = phrase("sound") if footage.has_audio else phrase("no sound")
    rate = phrase("{rate:.4g} fps", rate=float(footage.frame_rate))
    frames = phrase("{count} frames", count=footage.frame_count)
    return f"{width} × {height} · {rate}\n{frames} · {footage.duration_s:.1f} s · {sound}"


def _match(scene: bpy.types.Scene, footage) -> None:
    from ..scene import footage as scene_footage

    start = settings_of(scene).start_frame
    last_s = max(0.0, footage.duration_s - 1.0 / float(footage.frame_rate))
    if footage.has_audio:
        scene_footage.add_audio(scene, footage.paths[0], start_frame=start, offset_s=footage.audio_offset_s)
    scene_footage.match_scene(scene, footage.frame_rate, last_s, start_frame=start)


class FACECAP_OT_use_current_frame(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.use_current_frame"
    bl_label = "Use Current Frame"
    bl_description = "Measure everything from the face of the present frame: choose one where it is relaxed"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).video:
            cls.poll_message_set("No footage was chosen: import a video of a face first")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        solve = settings_in(context).solve
        solve.use_neutral_frame = True
        solve.neutral_scene_frame = scene_in(context).frame_current
        return {"FINISHED"}


CLASSES = (FACECAP_OT_import_footage, FACECAP_OT_match_scene, FACECAP_OT_use_current_frame)
