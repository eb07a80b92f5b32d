"""The landmarks of the take over its footage, wherever that is shown: in the Movie Clip Editor, in the Image Editor and
in a view through the solve's camera. One draw call for each region of the face, coloured by how sure it is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..present import settings_of, system_preferences
from ..scene.footage import footage_images
from ..scene.shown_take import row_at, shown_take
from .colors import confidence_color

if TYPE_CHECKING:
    import gpu
    import numpy as np
    from numpy.typing import NDArray

    from ...landmarks.layout import Layout
    from ...takes.take import Take

    Project = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Places (N, 2) in the picture, 0 to 1 from its lower left corner, to px of the region."""

_SIZE_PX, _LINE_PX, _ALPHA = 2.5, 1.0, 0.9
_EDITORS = ("SpaceClipEditor", "SpaceImageEditor", "SpaceView3D")
_handles: list[tuple[Any, object]] = []
_relative: tuple[int, NDArray[np.float64]] | None = None


def groups_of(layout: Layout, regions: tuple[str, ...]) -> list[tuple[int, list[int], list[tuple[int, int]]]]:
    """Of each region that has landmarks: its place in `regions`, its landmarks, and pairs of them to be joined."""
    chains = {
        "brows": (layout.brow_right, layout.brow_left) if layout.count != 478 else (),
        "eyes": (layout.upper_lid_right, layout.lower_lid_right, layout.upper_lid_left, layout.lower_lid_left),
        "mouth": (
            layout.lips_outer_upper,
            layout.lips_outer_lower,
            layout.lips_inner_upper,
            layout.lips_inner_lower,
        ),
        "jaw": (layout.jaw,),
    }
    loose = {
        "brows": (layout.brow_right, layout.brow_left),
        "eyes": (layout.iris_right, layout.iris_left),
        "nose": (layout.nose,),
        "cheeks": (layout.cheek_right, layout.cheek_left),
    }
    groups = []
    for number, region in enumerate(regions):
        lines = [pair for chain in chains.get(region, ()) for pair in pairwise(chain)]
        points = sorted({i for chain in (*chains.get(region, ()), *loose.get(region, ())) for i in chain})
        if points:
            groups.append((number, points, lines))
    return groups


def _draw() -> None:
    context = bpy.context
    scene = context.scene
    if scene is None or not settings_of(scene).check.show_landmarks:
        return
    take = shown_take(scene)
    if take is None:
        return
    project = _projection(context, scene, take)
    row = None if project is None else row_at(scene, take)
    if project is None or row is None or not take.solved[row]:
        return
    _draw_row(take, row, project)


def _draw_row(take: Take, row: int, project: Project) -> None:
    import gpu
    import numpy as np
    from gpu_extras.batch import batch_for_shader

    from ...takes.landmark_layout import layout_of_take

    layout = layout_of_take(take)
    if layout is None:
        return
    width, height = take.image_size
    places = take.landmarks_px[row] * np.array((1 / width, -1 / height), np.float32) + np.array((0, 1), np.float32)
    at = project(np.nan_to_num(places, nan=-10.0))
    shares = _relative_confidence(take)[row]
    points_in, lines_in = _shaders()
    gpu.state.blend_set("ALPHA")
    gpu.state.point_size_set(_SIZE_PX * system_preferences().ui_scale)
    gpu.state.line_width_set(_LINE_PX * system_preferences().ui_scale)
    for number, points, lines in groups_of(layout, take.regions):
        color = (*confidence_color(float(shares[number])), _ALPHA)
        for shader, kind, wanted in ((points_in, "POINTS", points), (lines_in, "LINES", lines)):
            if wanted:
                shader.bind()
                shader.uniform_float("color", color)
                given: dict[str, Any] = {"pos": at[np.asarray(wanted).ravel()]}
                batch_for_shader(shader, kind, given).draw(shader)
    gpu.state.point_size_set(1.0)
    gpu.state.line_width_set(1.0)
    gpu.state.blend_set("NONE")


