"""The solved head over its footage: how solid it is, and a wipe between both. Nothing of the head is changed.

The footage stands behind everything in the camera's view. Standing once more before everything, partly transparent, it
shows through the head and changes nothing where footage is behind. The wipe clips the view by a plane through the
camera: geometry is clipped, footage is not.
"""

from __future__ import annotations

import bpy
from mathutils import Vector

from .camera_setup import picture_corners, solve_camera
from .footage import footage_images
from .objects import camera_of


def show_head_over_footage(scene: bpy.types.Scene, opacity: float, wipe: float) -> None:
    """Show the head over the footage in the solve's camera and in the views through it.

    Args:
        opacity: of the head, 0 to 1.  wipe: share of the picture's width, from its left, in which there is no head.
    """
    camera = solve_camera(scene)
    if camera is None:
        return
    _set_opacity(camera, opacity)
    plane = _wipe_plane(scene, camera, wipe)
    for screen in bpy.data.screens:
        for area in screen.areas:
            view = _view_through(area, scene, camera)
            if view is None:
                continue
            if wipe > 0.0:
                _begin_clipping(screen, area, view)
                view.clip_planes = (plane, plane, plane, plane, plane, plane)
            view.use_clip_planes = wipe > 0.0
            area.tag_redraw()


def _view_through(
    area: bpy.types.Area, scene: bpy.types.Scene, camera: bpy.types.Object
) -> bpy.types.RegionView3D | None:
    """The view of an area, if it is one through a camera."""
    space = area.spaces.active
    if not isinstance(space, bpy.types.SpaceView3D) or space.region_3d is None:
        return None
    seen = space.camera if space.use_local_camera else scene.camera
    return space.region_3d if space.region_3d.view_perspective == "CAMERA" and seen == camera else None


def _begin_clipping(screen: bpy.types.Screen, area: bpy.types.Area, view: bpy.types.RegionView3D) -> None:
    """Let Blender prepare a view for clipping, where it is drawn: planes alone clip nothing before that."""
    windows = () if bpy.context.window_manager is None else bpy.context.window_manager.windows
    window = next((one for one in windows if one.screen == screen), None)
    region = next((one for one in area.regions if one.type == "WINDOW"), None)
    if view.use_clip_planes or window is None or region is None or bpy.app.background:
        return
    with bpy.context.temp_override(window=window, screen=screen, area=area, region=region):
        bpy.ops.view3d.clip_border(xmin=0, xmax=region.width, ymin=0, ymax=region.height)


def _set_opacity(camera: bpy.types.Object, opacity: float) -> None:
    behind, before = footage_images(camera)
    if behind is None or behind.clip is None:
        return
    if opacity >= 1.0:
        if before is not None:
            camera_of(camera).background_images.remove(before)
        return
    if before is None:
        before = camera_of(camera).background_images.new()
        before.source, before.display_depth = "MOVIE_CLIP", "FRONT"
    before.clip, before.frame_method, before.alpha = behind.clip, behind.frame_method, 1.0 - opacity


def _wipe_plane(scene: bpy.types.Scene, camera: bpy.types.Object, wipe: float) -> tuple[float, float, float, float]:
    """(4,) plane through the camera; what lies to its right, seen from the camera, is on its positive side."""
    behind, _ = footage_images(camera)
    width, height = (1, 1) if behind is None or behind.clip is None else behind.clip.size
    left, right = picture_corners(scene, camera, (max(1, width), max(1, height)))[:2]
    at = left.lerp(right, wipe)
    rotation, place = camera.matrix_world.to_3x3().normalized(), camera.matrix_world.translation
    normal = rotation @ Vector((-at.z, 0.0, at.x)).normalized()
    return normal.x, normal.y, normal.z, -normal.dot(place)
