"""Landmarks drawn as a face, some moments of a sequence side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..images.draw import draw_dots, draw_polyline
from ..landmarks.layout import Layout, layout_of

_SIDE, _MOMENTS = 150, 8
_PAPER, _INK, _REST = (250, 250, 248), (40, 60, 110), (205, 205, 200)


def draw_strip(
    scheme: str, rest: NDArray[np.floating], displacements: NDArray[np.floating], *, moments: int = _MOMENTS
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: the face from the front at some moments, over its neutral.

    Args:
        rest: (L, 3) m, head space.  displacements: (F, L, 3) m.
    """
    layout = layout_of(scheme)
    picks = np.linspace(0, len(displacements) - 1, moments).round().astype(int)
    middle = rest[:, [0, 2]].mean(axis=0)
    scale = 0.82 * _SIDE / float(np.ptp(rest[:, [0, 2]], axis=0).max())
    frames = []
    for pick in picks:
        tile = np.full((_SIDE, _SIDE, 3), _PAPER, np.uint8)
        for points, ink in ((rest, _REST), (rest + displacements[pick], _INK)):
            # Seen from the front the face's left is on the right.
            flat = (points[:, [0, 2]] - middle) * scale * (1.0, -1.0) + _SIDE / 2
            _draw(tile, flat, layout, ink)
        frames.append(tile)
    return np.concatenate(frames, axis=1)


def _draw(tile: NDArray[np.uint8], points: NDArray[np.floating], layout: Layout, ink: tuple[int, int, int]) -> None:
    loops = (
        (*layout.lips_outer_upper, *reversed(layout.lips_outer_lower)),
        (*layout.lips_inner_upper, *reversed(layout.lips_inner_lower)),
        (*layout.upper_lid_right, *reversed(layout.lower_lid_right)),
        (*layout.upper_lid_left, *reversed(layout.lower_lid_left)),
    )
    for loop in loops:
        draw_polyline(tile, points[list(loop)], ink, closed=True)
    for line in (layout.jaw, layout.brow_right, layout.brow_left):
        draw_polyline(tile, points[list(line)], ink)
    draw_dots(tile, points[list(layout.nose)], 1.0, ink)
