"""A lit surface as the camera sees it: the primitives put together."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as functional
from torch import Tensor

from . import shade_cpu
from .antialias import Topology, antialias
from .fragments import barycentrics, interpolate, rasterise, to_picture
from .shading import encode_srgb, irradiance, vertex_normals


@dataclass(frozen=True)
class Appearance:
    """What a surface is made of, and the light on it.

    Attributes:
        albedo: (V, 3) linear.
        light: (9, 3) spherical-harmonics coefficients in camera space, see `shading.harmonics`.
        occlusion: (N, V) or None: share of the light that reaches each vertex, see `ambient_occlusion`.
    """

    albedo: Tensor
    light: Tensor
    occlusion: Tensor | None = None


def vertex_light(points: Tensor, topology: Topology, appearance: Appearance) -> Tensor:
    """(N, V, 3) light that each vertex reflects; points (N, V, 3) m."""
    light = irradiance(vertex_normals(points, topology.triangles), appearance.light)
    if appearance.occlusion is not None:
        light = light * appearance.occlusion[..., None]
    return light * appearance.albedo


def render(
    points: Tensor,
    points_px: Tensor,
    depth_m: Tensor,
    topology: Topology,
    appearance: Appearance,
    background: Tensor,
    size: tuple[int, int],
    supersample: int = 1,
) -> Tensor:
    """Pictures of a surface; differentiable in everything but the topology.

    Args:
        points: (N, V, 3) m, camera space: they make the normals.
        points_px: (N, V, 2) px of the picture drawn, which is `supersample` times as large as the result.
        depth_m: (N, V) m.
        background: sRGB in 0..1; (3,), (N, 1, 1, 3) or (N, H, W, 3) of the picture drawn.
        size: (height, width) of the result.
    Returns:
        (N, H, W, 3) sRGB in 0..1.
    """
    height, width = size[0] * supersample, size[1] * supersample
    fragments = rasterise(points_px, depth_m, topology.triangles, height, width)
    light = vertex_light(points, topology, appearance)
    if shade_cpu.can_compile(points_px, light):
        picture = background.expand(len(points_px), height, width, 3).to(light.dtype).contiguous().clone()
        shade_cpu.shade(picture, light, points_px, depth_m, fragments)
    else:
        weights = barycentrics(points_px, depth_m, fragments)
        picture = to_picture(encode_srgb(interpolate(light, weights, fragments)), fragments, background)
    return pool_pixels(antialias(picture, points_px, depth_m, fragments, topology), supersample)


def pool_pixels(picture: Tensor, factor: int) -> Tensor:
    """(N, H / factor, W / factor, C): means of blocks of a picture (N, H, W, C)."""
    if factor == 1:
        return picture
    return functional.avg_pool2d(picture.permute(0, 3, 1, 2), factor).permute(0, 2, 3, 1)


def background_of(picture: Tensor, border_px: int = 6) -> Tensor:
    """(N, 1, 1, 3): the middle colour of the upper border of pictures (N, H, W, 3), to draw renders on."""
    return picture[:, :border_px].flatten(1, 2).median(dim=1).values[:, None, None]
