"""The landmarks of the take over its footage, wherever that is shown: in the Movie Clip Editor, in the Image Editor and
in a view through the solve's camera. One draw call for each region of the face, coloured by how sure it is.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..present import settings_of, system_preferences
from ..scene.footage import footage_images
from ..scene.shown_take import row_at, shown_take
from .colors import confidence_color
from .draw_handlers import draw_in, end_drawing, point_shader
from .picture_in_view import PictureInView, find_picture, picture_in_editor

if TYPE_CHECKING:
    import gpu
    import numpy as np
    from numpy.typing import NDArray

    from ...landmarks.layout import Layout
    from ...takes.take import Take

_SIZE_PX, _LINE_PX, _ALPHA = 2.5, 1.0, 0.9
_EDITORS = ("SpaceClipEditor", "SpaceImageEditor", "SpaceView3D")
_relative: tuple[Take, NDArray[np.float64]] | None = None


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
    picture = _find_picture(context, scene, take)
    row = None if picture is None else row_at(scene, take)
    if picture is None or row is None or not take.solved[row]:
        return
    _draw_row(take, row, picture)


def _draw_row(take: Take, row: int, picture: PictureInView) -> None:
    import gpu
    import numpy as np
    from gpu_extras.batch import batch_for_shader

    from ...takes.landmark_layout import layout_of_take

    layout = layout_of_take(take)
    if layout is None:
        return
    at = picture.to_region(np.nan_to_num(take.landmarks_px[row].astype(np.float64), nan=-1e4)).astype(np.float32)
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
    from ...takes.measures.bad_frames import relative_confidence

    if _relative is None or _relative[0] is not take:
        _relative = take, relative_confidence(take)
    return _relative[1]


def _shaders() -> tuple[gpu.types.GPUShader, gpu.types.GPUShader]:
    """For points and for lines."""
    import gpu

    lines = gpu.shader.from_builtin("UNIFORM_COLOR")
    return point_shader(), lines


def _find_picture(context: bpy.types.Context, scene: bpy.types.Scene, take: Take) -> PictureInView | None:
    """Where the picture lies in the present region; None if this editor does not show the take's footage."""
    space, region = context.space_data, context.region
    if isinstance(space, bpy.types.SpaceView3D):
        return find_picture(context, take.image_size)
    return None if region is None or not _shows_footage(space, scene) else picture_in_editor(region, take.image_size)


def _shows_footage(space: bpy.types.Space | None, scene: bpy.types.Scene) -> bool:
    from ..scene.camera_setup import PLATE

    if isinstance(space, bpy.types.SpaceClipEditor):
        return space.clip is not None and space.view == "CLIP" and _is_footage(space.clip, scene)
    if isinstance(space, bpy.types.SpaceImageEditor):
        plate = scene.objects.get(PLATE)
        return space.image is not None and plate is not None and plate.data == space.image
    return False


def _is_footage(clip: bpy.types.MovieClip, scene: bpy.types.Scene) -> bool:
    from ..scene.camera_setup import solve_camera

    camera = solve_camera(scene)
    behind = None if camera is None else footage_images(camera)[0]
    if behind is not None and behind.clip == clip:
        return True
    video = settings_of(scene).video
    return bool(video) and Path(bpy.path.abspath(clip.filepath)) == Path(bpy.path.abspath(video))


def register() -> None:
    draw_in(_EDITORS, _draw)


def unregister() -> None:
    global _relative
    end_drawing(_draw)
    _relative = None
