"""Which triangle every pixel sees, on the CPU: a z-buffer compiled by numba, one frame after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from ..arrays import I32
from .numba_jit import jit, jit_inline

Floats = NDArray[np.floating]

_MOST_THREADS = 8


def rasterise_cpu(points_px: Floats, depth_m: Floats, triangles: I32, height: int, width: int) -> tuple[I32, Floats]:
    """The nearest triangle at every pixel centre, on as many threads as torch may use.

    A pixel on an edge belongs to the triangle for which that edge is a left or a top one, so neighbours leave no crack
    and cover no pixel twice.

    Args:
        points_px: (N, V, 2) float32 or float64, pixels; the centre of the pixel in column i is at x = i.
        depth_m: (N, V) of the same type, metres along the camera's axis. Triangles with a vertex at or behind the
            camera, or one that is not finite, are left out; so are those without area.
        triangles: (T, 3) int32.  height, width: of the picture, pixels.
    Returns:
        (N, H, W) int32, triangle indices, -1 where there is none; (N, H, W) one over its depth there, 0 for none.
    """
    frames = len(points_px)
    out = np.full((frames, height, width), -1, np.int32)
    inverse_depth = np.zeros((frames, height, width), points_px.dtype)
    threads = min(_MOST_THREADS, torch.get_num_threads())
    # A lone frame is split into bands of rows, one per thread.
    bands = 1 if frames >= threads else min(threads, height)
    edges = np.linspace(0, height, bands + 1).astype(int).tolist()
    work = [(frame, first, last) for frame in range(frames) for first, last in pairwise(edges)]

    def draw(item: tuple[int, int, int]) -> None:
        frame, first, last = item
        _draw(points_px[frame], depth_m[frame], triangles, first, last, out[frame], inverse_depth[frame])

    if threads == 1 or len(work) == 1:
        for item in work:
            draw(item)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(draw, work))
    return out, inverse_depth


@jit
def _draw(points: Floats, depth: Floats, triangles: I32, first: int, last: int, out: I32, nearest: Floats) -> None:
    """Draw rows first..last of one frame into out and nearest (H, W)."""
    width = out.shape[1]
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        zi, zj, zk = depth[i], depth[j], depth[k]
        if not (zi > 0 and zj > 0 and zk > 0):
            continue
        xi, yi, xj, yj, xk, yk = points[i, 0], points[i, 1], points[j, 0], points[j, 1], points[k, 0], points[k, 1]
        low_y, high_y = min(yi, yj, yk), max(yi, yj, yk)
        low_x, high_x = min(xi, xj, xk), max(xi, xj, xk)
        # Written so that a NaN leaves the triangle out.
        if not (high_y >= first and low_y <= last - 1 and high_x >= 0 and low_x <= width - 1):
            continue
        area = (xj - xi) * (yk - yi) - (yj - yi) * (xk - xi)
        if not (abs(area) > 0) or not np.isfinite(area):
            continue
        if area < 0:  # one orientation for both sides of a surface
            j, k = k, j
            xj, yj, zj, xk, yk, zk = xk, yk, zk, xj, yj, zj
            area = -area
        top, bottom = max(first, int(np.ceil(low_y))), min(last - 1, int(np.floor(high_y)))
        left, right = max(0, int(np.ceil(low_x))), min(width - 1, int(np.floor(high_x)))
        ri, rj, rk = 1 / zi, 1 / zj, 1 / zk
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                wi = _side(xj, yj, xk, yk, j < k, x, y)
                if wi < 0 or (wi == 0 and not _owned(xj, yj, xk, yk)):
                    continue
                wj = _side(xk, yk, xi, yi, k < i, x, y)
                if wj < 0 or (wj == 0 and not _owned(xk, yk, xi, yi)):
                    continue
                wk = _side(xi, yi, xj, yj, i < j, x, y)
                if wk < 0 or (wk == 0 and not _owned(xi, yi, xj, yj)):
                    continue
                inverse = (wi * ri + wj * rj + wk * rk) / (wi + wj + wk)
                if inverse > nearest[y, x]:
                    nearest[y, x] = inverse
                    out[y, x] = t


@jit_inline
def _side(ax: float, ay: float, bx: float, by: float, in_order: bool, x: int, y: int) -> float:
    """Twice the area of (a, b, pixel); exactly its negative for (b, a, pixel), so that neighbours agree."""
    if in_order:
        return (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return -((ax - bx) * (y - by) - (ay - by) * (x - bx))


@jit_inline
def _owned(ax: float, ay: float, bx: float, by: float) -> bool:
    """Whether pixels on the edge a -> b are the triangle's: of two neighbours only one runs it in this direction."""
    return by < ay or (by == ay and bx > ax)
