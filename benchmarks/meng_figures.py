"""Figures of Meng and Wen's networks: motion D frame by frame in transitions (15 to 18), losses by minutes (9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecap_addon.arrays import U8
from facecap_addon.atomic_file import atomic_path
from facecap_addon.images.draw import draw_polyline, draw_text
from facecap_addon.images.encode import write_image

_WIDTH, _HEIGHT, _LEFT, _TOP, _BELOW, _LEGEND = 560, 280, 50, 34, 34, 60
_PAPER, _INK, _GRID = (250, 250, 248), (50, 50, 50), (222, 222, 218)
_TRUE = (20, 20, 20)
_COLORS = (
    (200, 50, 40), (40, 100, 200), (60, 140, 70), (225, 140, 20), (120, 170, 225), (150, 195, 150), (240, 200, 130),
    (140, 70, 160),
)  # fmt: skip


@dataclass(frozen=True)
class Transition:
    """Frames from `first` to before `last` in which something named happens."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Line:
    """A line of a plot: x (N,), y (N,), drawn in a colour."""

    x: NDArray
    y: NDArray
    color: tuple[int, int, int]


def draw_transitions(transitions: Sequence[Transition], motion: Mapping[str, NDArray]) -> U8:
    """(H, W, 3): a plot of D (mm a frame) per transition, two beside each other, and which line is whose below.

    Args:
        motion: D of each step (N - 1,), the first the true one.
    """
    colors = dict(zip(motion, (_TRUE, *_COLORS), strict=False))
    plots = []
    for one in transitions:
        lines = [
            Line(np.arange(one.last - one.first), motion[name][one.first : one.last], color)
            for name, color in colors.items()
        ]
        plots.append(draw_plot(f"{one.name}: D, mm a frame, by frame", [*lines[1:], lines[0]]))
    return np.concatenate([_beside(plots), draw_legend(colors, 2 * _WIDTH)])


def draw_losses(losses: Mapping[str, tuple[NDArray, Sequence[float]]]) -> U8:
    """(H, W, 3): the logarithm of the training loss (cm²) by minutes of one core.

    Args:
        losses: minutes and loss of each epoch.
    """
    lines = [
        Line(np.asarray(minutes), np.log10(loss), color)
        for (minutes, loss), color in zip(losses.values(), _COLORS, strict=False)
    ]
    return draw_plot("training loss, cm2, logarithm, by minutes of one core", lines, width=2 * _WIDTH, from_zero=False)


def draw_legend(colors: Mapping[str, tuple[int, int, int]], width: int) -> U8:
    """(H, W, 3): names in their colours."""
    out = np.full((_LEGEND, width, 3), _PAPER, np.uint8)
    for number, (name, color) in enumerate(colors.items()):
        x, y = _LEFT + (number % 5) * (width - _LEFT) // 5, 18 + 22 * (number // 5)
        draw_polyline(out, np.array([[x, y], [x + 28, y]]), color, width_px=3)
        draw_text(out, (x + 36, y + 5), name, 14, _INK)
    return out


def draw_plot(title: str, lines: Sequence[Line], *, width: int = _WIDTH, from_zero: bool = True) -> U8:
    """(H, W, 3): lines over each other; the last lies on top."""
    out = np.full((_HEIGHT, width, 3), _PAPER, np.uint8)
    draw_text(out, (_LEFT, 20), title, 15, _INK)
    x, y = (np.concatenate([np.asarray(getattr(line, axis), np.float64) for line in lines]) for axis in "xy")
    low, high = 0.0 if from_zero else float(y.min()), float(y.max())
    left, right = (0.0 if x.min() >= 0 else float(x.min())), float(x.max())

    def place(at: NDArray, value: NDArray) -> NDArray[np.float64]:
        across = _LEFT + (at - left) / max(right - left, 1e-9) * (width - _LEFT - 14)
        down = _TOP + (high - value) / max(high - low, 1e-9) * (_HEIGHT - _TOP - _BELOW)
        return np.stack([across, down], 1)

    for value in _choose_ticks(low, high):
        row = round(float(place(np.zeros(1), np.array([value]))[0, 1]))
        out[row, _LEFT : width - 14] = _GRID
        draw_text(out, (6, row + 5), f"{value:g}", 13, _INK)
    for value in _choose_ticks(left, right):
        draw_text(out, (float(place(np.array([value]), np.zeros(1))[0, 0]) - 4, _HEIGHT - 12), f"{value:g}", 13, _INK)
    for line in lines:
        draw_polyline(out, place(np.asarray(line.x, np.float64), np.asarray(line.y)), line.color, width_px=2)
    return out


def write_figure(path: Path, figure: U8) -> None:
    """Keep a figure."""
    with atomic_path(path) as temporary:
        write_image(temporary, np.ascontiguousarray(figure))


def _beside(plots: Sequence[U8]) -> U8:
    """Two in a row, on paper where one is missing."""
    every = [*plots, *[np.full_like(plots[0], 250)] * (len(plots) % 2)]
    return np.concatenate([np.concatenate(every[k : k + 2], axis=1) for k in range(0, len(every), 2)])


def _choose_ticks(low: float, high: float) -> NDArray[np.float64]:
    step = 10 ** np.floor(np.log10(max(high - low, 1e-9)))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if (high - low) / s <= 7)
    return np.round(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, 9)