def _relative_confidence(take: Take) -> NDArray[np.float64]:
    global _relative
    from ...takes.bad_frames import relative_confidence

    if _relative is None or _relative[0] != id(take):
        _relative = id(take), relative_confidence(take)
    return _relative[1]


def _shaders() -> tuple[gpu.types.GPUShader, gpu.types.GPUShader]:
    """For points and for lines."""
    import gpu

    lines = gpu.shader.from_builtin("UNIFORM_COLOR")
    try:
        return gpu.shader.from_builtin("POINT_UNIFORM_COLOR"), lines
    except ValueError:  # before 4.5 any shader could draw points
        return lines, lines


def _projection(context: bpy.types.Context, scene: bpy.types.Scene, take: Take) -> Project | None:
    """Where the picture lies in the present region; None if this editor does not show the take's footage."""
    import numpy as np

    space, region = context.space_data, context.region
    if region is None:
        return None
    if isinstance(space, bpy.types.SpaceView3D):
        corners = _corners_in_view(context, scene, take)
    else:
        shown = _shows_footage(space, scene)
        corners = None if not shown else tuple(_to_region(region, x, y) for x, y in ((0, 0), (1, 0), (0, 1)))
    if corners is None:
        return None
    origin, right, up = (np.asarray(corner, np.float32) for corner in corners)
    return lambda places: origin + places[:, :1] * (right - origin) + places[:, 1:] * (up - origin)


def _to_region(region: bpy.types.Region, x: float, y: float) -> tuple[float, float]:
    """Px of a place in the region's own units, exactly; Blender's own call rounds to whole pixels."""
    low, high = region.view2d.region_to_view(0, 0), region.view2d.region_to_view(region.width, region.height)
    return (
        region.width * (x - low[0]) / (high[0] - low[0]),
        region.height * (y - low[1]) / (high[1] - low[1]),
    )


def _shows_footage(space: bpy.types.Space | None, scene: bpy.types.Scene) -> bool:
    from ..scene.camera_setup import PLATE

    if isinstance(space, bpy.types.SpaceClipEditor):
        return space.clip is not None and space.view == "CLIP" and _is_footage(space.clip, scene)
    if isinstance(space, bpy.types.SpaceImageEditor):
        plate = scene.objects.get(PLATE)
        return space.image is not None and plate is not None and plate.data == space.image
    return False


def _is_footage(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> bool:
    from ..scene.head_over_footage import solve_camera

    camera = solve_camera(scene)
    behind = None if camera is None else footage_images(camera)[0]
    if behind is not None and behind.clip == clip:
        return True
    video = settings_of(scene).video
    return bool(video) and Path(bpy.path.abspath(clip.filepath)) == Path(bpy.path.abspath(video))


def _corners_in_view(context: bpy.types.Context, scene: bpy.types.Scene, take: Take) -> tuple[Any, Any, Any] | None:
    """Px of the picture's lower left, lower right and upper left corner in a view through the solve's camera."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    from ..scene.head_over_footage import picture_in_frame, solve_camera

    space, view, region, camera = context.space_data, context.region_data, context.region, solve_camera(scene)
    if camera is None or view is None or region is None or not isinstance(space, bpy.types.SpaceView3D):
        return None
    seen = space.camera if space.use_local_camera else scene.camera
    if view.view_perspective != "CAMERA" or seen != camera or footage_images(camera)[0] is None:
        return None
    rigid = camera.matrix_world.normalized()
    lower_left, lower_right, _, upper_left = (
        location_3d_to_region_2d(region, view, rigid @ corner)
        for corner in picture_in_frame(scene, camera, take.image_size)
    )
    return None if None in (lower_left, lower_right, upper_left) else (lower_left, lower_right, upper_left)


def register() -> None:
    if bpy.app.background:
        return
    for name in _EDITORS:
        editor = getattr(bpy.types, name)
        _handles.append((editor, editor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")))


def unregister() -> None:
    global _relative
    while _handles:
        editor, handle = _handles.pop()
        editor.draw_handler_remove(handle, "WINDOW")
    _relative = None
