"""A workspace for checking a take: footage, head over footage, curves, and the timeline with its confidence strips.

It is made once per file, from a copy of the workspace that is open; what the user arranged otherwise stays as it is.
"""

from __future__ import annotations

import contextlib
import math
from typing import Literal

import bpy

from ..present import settings_of, system_preferences
from .camera_setup import solve_camera
from .editors import redraw_editors
from .footage import footage_images
from .head_over_footage import show_head_over_footage

NAME = "FaceCap"
BEFORE = "facecap_workspace_before"
_TIMELINE_SHARE, _CURVES_SHARE, _FOOTAGE_SHARE = 0.16, 0.3, 0.42
_FILLED = 0.96
_SIDEBAR_PX = 240


def is_open(window: bpy.types.Window) -> bool:
    """Whether a window shows the workspace."""
    return window.workspace.name == NAME


def find_workspace() -> bpy.types.WorkSpace | None:
    """The file's workspace for checking, if it has one."""
    return bpy.data.workspaces.get(NAME)


def go_back(window: bpy.types.Window) -> bool:
    """Show the workspace that was open before; False where there is none any more."""
    before = bpy.data.workspaces.get(str(window.workspace.get(BEFORE, "")))
    others = [one for one in bpy.data.workspaces if one != window.workspace]
    target = before or (others[0] if others else None)
    if target is None:
        return False
    window.workspace = target
    return True


def arrange(window: bpy.types.Window, scene: bpy.types.Scene) -> None:
    """Split a screen that was made into one editor into the four of this workspace.

    Raises RuntimeError where Blender does not let an area be split, as without a window.
    """
    screen = window.screen
    while len(screen.areas) > 1:
        smallest = min(screen.areas, key=lambda area: area.width * area.height)
        count = len(screen.areas)
        with bpy.context.temp_override(window=window, screen=screen, area=smallest):
            bpy.ops.screen.area_close()
        if len(screen.areas) == count:
            raise RuntimeError("an area could not be closed")
    top = screen.areas[0]
    top.type = "VIEW_3D"  # every editor can be made of it
    timeline = _split(window, top, "HORIZONTAL", _TIMELINE_SHARE)
    curves = _split(window, top, "HORIZONTAL", _CURVES_SHARE)
    footage = _split(window, top, "VERTICAL", _FOOTAGE_SHARE)
    timeline.ui_type, curves.ui_type, footage.ui_type = "TIMELINE", "FCURVES", "CLIP_EDITOR"


def show_footage_and_head(window: bpy.types.Window, scene: bpy.types.Scene) -> None:
    """Set the workspace's editors to the scene's footage and to the solve's camera."""
    camera = solve_camera(scene)
    behind = None if camera is None else footage_images(camera)[0]
    clip = behind.clip if behind is not None else next(iter(bpy.data.movieclips), None)
    for area in window.screen.areas:
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceClipEditor):
            if clip is not None:
                space.clip = clip
            space.mode, space.view = "TRACKING", "CLIP"
            space.show_region_toolbar = space.show_region_ui = False
        elif isinstance(space, bpy.types.SpaceView3D) and camera is not None:
            space.use_local_camera, space.camera = True, camera
            if space.region_3d is not None:
                space.region_3d.view_perspective = "CAMERA"
                size = (1, 1) if clip is None or min(clip.size) < 1 else (clip.size[0], clip.size[1])
                _fit_picture(area, space.region_3d, size)
            space.show_region_toolbar, space.show_region_ui = False, True
            space.shading.type = "SOLID"
            space.overlay.show_floor = space.overlay.show_axis_x = space.overlay.show_axis_y = False
            space.overlay.show_cursor = space.overlay.show_extras = False
        elif isinstance(space, bpy.types.SpaceGraphEditor) and space.dopesheet is not None:
            space.dopesheet.show_only_selected = False  # the head need not be selected
            space.show_region_ui = False
    check = settings_of(scene).check
    show_head_over_footage(scene, check.head_opacity, check.wipe)
    redraw_editors()


def settle(window: bpy.types.Window, scene: bpy.types.Scene) -> None:
    """Turn the sidebar to FaceCap and fit footage and curves into their editors, once all of them were drawn."""
    for area in window.screen.areas:
        space = area.spaces.active
        clip = space.clip if isinstance(space, bpy.types.SpaceClipEditor) else None
        for region in area.regions:
            if area.type == "VIEW_3D" and region.type == "UI":
                with contextlib.suppress(AttributeError, TypeError):
                    setattr(region, "active_panel_category", "FaceCap")  # noqa: B010  the stub says it is read-only
            if region.type != "WINDOW" or area.type not in ("CLIP_EDITOR", "GRAPH_EDITOR"):
                continue
            with bpy.context.temp_override(window=window, area=area, region=region):
                if area.type == "CLIP_EDITOR" and clip is not None:
                    bpy.ops.clip.view_all(fit_view=True)
                elif area.type == "GRAPH_EDITOR":
                    bpy.ops.graph.view_all()


def _fit_picture(area: bpy.types.Area, view: bpy.types.RegionView3D, size_px: tuple[int, int]) -> None:
    """Zoom a camera's view so that the picture fills what the sidebar leaves free.

    The longer side of the picture, which is the sensor's, takes (√2 + zoom / 50)² / 4 of the region's.
    """
    width, height = size_px
    sidebar = min(_SIDEBAR_PX * system_preferences().ui_scale, 0.5 * area.width)
    free = area.width - sidebar
    share = min(_FILLED * free / area.width, _FILLED * area.height / area.width * width / height)
    if height > width:
        share = min(_FILLED, _FILLED * free / area.height * height / width)
    view.view_camera_zoom = min(max(50.0 * (2.0 * math.sqrt(share) - math.sqrt(2.0)), -30.0), 600.0)
    view.view_camera_offset = (0.25 * sidebar / area.width / share, 0.0)


def _split(
    window: bpy.types.Window, area: bpy.types.Area, direction: Literal["HORIZONTAL", "VERTICAL"], share: float
) -> bpy.types.Area:
    """Cut a new area off the lower or left side of an area; returns the new one."""
    before = set(window.screen.areas)
    with bpy.context.temp_override(window=window, screen=window.screen, area=area):
        bpy.ops.screen.area_split(direction=direction, factor=share)
    made = [one for one in window.screen.areas if one not in before]
    if not made:
        raise RuntimeError("an area could not be split")
    # Blender may have made the new one of either part.
    place = (lambda one: one.y) if direction == "HORIZONTAL" else (lambda one: one.x)
    return min((made[0], area), key=place)
