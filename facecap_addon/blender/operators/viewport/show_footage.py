"""Footage beside the head, before and after a solve: the file, or a proxy where Blender would show it wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ....json_types import Decoded
from ... import session
from ...paths import job_folder
from ...present import scene_in, settings_of
from ...queue.conclude import push_undo
from ..base import OperatorReturn
from ..footage import footage_path, opened_footage
from ..job_operator import JobOperator

if TYPE_CHECKING:
    from ...properties.settings import FACECAP_PG_scene


class FACECAP_OT_show_footage(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.show_footage"
    bl_label = "Show Footage and Camera"
    bl_description = (
        "Show the playing footage beside the head and, after a solve, behind it in a camera placed like the real one; "
        "footage that Blender would show wrongly is copied first"
    )

    puts_on, use_label = "scene", "Show"

    def line_up(self, context: bpy.types.Context) -> OperatorReturn:
        if not show_if_ready(context):
            return super().line_up(context)
        push_undo(self.bl_label)
        return {"FINISHED"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        return {"FINISHED"} if show_if_ready(context) else super().run(context)

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        from ....jobs.steps.proxy import ProxySettings
        from ...scene.footage import scene_rate

        video = footage_path(context)
        footage = _as_solved(scene_in(context))
        settings = ProxySettings(
            video=video,
            out=job_folder(video),
            rate=scene_rate(scene_in(context)),
            fps=float(footage.frame_rate) if footage.kind == "sequence" else None,
            upside_down=footage.upside_down,
            mirror=footage.sides_exchanged,
        )
        return cls.describe(context, "proxy", settings, None, video.name)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        show(scene, Path(str(facts["path"])), opened_footage(scene).size_px)
        return session.Outcome(True, [str(facts["note"])])


def show_if_ready(context: bpy.types.Context) -> bool:
    """Show the scene's footage if no proxy has to be made first; whether that was so. Raises FacecapError."""
    from ....jobs.steps.proxy import find_shown_footage, rate_of
    from ...scene.footage import scene_rate

    scene = scene_in(context)
    video = footage_path(context)
    footage = _as_solved(scene)
    ready = find_shown_footage(footage, job_folder(video), rate_of(scene_rate(scene)))
    if ready is None:
        return False
    show(scene, ready.path, footage.size_px)
    return True


def show(scene: bpy.types.Scene, video: Path, size_px: tuple[int, int]) -> None:
    """Put a video that Blender shows rightly beside the head, into clip editors and behind the solve's camera."""
    from ...scene.camera_setup import add_camera, add_plate
    from ...scene.footage import load_clip, show_in_clip_editors

    settings = settings_of(scene)
    start = settings.start_frame
    take = _take_of_footage(settings)
    show_in_clip_editors(load_clip(video, start_frame=start))
    if take is not None and settings.character is not None:
        add_camera(scene, settings.character, take, video, start, set_render=False)
    add_plate(scene, settings.character, video, size_px, start, take=take)


def _as_solved(scene: bpy.types.Scene) -> Any:
    """The scene's footage as its take has it, turned over or mirrored; else as it is set. Raises FacecapError."""
    take = _take_of_footage(settings_of(scene))
    footage = opened_footage(scene)
    if take is None:
        return footage
    solved_with = take.provenance.get("settings")
    mirror = isinstance(solved_with, dict) and bool(solved_with.get("mirror", False))
    return replace(footage, upside_down=bool(take.provenance.get("upside_down", False)), sides_exchanged=mirror)


def _take_of_footage(settings: FACECAP_PG_scene) -> Any:
    """The scene's take if it was solved from the scene's footage, else None."""
    from ....takes.npz import load_take

    path = Path(bpy.path.abspath(settings.result.take)) if settings.result.take else None
    if path is None or not path.is_file():
        return None
    take = load_take(path)
    source, video = Path(str(take.provenance.get("source", ""))), Path(bpy.path.abspath(settings.video))
    same = source.samefile(video) if source.exists() and video.exists() else source.name == video.name
    return take if same else None


CLASSES = (FACECAP_OT_show_footage,)
