"""Below the keys of timeline, dope sheet and graph editor: a strip for each region of the face, coloured by how sure
the solve is, and above them the stretches that somebody should look at. Where two takes are compared, the strips show
by how much they differ, and the marks where most. Drawn, not keyed.

The strips of a take are built once for each coarseness, in seconds; a redraw scales them to the editor and draws those
that are seen in one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import bpy

from ..difference import shown_difference
from ..present import settings_of, system_preferences
from ..scene.footage import scene_rate
from ..scene.shown_take import shown_take
from .colors import STEPS, quantise, step_color
from .draw_handlers import draw_in, end_drawing

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import gpu
    import numpy as np
    from numpy.typing import NDArray

    from ...takes.measures.difference import Comparison
    from ...takes.take import Take

_EDITORS = ("SpaceDopeSheetEditor", "SpaceGraphEditor")
_BLOCK = 128
_LEAST_PX, _MOST_PX, _OF_TIMELINE = 4.0, 13.0, 0.5
_MARKER_HEIGHT, _LABEL_FROM_PX = 0.7, 8.0
_ALPHA, _SURE_ALPHA = 0.85, 0.3
"""What is sure steps back: curves and keys lie there, too."""
_TIMELINE_EDGE_PX, _SCROLLBAR_PX = 2.0, 18.0
_MARKER = (1.0, 0.25, 0.2)
_FULL_DIFFERENCE = 0.3
"""From which on a difference is as red as it gets."""


@dataclass(frozen=True)
class Strips:
    """Rectangles of one colour each, in the order in which they begin; none is longer than `block_s`.

    Attributes:
        x_s: (N, 2) float64 s, from and to.  lane: (N,) int, 0 lowest.  step: (N,) int, see `quantise`.
    """

    x_s: NDArray[np.float64]
    lane: NDArray[np.intp]
    step: NDArray[np.intp]
    block_s: float

    def visible(self, first_s: float, last_s: float) -> tuple[int, int]:
        """The first of those that may reach into a stretch of time, and how many."""
        import numpy as np

        low, high = np.searchsorted(self.x_s[:, 0], (first_s - self.block_s, last_s))
        return int(low), int(high - low)


@dataclass(frozen=True)
class Lanes:
    """What the strips show of each frame.

    Attributes:
        names: of R strips, from the top.  time_s: (F,) s.
        steps: (F, R) int8, see `quantise`.
        marks_s: (first, last) of the stretches that are marked above them.
    """

    names: tuple[str, ...]
    time_s: NDArray[np.float64]
    steps: NDArray[np.int8]
    marks_s: tuple[tuple[float, float], ...] = ()


def lanes_of_take(take: Take, marks_s: tuple[tuple[float, float], ...] = ()) -> Lanes:
    """How sure a take is, by region."""
    from ...takes.measures.bad_frames import relative_confidence

    return Lanes(take.regions, take.time_s, quantise(relative_confidence(take), take.solved), marks_s)


def lanes_of_difference(compared: Comparison) -> Lanes:
    """By how much two takes differ, by region: what is alike is green, a difference of 0.3 is red."""
    import numpy as np

    off = compared.by_region()
    alike = 1.0 - 0.5 * np.minimum(np.nan_to_num(off) / _FULL_DIFFERENCE, 1.0)
    marks_s = tuple((float(time), float(time)) for time in compared.summary.time_s)
    names = tuple(f"Δ {name}" for name in compared.regions)
    return Lanes(names, compared.time_s, quantise(alike, compared.there), marks_s)


def cut_strips(lanes: Lanes, cell: int = 1) -> Strips:
    """The runs of equal colour of each strip, the first on top.

    Args:
        cell: how many frames have one colour, that of the worst: as many as lie on a pixel.
    """
    import numpy as np

    from ...takes.take import usual_step_s

    frames, count = lanes.steps.shape
    begins = np.arange(0, frames, cell)
    worst = np.minimum.reduceat(lanes.steps, begins, axis=0)
    edges = np.append(lanes.time_s[begins], lanes.time_s[-1] + (usual_step_s(lanes.time_s) or 0.04))
    changes = np.ones(worst.shape, bool)
    changes[1:] = worst[1:] != worst[:-1]
    changes[::_BLOCK] = True
    lane, row = np.nonzero(changes.T)
    following = np.append(row[1:], 0)
    end = np.where(np.append(lane[1:] != lane[:-1], True), len(begins), following)
    x_s = np.stack([edges[row], edges[end]], 1)
    order = np.argsort(x_s[:, 0], kind="stable")
    block_s = float((x_s[:, 1] - x_s[:, 0]).max(initial=0.0))
    return Strips(x_s[order], (count - 1 - lane)[order], worst[row, lane][order].astype(np.intp), block_s)


@dataclass(frozen=True)
class Built:
    """What is drawn of a take at one coarseness.

    Attributes:
        source: the take or the comparison.  lanes: of it.  strips, batch: its strips, as rectangles too.
        marks: the marked stretches above them, if any.
    """

    source: Take | Comparison
    lanes: Lanes
    strips: Strips
    batch: gpu.types.GPUBatch
    marks: gpu.types.GPUBatch | None


_built: dict[tuple[int, int], Built] = {}


def _build(scene: bpy.types.Scene, source: Take | Comparison, cell: int) -> Built:
    """The strips of a take or a comparison and the marks above them, x in seconds, y in strips; kept for redraws."""
    import numpy as np

    from ...takes.take import Take

    stretches = settings_of(scene).check.stretches
    key = (cell, len(stretches))
    found = _built.get(key)
    if found is not None and found.source is source:
        return found
    for stale in [one for one, built in _built.items() if built.source is not source]:
        del _built[stale]
    if isinstance(source, Take):
        lanes = lanes_of_take(source, tuple((one.first_s, one.last_s) for one in stretches))
    else:
        lanes = lanes_of_difference(source)
    strips = cut_strips(lanes, cell)
    palette = np.array([(*step_color(n), _SURE_ALPHA if n == STEPS else _ALPHA) for n in range(-1, STEPS + 1)])
    batch = _rectangles(strips.x_s, strips.lane, strips.lane + 1.0, palette[strips.step + 1])
    marks = None
    if lanes.marks_s:
        half, low = 0.5 / scene_rate(scene), np.full(len(lanes.marks_s), len(lanes.names) + 0.25)
        x_s = np.array([(first - half, last + half) for first, last in lanes.marks_s], np.float64)
        marks = _rectangles(x_s, low, low + _MARKER_HEIGHT, np.tile((*_MARKER, 1.0), (len(low), 1)))
    _built[key] = Built(source, lanes, strips, batch, marks)
    return _built[key]


def _rectangles(
    x: NDArray[np.float64], low: NDArray[Any], high: NDArray[Any], colors: NDArray[np.float64]
) -> gpu.types.GPUBatch:
    """Rectangles from x (N, 2) and from low to high (N,), each in its colour (N, 4)."""
    import numpy as np
    from gpu_extras.batch import batch_for_shader

    corners = np.empty((len(x), 4, 2), np.float32)
    corners[:, :, 0] = x[:, [0, 1, 1, 0]]
    corners[:, :, 1] = np.stack([low, low, high, high], 1)
    triangles = (np.arange(len(x))[:, None] * 4 + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
    given: dict[str, Any] = {
        "pos": corners.reshape(-1, 2),
        "color": np.repeat(colors.astype(np.float32), 4, axis=0),
    }
    return batch_for_shader(_shader(), "TRIS", given, indices=triangles.astype(np.int32))


def _shader() -> gpu.types.GPUShader:
    import gpu

    return gpu.shader.from_builtin("FLAT_COLOR")


def _draw() -> None:
    context = bpy.context
    scene, region = context.scene, context.region
    if scene is None or region is None or not settings_of(scene).check.show_lane:
        return
    source = shown_difference(scene) or shown_take(scene)
    if source is None or not len(source.time_s):
        return
    lanes = len(source.regions)
    if not lanes:
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
    height = _OF_TIMELINE * region.height / lanes if in_timeline else 0.0
    strip = min(max(height, _LEAST_PX * scale), _MOST_PX * scale)
    bottom = (_TIMELINE_EDGE_PX if in_timeline else _SCROLLBAR_PX) * scale
    gpu.state.blend_set("ALPHA")
    with cast("AbstractContextManager[None]", gpu.matrix.push_pop()):
        gpu.matrix.translate(((settings_of(scene).start_frame - first) * px_per_frame, bottom))
        gpu.matrix.scale((px_per_frame * rate, strip))
        built = _build(scene, source, _cell_of(source.time_s, 1.0 / (px_per_frame * rate)))
        start_s = (first - settings_of(scene).start_frame) / rate
        begin, count = built.strips.visible(start_s, start_s + (last - first) / rate)
        if count:
            built.batch.draw_range(_shader(), elem_start=6 * begin, elem_count=6 * count)
        if built.marks is not None:
            built.marks.draw(_shader())
    gpu.state.blend_set("NONE")
    playing = context.screen is not None and context.screen.is_animation_playing
    if strip >= _LABEL_FROM_PX * scale and not playing:  # text is what takes longest
        _draw_names(built.lanes.names, bottom, strip)


def _cell_of(time_s: NDArray[np.float64], s_per_px: float) -> int:
    """How many frames lie on a pixel, as a power of two."""
    frames_per_px = s_per_px * (len(time_s) - 1) / max(float(time_s[-1] - time_s[0]), 1e-6)
    cell = 1
    while 2 * cell <= frames_per_px:
        cell *= 2
    return cell


def _draw_names(names: tuple[str, ...], bottom: float, strip: float) -> None:
    """The names of the strips, all in one call: a line of text is as high as a strip."""
    import blf

    text = "\n".join(names)
    blf.enable(0, blf.WORD_WRAP)
    blf.word_wrap(0, 1000)
    blf.size(0, _text_size(names, strip))
    blf.color(0, 1.0, 1.0, 1.0, 0.8)
    blf.position(0, 4.0, bottom + (len(names) - 0.8) * strip, 0)
    blf.draw(0, text)
    blf.disable(0, blf.WORD_WRAP)


@lru_cache(maxsize=16)
def _text_size(names: tuple[str, ...], strip: float) -> float:
    """The size at which a line of the names is as high as a strip; measuring text takes as long as drawing it."""
    import blf

    blf.size(0, strip)
    line = (blf.dimensions(0, "\n".join(names))[1] - blf.dimensions(0, names[0])[1]) / max(len(names) - 1, 1)
    return strip * min(strip / line, 1.0) if line > 0 else strip


def register() -> None:
    draw_in(_EDITORS, _draw)


def unregister() -> None:
    end_drawing(_draw)
    _built.clear()
