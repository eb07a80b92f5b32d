"""Normals and lit pictures without derivatives, compiled for the CPU: what the operations on tensors do, many times
faster."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays import I32, I64
from .fragments import Fragments
from .numba_jit import jit, jit_inline

Floats = NDArray[np.floating]


def can_compile(*tensors: Tensor) -> bool:
    """Whether nobody wants derivatives and everything is in this processor's memory."""
    return not torch.is_grad_enabled() and all(t.device.type == "cpu" for t in tensors)


def compute_normals(points: Tensor, triangles: Tensor) -> Tensor:
    """As `shading.vertex_normals`."""
    out = np.zeros(points.shape, points.numpy().dtype)
    for frame in range(len(out)):
        _normals(points[frame].numpy(), triangles.numpy(), out[frame])
    return torch.from_numpy(out)


def shade(picture: Tensor, light: Tensor, points_px: Tensor, depth_m: Tensor, fragments: Fragments) -> None:
    """Put the sRGB colours of covered pixels into pictures (N, H, W, 3); light (N, V, 3) linear, of vertices."""
    height, width = picture.shape[1:3]
    _paint(
        picture.reshape(-1, 3).numpy(),
        light.reshape(-1, 3).numpy(),
        points_px.reshape(-1, 2).numpy(),
        depth_m.reshape(-1).numpy(),
        fragments.pixel.numpy(),
        fragments.corner.numpy(),
        height,
        width,
    )


@jit
def _normals(points: Floats, triangles: I32, out: Floats) -> None:
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
        bx, by, bz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            out[v, 0] += x
            out[v, 1] += y
            out[v, 2] += z
    for v in range(out.shape[0]):
        squared = out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2
        if squared > 0:
            out[v] /= np.sqrt(squared)


@jit
def _paint(
    out: Floats, light: Floats, points: Floats, depth: Floats, pixel: I64, corner: I64, height: int, width: int
) -> None:
    for p in range(pixel.shape[0]):
        x, y = pixel[p] % width, pixel[p] // width % height
        i, j, k = corner[p, 0], corner[p, 1], corner[p, 2]
        xi, yi, xj, yj, xk, yk = (
            points[i, 0] - x,
            points[i, 1] - y,
            points[j, 0] - x,
            points[j, 1] - y,
            points[k, 0] - x,
            points[k, 1] - y,
        )
        wi = (xj * yk - xk * yj) / depth[i]
        wj = (xk * yi - xi * yk) / depth[j]
        wk = (xi * yj - xj * yi) / depth[k]
        scale = 1 / (wi + wj + wk)
        for c in range(3):
            out[pixel[p], c] = _srgb((wi * light[i, c] + wj * light[j, c] + wk * light[k, c]) * scale)


@jit_inline
def _srgb(light: float) -> float:
    value = min(max(light, 0.0), 1.0)
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
