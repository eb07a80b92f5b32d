"""The picture of a training: loss and validation error by epoch, on logarithmic axes, and some frames below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...images.draw import draw_polyline, draw_text

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BELOW, _TOP = 1000, 420, 70, 200, 40, 30
_TEXT_PX = 12
_PAPER, _INK, _GRID = (250, 250, 248), (50, 50, 50), (222, 222, 218)
_COLORS = ((40, 100, 200), (210, 90, 30), (60, 140, 70), (140, 70, 160), (120, 120, 40), (30, 150, 160))


def draw_curves(
    lines: Mapping[str, Sequence[float]], title: str, *, first_epoch: int = 1, height: int = _HEIGHT
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: lines of positive values by epoch, the axis of values logarithmic.

    Args:
        lines: name to values, one per epoch, all of one unit; NaN is left out.  height: of the picture, px.
    """
    out = np.full((height, _WIDTH, 3), _PAPER, np.uint8)
    values = np.concatenate([np.asarray(v, np.float64) for v in lines.values()]) if lines else np.zeros(0)
    good = values[np.isfinite(values) & (values > 0)]
    draw_text(out, (_LEFT, 20), title, 14, _INK)
    if not len(good):
        return out
    low, high = np.log10(good.min()) - 0.05, np.log10(good.max()) + 0.05
    count = max(len(v) for v in lines.values())

    def x_of(epoch: float) -> float:
        return _LEFT + (epoch - first_epoch) / max(count - 1, 1) * (_WIDTH - _LEFT - _RIGHT)

    def y_of(value: float) -> float:
        return _TOP + (high - np.log10(value)) / max(high - low, 1e-9) * (height - _TOP - _BELOW)

    for value in _choose_ticks(low, high):
        y = round(y_of(value))
        out[y, _LEFT : _WIDTH - _RIGHT] = _GRID
        draw_text(out, (8, y + 4), f"{value:g}", _TEXT_PX, _INK)
    for epoch in np.unique(np.linspace(first_epoch, first_epoch + count - 1, 6).round().astype(int)):
        place = (round(x_of(epoch)) - 8, height - 20)
        draw_text(out, place, str(epoch), _TEXT_PX, _INK)
    draw_text(out, (_WIDTH // 2 - 60, height - 5), "epoch", _TEXT_PX, _INK)
    for number, (name, line) in enumerate(lines.items()):
        color = _COLORS[number % len(_COLORS)]
        points = [(x_of(first_epoch + i), y_of(v)) for i, v in enumerate(line) if np.isfinite(v) and v > 0]
        if points:
            draw_polyline(out, np.array(points), color)
        label = f"{name} {line[-1]:.3g}" if len(line) else name
        place = (_WIDTH - _RIGHT + 5, _TOP + 14 + 18 * number)
        draw_text(out, place, label, _TEXT_PX, color)
    return out


def stack_pictures(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures below each other, on paper as wide as the widest."""
    width = max(p.shape[1] for p in pictures)
    rows = []
    for picture in pictures:
        row = np.full((picture.shape[0], width, 3), _PAPER, np.uint8)
        row[:, : picture.shape[1]] = picture
        rows.append(row)
    return np.concatenate(rows)


def _choose_ticks(low: float, high: float) -> list[float]:
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    found = [m * 10.0**e for e in range(int(np.floor(low)), int(np.ceil(high)) + 1) for m in steps]
    return [v for v in found if low <= np.log10(v) <= high]
