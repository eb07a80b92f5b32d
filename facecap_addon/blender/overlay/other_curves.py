"""In the Graph Editor, beside the curves of the character: those of the take that they are compared with.

Drawn, not keyed: thin lines in the colour of the curve that they belong to, of as many curves as can be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import bpy

from ..difference import shown_difference
from ..present import settings_of
from ..scene.footage import scene_rate
from ..scene.objects import keys_of
from .draw_handlers import draw_in, end_drawing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import gpu
    import numpy as np
    from numpy.typing import NDArray

    from ...takes.measures.difference import Comparison

_CURVES, _POINTS, _ALPHA = 8, 2000, 0.9
"""More curves than these nobody tells apart; a line of more points is thinned out, its peaks stay."""


@dataclass(frozen=True)
class Line:
    """Points of a curve that are joined, s and weight.

    Attributes:
        points: (N, 2) float32.  joined: (M, 2) int32, pairs of them.
    """

    points: NDArray[np.float32]
    joined: NDArray[np.int32]


def line_of(time_s: NDArray[np.float64], values: NDArray[np.float64], most: int = _POINTS) -> Line:
    """A line through values over time, broken where they are NaN; of many frames only the extremes stay.

    Args:
        time_s, values: (F,).  most: about as many points.
    """
    import numpy as np

    frames = len(values)
    rows = np.arange(frames)
    if frames > most:
        begins = np.linspace(0, frames, most // 2, endpoint=False).astype(np.intp)
        filled = np.where(np.isfinite(values), values, 0.0)
        parts = np.split(filled, begins[1:])
        ends = [(int(np.argmin(part)), int(np.argmax(part))) for part in parts]
        rows = np.unique((begins[:, None] + np.array(ends)).ravel())
    there = np.isfinite(values[rows])
    if frames > most:  # a gap between two points that stay is one still
        missing = np.cumsum(~np.isfinite(values))
        whole = missing[rows[1:]] == missing[rows[:-1]]
    else:
        whole = np.ones(max(len(rows) - 1, 0), bool)
    first = np.flatnonzero(there[1:] & there[:-1] & whole)
    points = np.stack([time_s[rows], np.nan_to_num(values[rows])], 1).astype(np.float32)
    return Line(points, np.stack([first, first + 1], 1).astype(np.int32))


_built: dict[str, tuple[Comparison, gpu.types.GPUBatch]] = {}


def _batch(compared: Comparison, channel: str) -> gpu.types.GPUBatch:
    from gpu_extras.batch import batch_for_shader

    found = _built.get(channel)
    if found is None or found[0] is not compared:
        line = line_of(compared.time_s, compared.theirs[:, compared.channels.index(channel)])
        given: dict[str, Any] = {"pos": line.points}
        batch = batch_for_shader(_shader(), "LINES", given, indices=line.joined)
        found = _built[channel] = compared, batch
    return found[1]


def _shader() -> gpu.types.GPUShader:
    import gpu

    return gpu.shader.from_builtin("UNIFORM_COLOR")


def _shown(context: bpy.types.Context, compared: Comparison) -> Iterator[tuple[str, bpy.types.FCurve]]:
    """The channels of the character's curves in view, those that are selected first."""
    character = None if context.scene is None else settings_of(context.scene).character
    keys = None if character is None else keys_of(character)
    if keys is None:
        return
    paths = {keys.key_blocks[name].path_from_id("value"): name for name in compared.channels if name in keys.key_blocks}
    curves = [curve for curve in context.visible_fcurves or () if curve.data_path in paths]
    for curve in sorted(curves, key=lambda one: not one.select)[:_CURVES]:
        yield paths[curve.data_path], curve


def _draw() -> None:
    context = bpy.context
    scene, region, space = context.scene, context.region, context.space_data
    if scene is None or region is None or not isinstance(space, bpy.types.SpaceGraphEditor):
        return
    if space.mode != "FCURVES" or space.use_normalization or not settings_of(scene).check.show_lane:
        return
    compared = shown_difference(scene)
    if compared is None:
        return
    import gpu

    left, low = region.view2d.region_to_view(0, 0)
    right, high = region.view2d.region_to_view(region.width, region.height)
    if right <= left or high <= low:
        return
    across, up = region.width / (right - left), region.height / (high - low)
    gain = settings_of(scene).bake.gain
    gpu.state.blend_set("ALPHA")
    shader = _shader()
    with cast("AbstractContextManager[None]", gpu.matrix.push_pop()):
        gpu.matrix.translate(((settings_of(scene).start_frame - left) * across, -low * up))
        gpu.matrix.scale((across * scene_rate(scene), up * gain))
        for channel, curve in _shown(context, compared):
            shader.bind()
            shader.uniform_float("color", (*curve.color, _ALPHA))
            _batch(compared, channel).draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    draw_in(("SpaceGraphEditor",), _draw)


def unregister() -> None:
    end_drawing(_draw)
    _built.clear()
