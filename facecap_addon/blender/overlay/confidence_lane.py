"""Below the keys of timeline, dope sheet and graph editor: a strip for each region of the face, coloured by how sure
the solve is, and above them the stretches that somebody should look at. Drawn, not keyed.

The strips of a take are built once, in frames; a redraw scales them to the editor and draws them in one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import bpy

from ..present import settings_of, system_preferences
from ..scene.footage import scene_rate
from ..scene.shown_take import shown_take
from .colors import STEPS, quantise, step_color

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import gpu
    import numpy as np
    from numpy.typing import NDArray

    from ...takes.take import Take

_EDITORS = ("SpaceDopeSheetEditor", "SpaceGraphEditor")
_LEAST_PX, _MOST_PX, _OF_TIMELINE = 4.0, 13.0, 0.5
_MARKER_HEIGHT, _LABEL_FROM_PX = 0.7, 8.0
_ALPHA, _SURE_ALPHA = 0.85, 0.3
"""What is sure steps back: curves and keys lie there, too."""
_TIMELINE_EDGE_PX, _SCROLLBAR_PX = 2.0, 18.0
_MARKER = (1.0, 0.25, 0.2)
_handles: list[tuple[Any, object]] = []


@dataclass(frozen=True)
class Strips:
    """Rectangles of one colour each.

    Attributes:
        x_s: (N, 2) float64 s, from and to.  lane: (N,) int, 0 lowest.  step: (N,) int, see `quantise`.
    """

    x_s: NDArray[np.float64]
    lane: NDArray[np.intp]
    step: NDArray[np.intp]


_built: tuple[object, gpu.types.GPUBatch] | None = None


def strips_of(take: Take) -> Strips:
    """The strips of a take: the runs of equal colour of each region, the first region on top."""
    import numpy as np

    from ...takes.bad_frames import relative_confidence
    from ...takes.take import usual_step_s

    steps = quantise(relative_confidence(take), take.solved)
    edges = np.append(take.time_s, take.time_s[-1] + (usual_step_s(take.time_s) or 0.04))
    x_s, lane, step = [], [], []
    for region in range(steps.shape[1]):
        column = steps[:, region]
        begins = np.flatnonzero(np.concatenate([[True], np.diff(column) != 0]))
        ends = np.append(begins[1:], len(column))
        x_s.append(np.stack([edges[begins], edges[ends]], 1))
        lane.append(np.full(len(begins), steps.shape[1] - 1 - region))
        step.append(column[begins].astype(np.intp))
    return Strips(np.concatenate(x_s), np.concatenate(lane), np.concatenate(step))


def _batch_of(scene: bpy.types.Scene, take: Take) -> gpu.types.GPUBatch:
    """The strips and the markers above them as triangles, x in seconds and y in strips."""
    global _built
    import numpy as np
    from gpu_extras.batch import batch_for_shader

    check = settings_of(scene).check
    key = (id(take), check.take, len(check.stretches))
    if _built is None or _built[0] != key:
        strips = strips_of(take)
        colors = [(*step_color(step), _SURE_ALPHA if step == STEPS else _ALPHA) for step in strips.step.tolist()]
        low, high = strips.lane.astype(np.float64), strips.lane + 1.0
        x_s = strips.x_s
        marks = [(one.first_s, one.last_s) for one in check.stretches]
        if marks:
            top, half = float(len(take.regions)), 0.5 / scene_rate(scene)
            x_s = np.concatenate([x_s, np.array(marks) + np.array([-half, half])])
            low = np.append(low, np.full(len(marks), top + 0.25))
            high = np.append(high, np.full(len(marks), top + 0.25 + _MARKER_HEIGHT))
            colors += [(*_MARKER, 1.0)] * len(marks)
        corners = np.empty((len(x_s), 4, 2), np.float32)
        corners[:, :, 0] = x_s[:, [0, 1, 1, 0]]
        corners[:, :, 1] = np.stack([low, low, high, high], 1)
        triangles = (np.arange(len(x_s))[:, None] * 4 + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
        given: dict[str, Any] = {
            "pos": corners.reshape(-1, 2),
            "color": np.repeat(np.array(colors, np.float32), 4, axis=0),
        }
        batch = batch_for_shader(_shader(), "TRIS", given, indices=triangles.astype(np.int32))
        _built = key, batch
    return _built[1]


def _shader() -> gpu.types.GPUShader:
    import gpu

    return gpu.shader.from_builtin("FLAT_COLOR")


def _draw() -> None:
    context = bpy.context
    scene, region = context.scene, context.region
    if scene is None or region is None or not settings_of(scene).check.show_lane:
        return
    take = shown_take(scene)
    if take is None or not take.frame_count or not take.regions:
        return
    import gpu

    scale = system_preferences().ui_scale
    first, last = (region.view2d.region_to_view(x, 0)[0] for x in (0, region.width))
    if last <= first:
        return
    px_per_frame, rate = region.width / (last - first), scene_rate(scene)
    in_timeline = (
        isinstance(context.space_data, bpy.types.SpaceDopeSheetEditor) and context.space_data.mode == "TIMELINE"
    )
    height = _OF_TIMELINE * region.height / len(take.regions) if in_timeline else 0.0
    strip = min(max(height, _LEAST_PX * scale), _MOST_PX * scale)
    bottom = (_TIMELINE_EDGE_PX if in_timeline else _SCROLLBAR_PX) * scale
    gpu.state.blend_set("ALPHA")
    with cast("AbstractContextManager[None]", gpu.matrix.push_pop()):
        gpu.matrix.translate(((settings_of(scene).start_frame - first) * px_per_frame, bottom))
        gpu.matrix.scale((px_per_frame * rate, strip))
        _batch_of(scene, take).draw(_shader())
    gpu.state.blend_set("NONE")
    if strip >= _LABEL_FROM_PX * scale:
        _draw_names(take.regions, bottom, strip)


def _draw_names(regions: tuple[str, ...], bottom: float, strip: float) -> None:
    import blf

    blf.size(0, 0.85 * strip)
    blf.color(0, 1.0, 1.0, 1.0, 0.8)
    for number, region in enumerate(reversed(regions)):
        blf.position(0, 4.0, bottom + (number + 0.2) * strip, 0)
        blf.draw(0, region)


def register() -> None:
    if bpy.app.background:
        return
    for name in _EDITORS:
        editor = getattr(bpy.types, name)
        _handles.append((editor, editor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")))


def unregister() -> None:
    global _built
    while _handles:
        editor, handle = _handles.pop()
        editor.draw_handler_remove(handle, "WINDOW")
    _built = None
