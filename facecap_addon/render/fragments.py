"""What every covered pixel sees, and values of vertices carried to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import rasterise_torch


@dataclass(frozen=True)
class Fragments:
    """The covered pixels of N pictures.

    Attributes:
        triangle: (N, H, W) int32, the triangle that each pixel sees, -1 for none.
        inverse_depth: (N, H, W) 1/m, one over the depth of what each pixel sees, 0 where it sees nothing.
        pixel: (P,) int64, covered pixels, counted through all pictures: (n H + y) W + x.
        corner: (P, 3) int64, corners of the triangle seen, counted through all vertices: n V + v.
        vertices: V, the mesh's vertices.
    """

    triangle: Tensor
    inverse_depth: Tensor
    pixel: Tensor
    corner: Tensor
    vertices: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, H, W)."""
        frames, height, width = self.triangle.shape
        return frames, height, width

    def centres(self, dtype: torch.dtype) -> Tensor:
        """(P, 2) x and y of the covered pixels."""
        _, height, width = self.shape
        return torch.stack([self.pixel % width, self.pixel // width % height], 1).to(dtype)


def rasterise(points_px: Tensor, depth_m: Tensor, triangles: Tensor, height: int, width: int) -> Fragments:
    """Find what every pixel sees. There are no derivatives here.

    Args:
        points_px: (N, V, 2) float32 or float64, pixels; the centre of the pixel in column i is at x = i.
        depth_m: (N, V) metres along the camera's axis; triangles that reach behind the camera are left out.
        triangles: (T, 3) int32 on the same device.  height, width: of the pictures, pixels.
    """
    points, depth = points_px.detach(), depth_m.detach()
    if points.device.type == "cpu":
        from . import rasterise_cpu  # numba is for the CPU alone

        found = rasterise_cpu.rasterise_cpu(points.numpy(), depth.numpy(), triangles.numpy(), height, width)
        triangle, inverse_depth = (torch.from_numpy(values) for values in found)
    else:
        triangle, inverse_depth = rasterise_torch.rasterise_torch(points, depth, triangles, height, width)
    flat = triangle.reshape(-1)
    pixel = torch.nonzero(flat >= 0)[:, 0]
    vertices = points.shape[1]
    frame = pixel // (height * width)
    corner = triangles[flat[pixel]].long() + (frame * vertices)[:, None]
    return Fragments(triangle, inverse_depth, pixel, corner, vertices)


def barycentrics(points_px: Tensor, depth_m: Tensor, fragments: Fragments) -> Tensor:
    """Perspective-correct barycentrics of the covered pixels.

    Args:
        points_px: (N, V, 2) px.  depth_m: (N, V) m; both as rasterised.
    Returns:
        (P, 3), summing to 1; differentiable.
    """
    share = corner_areas(points_px.reshape(-1, 2)[fragments.corner], fragments) / depth_m.reshape(-1)[fragments.corner]
    return share / share.sum(1, keepdim=True)


def corner_areas(corners_px: Tensor, fragments: Fragments) -> Tensor:
    """(P, 3) twice the area between each covered pixel's centre and the side opposite each corner (P, 3, 2), px²."""
    x, y = (corners_px - fragments.centres(corners_px.dtype)[:, None]).unbind(-1)
    return torch.stack([x[:, i] * y[:, j] - x[:, j] * y[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], 1)


def interpolate(values: Tensor, barycentric: Tensor, fragments: Fragments) -> Tensor:
    """Values of vertices at the covered pixels.

    Args:
        values: (N, V, C).  barycentric: (P, 3).
    Returns:
        (P, C); differentiable in both.
    """
    corners = values.reshape(-1, values.shape[-1])[fragments.corner]
    return (barycentric[..., None] * corners).sum(1)


def to_picture(values: Tensor, fragments: Fragments, background: Tensor) -> Tensor:
    """Put values of covered pixels (P, C) into pictures.

    Args:
        background: (C,), (N, 1, 1, C) or (N, H, W, C), what is seen elsewhere.
    Returns:
        (N, H, W, C).
    """
    frames, height, width = fragments.shape
    channels = values.shape[-1]
    flat = background.expand(frames, height, width, channels).reshape(-1, channels)
    return flat.index_put((fragments.pixel,), values).reshape(frames, height, width, channels)
