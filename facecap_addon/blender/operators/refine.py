"""Refine: deep energies on a finished solve, in the worker process, with the latest picture in the image editor."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...errors import FacecapError
from ...jobs.settings.refine import ENDING, LIVE_NAME, RefineSettings
from ...settings_schema import from_json
from .. import session
from ..present import scene_in, settings_in, settings_of, window_manager_in
from ..properties.derive import values_of
from ..takes import made_from, take_file
from .solve import TakeOperator

if TYPE_CHECKING:
    from ...takes.take import Take

LIVE_IMAGE = "FaceCap refinement"


class FACECAP_OT_refine(TakeOperator, bpy.types.Operator):
    bl_idname = "facecap.refine"
    bl_label = "Refine"
    bl_description = "Refine the take by comparing renders with the footage (slow; needs PyTorch)"

    needs_take, needs_torch = "Solve first", True
    kind = "refined"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """A refinement of the scene's take. Raises FacecapError."""
        asked = refine_settings(context)
        clip = Path(settings_in(context).result.clip).name
        return cls.describe(context, "refine", asked, settings_in(context).character, clip)

    @classmethod
    def watch(cls, job: session.Job) -> None:
        """Show the latest comparison (footage, render, both) in image editors that show nothing else."""
        stem = Path(str(job.settings["take"])).name.removesuffix(".take.npz").removesuffix(ENDING)
        path = Path(str(job.settings["folder"])) / f".{stem}.facecap" / LIVE_NAME
        show_picture(bpy.context, path, LIVE_IMAGE)


def refine_settings(context: bpy.types.Context) -> RefineSettings:
    """What a refinement of the scene's take is asked for. Raises FacecapError."""
    from ...takes.npz import load_take
    from ...takes.versions import home_of
    from ..scene.cameras import write_cameras

    scene = scene_in(context)
    settings = settings_of(scene)
    if settings.character is None:
        raise FacecapError("No character was chosen.", "Pick the mesh that was solved.")
    # Refined again, a solve is refined from its beginning.
    path = made_from(take_file(settings.result), ENDING, "refined")
    folder = home_of(path)
    take = load_take(path)
    chosen = settings.refine
    request = values_of(chosen, RefineSettings) | {"folder": folder, "take": path, "blend": False}
    if chosen.use_timeline:
        request["start"], request["end"] = timeline_rows(scene, take)
    others = (
        [o for o in chosen.camera_collection.objects if o.type == "CAMERA" and o != scene.camera]
        if chosen.camera_collection
        else []
    )
    if others:
        if scene.camera is None:
            raise FacecapError("The scene has no camera.", "Make the camera of the solved footage the scene's camera.")
        # Of its own: a job that waits must not be given the cameras of the one after it.
        request["cameras"] = folder / f"cameras.{secrets.token_hex(4)}.json"
        write_cameras(request["cameras"], scene.camera, others, scene, settings.start_frame, take.image_size)
    request = {name: str(value) if isinstance(value, Path) else value for name, value in request.items()}
    return from_json(RefineSettings, request)


def timeline_rows(scene: bpy.types.Scene, take: Take) -> tuple[int, int]:
    """First and last row of the take inside the scene's preview range, or its frame range. Raises FacecapError."""
    import numpy as np

    from ..scene.animation.bake import scene_frames

    first, last = scene.frame_start, scene.frame_end
    if scene.use_preview_range:
        first, last = scene.frame_preview_start, scene.frame_preview_end
    frames = scene_frames(take, scene, settings_of(scene).start_frame)
    inside = np.flatnonzero((frames >= first - 0.5) & (frames <= last + 0.5))
    if not len(inside):
        raise FacecapError("The timeline's range holds no frame of the solve.", "Set the range over the keys.")
    return int(inside[0]), int(inside[-1])


def show_picture(context: bpy.types.Context, path: Path, name: str) -> None:
    """Show a picture that changes on disk in image editors that show nothing else, or an earlier one of FaceCap's."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return
    image = bpy.data.images.get(name)
    if image is None:
        image = bpy.data.images.load(str(path))
        image.name = name
    elif image.get("facecap_changed") == str(changed):
        return
    else:
        image.filepath = str(path)
        image.reload()
    image["facecap_changed"] = str(changed)
    for window in window_manager_in(context).windows:
        for area in window.screen.areas:
            editor = area.spaces.active
            if isinstance(editor, bpy.types.SpaceImageEditor) and _is_free(editor.image):
                editor.image = image
                area.tag_redraw()


def _is_free(shown: bpy.types.Image | None) -> bool:
    return shown is None or shown.name.startswith("FaceCap ")


CLASSES = (FACECAP_OT_refine,)
