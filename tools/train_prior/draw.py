"""A plain z-buffer renderer for training pictures, compiled with numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, fastmath=True)
def _draw(points, depth, shade, triangles, size, picture, buffer):
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area >= -1e-9:  # faces turned away: y points down, so the front side runs clockwise
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(np.floor(max(ax, bx, cx))), size - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), size - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1.0 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                z = u * depth[a] + v * depth[b] + w * depth[c]
                if z < buffer[y, x]:
                    buffer[y, x] = z
                    for k in range(3):
                        picture[y, x, k] = u * shade[a, k] + v * shade[b, k] + w * shade[c, k]


def draw(
    points_px: NDArray[np.float32],
    depth_m: NDArray[np.float32],
    shade: NDArray[np.float32],
    triangles: NDArray[np.int32],
    size: int,
    background: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Draw a shaded mesh over a background.

    Args:
        points_px: (V, 2).  depth_m: (V,).  shade: (V, 3) colours.  triangles: (T, 3).  background: (size, size, 3).
    Returns:
        (size, size, 3) float32.
    """
    picture = background.copy()
    buffer = np.full((size, size), np.inf, np.float32)
    _draw(points_px, depth_m, shade, triangles, size, picture, buffer)
    return picture
