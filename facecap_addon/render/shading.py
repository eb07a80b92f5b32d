"""Normals, and light from nine spherical-harmonics coefficients."""

from __future__ import annotations

from math import pi, sqrt

import torch
from torch import Tensor

from . import shade_cpu

# Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", 2001, equations 3 and 13:
# the basis' constants times the transfer of a Lambertian surface, over pi, so that a white surface under light 1 is 1.
_ZEROTH = sqrt(1 / (4 * pi))
_FIRST = sqrt(3 / (4 * pi)) * 2 / 3
_SECOND = (sqrt(15 / (4 * pi)) / 4, sqrt(5 / (16 * pi)) / 4, sqrt(15 / (16 * pi)) / 4)


def vertex_normals(points: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals: the mean of the neighbouring triangles' weighted by area.

    Args:
        points: (N, V, 3) any unit.  triangles: (T, 3) int, counter-clockwise seen from outside.
    Returns:
        (N, V, 3), outward; zero where a vertex has no triangle with an area.
    """
    if shade_cpu.can_compile(points, triangles):
        return shade_cpu.compute_normals(points, triangles)
    corner = triangles.long()
    a, b, c = (points[:, corner[:, k]] for k in range(3))
    face = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(points)
    for k in range(3):
        total = total.index_add(1, corner[:, k], face)
    squared = (total * total).sum(-1, keepdim=True)
    return total * torch.where(squared > 0, squared, 1.0).rsqrt()


def harmonics(normals: Tensor) -> Tensor:
    """The nine real spherical harmonics up to order two, as irradiance sees them.

    Args:
        normals: (..., 3) unit vectors.
    Returns:
        (..., 9) in the order 1, y, z, x, xy, yz, 3z²-1, xz, x²-y².
    """
    x, y, z = normals.unbind(-1)
    xy, z2, x2y2 = _SECOND
    one = torch.ones_like(x)
    return torch.stack(
        [
            _ZEROTH * one,
            *(_FIRST * value for value in (y, z, x)),
            xy * x * y,
            xy * y * z,
            z2 * (3 * z * z - 1),
            xy * x * z,
            x2y2 * (x * x - y * y),
        ],
        -1,
    )


def irradiance(normals: Tensor, light: Tensor) -> Tensor:
    """Light on a surface.

    Args:
        normals: (N, V, 3) unit vectors, camera space.
        light: (9, 3) or (N, 9, 3), coefficients per colour channel, in the order of `harmonics`.
    Returns:
        (N, V, 3), linear; times albedo over 1 it is what the camera sees.
    """
    return harmonics(normals) @ light


def encode_srgb(linear: Tensor) -> Tensor:
    """sRGB in 0..1 from linear light (IEC 61966-2-1); clipped to what a picture can hold."""
    light = linear.clamp(0.0, 1.0)
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def decode_srgb(srgb: Tensor) -> Tensor:
    """Linear light from sRGB in 0..1."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
