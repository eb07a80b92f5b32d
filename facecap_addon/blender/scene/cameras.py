"""Blender's cameras as pinholes, and several of them as the calibrated rig that a refinement takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...geometry.camera import PinholeCamera, camera_from_blender
from .footage import scene_rate
from .head.character import metres_per_unit
from .objects import camera_of

_CV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])
# What a clip's tracking settings call the coefficients of each of their models begins so.
_COEFFICIENTS = {"POLYNOMIAL": ("k",), "DIVISION": ("division_",), "NUKE": ("nuke_",), "BROWN": ("brown_",)}


def pinhole_of(camera: bpy.types.Object, scene: bpy.types.Scene, size_px: tuple[int, int]) -> PinholeCamera:
    """The pinhole that a perspective camera is for a picture of a given size: lens, sensor fit, shift and aspect.

    Raises FacecapError for an orthographic or panoramic camera.
    """
    data = camera_of(camera)
    if data.type != "PERSP":
        raise FacecapError(f"The camera “{camera.name}” is not a perspective one.", "Set its type to Perspective.")
    return camera_from_blender(
        lens_mm=data.lens,
        sensor_width_mm=data.sensor_width,
        sensor_height_mm=data.sensor_height,
        sensor_fit=data.sensor_fit,
        shift_x=data.shift_x,
        shift_y=data.shift_y,
        width_px=size_px[0],
        height_px=size_px[1],
        pixel_aspect_x=scene.render.pixel_aspect_x,
        pixel_aspect_y=scene.render.pixel_aspect_y,
    )


def camera_from_world(camera: bpy.types.Object) -> NDArray[np.float64]:
    """(4, 4) m: camera space (x right, y down, z forward) from the world, whatever the camera is scaled by."""
    place, turn, _ = camera.matrix_world.decompose()
    world = np.eye(4)
    world[:3, :3] = np.array(turn.to_matrix())
    world[:3, 3] = np.array(place) * metres_per_unit()
    return _CV_FROM_BLENDER @ np.linalg.inv(world)


def write_cameras(
    path: Path,
    first: bpy.types.Object,
    others: list[bpy.types.Object],
    scene: bpy.types.Scene,
    start_frame: int,
    size_px: tuple[int, int],
) -> None:
    """Write the cameras that filmed the same performance as the first one.

    Each has its movie clip as a background image; the clip's start frame says when it begins.

    Args:
        size_px: (width, height) of the first camera's picture, as it was solved.
    Raises:
        FacecapError: a camera has no clip, is not a perspective one, or its clip's lens distorts.
    """
    for camera in (first, *others):
        _refuse_distortion(camera)
    from_world = np.linalg.inv(camera_from_world(first))
    cameras = []
    for camera in others:
        clip = clip_of(camera)
        if clip is None:
            raise FacecapError(
                f"The camera “{camera.name}” has no movie clip.", "Give it its footage as a background image."
            )
        size = (int(clip.size[0]), int(clip.size[1]))
        pinhole = pinhole_of(camera, scene, size)
        cameras.append(
            {
                "video": str(Path(bpy.path.abspath(clip.filepath)).resolve()),
                "offset_s": (start_frame - clip.frame_start) / scene_rate(scene),
                "from_first": (camera_from_world(camera) @ from_world).tolist(),
                "size_px": list(size),
                **_lens_of(pinhole),
            }
        )
    facts = {"first": _lens_of(pinhole_of(first, scene, size_px)), "cameras": cameras}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _refuse_distortion(camera: bpy.types.Object) -> None:
    """Raise FacecapError where the clip behind a camera is tracked with a lens that distorts."""
    clip = clip_of(camera)
    lens = clip.tracking.camera if clip is not None and clip.tracking is not None else None
    if lens is None:
        return
    names = [p.identifier for p in lens.bl_rna.properties if p.type == "FLOAT" and re.search(r"[kp]\d$", p.identifier)]
    if any(getattr(lens, name) for name in names if name.startswith(_COEFFICIENTS[lens.distortion_model])):
        raise FacecapError(
            f"The clip of the camera “{camera.name}” has lens distortion, which refining knows nothing of.",
            "Undistort the footage first (the compositor's Movie Distortion node), and solve and refine with that.",
        )


def _lens_of(pinhole: PinholeCamera) -> dict[str, object]:
    """A camera's lens, as `jobs/steps/refine_cameras.py` reads it."""
    return {
        "focal_px": pinhole.focal_px,
        "center_px": list(pinhole.center_px),
        "pixel_aspect": pinhole.pixel_aspect,
    }


def clip_of(camera: bpy.types.Object) -> bpy.types.MovieClip | None:
    """The movie clip behind a camera, or None."""
    shown = [image.clip for image in camera_of(camera).background_images if image.source == "MOVIE_CLIP"]
    return next((clip for clip in shown if clip is not None), None)
