"""Plots over time as SVG text: lines with gaps, envelopes where there are more frames than columns, heat strips."""

from __future__ import annotations

import base64
import math

import numpy as np
from numpy.typing import NDArray

from ..images.encode import encode_png
from ..takes.take import find_runs

MAX_COLUMNS = 300


def x_positions(
    time_s: NDArray[np.float64], width: float, within_s: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """(F,) horizontal positions in 0..width of (F,) increasing times.

    Args:
        within_s: times at the left and the right edge; None: the first and the last.
    """
    if within_s is None:
        within_s = (float(time_s[0]), float(time_s[-1])) if len(time_s) else (0.0, 0.0)
    span = within_s[1] - within_s[0]
    return (time_s - within_s[0]) / span * width if span > 0 else np.full(len(time_s), width / 2)


def draw_line_path(
    x: NDArray[np.float64], y: NDArray[np.float64], width: float, *, max_columns: int = MAX_COLUMNS
) -> str:
    """The `d` of an SVG path through points, broken at NaN.

    With more points than columns, each column shows the span from its smallest to its largest value, so that no
    peak is lost.

    Args:
        x: (F,) positions in 0..width, increasing.  y: (F,) positions, NaN where there is nothing.
    """
    parts: list[str] = []
    for first, last in find_runs(np.isfinite(y)):
        xs, ys = x[first : last + 1], y[first : last + 1]
        if len(x) > max_columns:
            columns = np.minimum((xs / width * max_columns).astype(np.int64), max_columns - 1)
            starts = np.flatnonzero(np.diff(columns, prepend=-1))
            centers = (columns[starts] + 0.5) * width / max_columns
            low, high = np.minimum.reduceat(ys, starts), np.maximum.reduceat(ys, starts)
            outline_x, outline_y = np.concatenate([centers, centers[::-1]]), np.concatenate([low, high[::-1]])
            parts.append(_draw_polyline(outline_x, outline_y) + "Z")
        elif first == last:
            parts.append(f"M{_format_short(xs[0] - 0.5)} {_format_short(ys[0])}h1")
        else:
            parts.append(_draw_polyline(xs, ys))
    return "".join(parts)


def draw_missing_bands(x: NDArray[np.float64], missing: NDArray[np.bool_], width: float, height: float) -> str:
    """SVG rectangles of class `gap` over the frames that are missing; x (F,) positions, missing (F,) bool."""
    if len(x) < 2:
        return ""
    edges = np.concatenate([[0.0], (x[1:] + x[:-1]) / 2, [width]])
    return "".join(
        f'<rect class="gap" x="{_format_short(edges[first])}" y="0" '
        f'width="{_format_short(max(edges[last + 1] - edges[first], 0.6))}" height="{_format_short(height)}"/>'
        for first, last in find_runs(missing)
    )


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, about `count` of them."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    rough = span / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if rough <= factor * magnitude * 1.0001)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def draw_heat_strip(
    x: NDArray[np.float64],
    values: NDArray[np.floating],
    width: float,
    color: tuple[int, int, int],
    *,
    highest: bool = False,
) -> str:
    """Rows of values over time as a `data:` PNG, the darker (more opaque) the higher; each column the lowest value.

    Args:
        x: (F,) positions in 0..width.
        values: (F, R) in 0..1; NaN stays transparent.
        color: RGB of the value 1.
        highest: each column shows its highest value instead.
    """
    columns_count = int(min(MAX_COLUMNS * 2, max(1, len(x))))
    columns = np.minimum((x / width * columns_count).astype(np.int64), columns_count - 1)
    opacity = np.full((columns_count, values.shape[1]), np.nan)
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    extreme = np.fmax if highest else np.fmin
    opacity[columns[starts]] = extreme.reduceat(np.asarray(values, np.float64), starts, axis=0)
    filled = np.zeros(columns_count, np.bool_)
    filled[columns[starts]] = True
    # A column between two frames shows the frame before it.
    source = np.maximum.accumulate(np.where(filled, np.arange(columns_count), 0))
    alpha = np.clip(np.nan_to_num(opacity[source]), 0.0, 1.0) * 255
    picture = np.zeros((values.shape[1], columns_count, 4), np.uint8)
    picture[..., :3] = color
    picture[..., 3] = alpha.T.round()
    return data_uri("image/png", encode_png(picture))


def data_uri(kind: str, content: bytes) -> str:
    """A `data:` address holding `content` of MIME type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _draw_polyline(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> str:
    # One decimal, as `_format_short`; adding 0 makes -0 a 0.
    tenths = np.stack([xs, ys], axis=1).round(1) + 0.0
    return "M" + "L".join([f"{px:g} {py:g}" for px, py in tenths.tolist()])


def _format_short(value: float) -> str:
    text = f"{float(value):.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"
