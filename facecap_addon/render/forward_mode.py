"""How a picture changes when the surface moves along many directions at once, on the CPU.

A pixel depends on the three vertices it sees, and an outline on two. Those few numbers per pixel come from torch's own
derivatives; carrying hundreds of directions through them is a gather that numba compiles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays import F32, I64
from .antialias import Topology, crossing_share, find_crossings
from .fragments import Fragments, corner_areas, rasterise, to_picture
from .numba_jit import jit
from .shading import encode_srgb


def render_with_derivatives(
    points_px: Tensor, depth_m: Tensor, light: Tensor, topology: Topology, background: Tensor, size: tuple[int, int]
) -> tuple[Tensor, PictureDerivatives]:
    """A picture, and what is needed to carry directions through it.

    Args:
        points_px: (V, 2) px.  depth_m: (V,) m.  light: (V, 3), see `renderer.vertex_light` (albedo per vertex).
        background: (3,) sRGB.  size: (height, width).
    Returns:
        (H, W, 3) sRGB, and its derivatives.
    """
    points, depth = points_px.detach(), depth_m.detach()
    fragments = rasterise(points[None], depth[None], topology.triangles, *size)
    values = torch.cat([points, depth[:, None], light.detach()], 1)
    with torch.enable_grad():
        corners = values[fragments.corner].requires_grad_()
        colors = _pixel_colors(corners, fragments)
        by_place = torch.stack(
            [torch.autograd.grad(colors[:, c].sum(), corners, retain_graph=c < 2)[0] for c in range(3)], 1
        )
    # Of the corners' light a colour channel depends on its own alone.
    own = torch.stack([by_place[:, c, :, 3 + c] for c in range(3)], 1)
    rough = to_picture(colors.detach(), fragments, background)
    found = find_crossings(points[None], depth[None], fragments, topology)
    flat = rough.reshape(-1, 3)
    with torch.enable_grad():
        ends = points[found.edge].requires_grad_()
        share = crossing_share(ends, found)
        by_end = torch.autograd.grad(share.sum(), ends)[0] if len(found.near) else torch.zeros_like(ends)
    share = share.detach()
    step = flat[found.near] - flat[found.far]
    target = torch.where(share > 0, found.far, found.near)
    picture = flat.index_add(0, target, share[:, None] * step).reshape(*size, 3)
    by_corner = np.ascontiguousarray(torch.cat([by_place[..., :3], own[..., None]], -1).numpy(), np.float32)
    inside = InsideDerivatives(fragments.pixel.numpy(), fragments.corner.numpy(), by_corner)
    outline = OutlineDerivatives(
        found.near.numpy(),
        found.far.numpy(),
        target.numpy(),
        share.numpy(),
        found.edge.numpy(),
        (by_end[:, None] * step[:, :, None, None]).numpy(),
    )
    return picture, PictureDerivatives(size, inside, outline)


@dataclass(frozen=True)
class InsideDerivatives:
    """How P covered pixels change with the corners of the triangle that they see.

    Attributes:
        pixel: (P,).  corner: (P, 3) vertices.
        by_corner: (P, 3, 3, 4) of each colour channel by each corner's place (x, y px), depth (m) and own light.
    """

    pixel: I64
    corner: I64
    by_corner: F32


@dataclass(frozen=True)
class OutlineDerivatives:
    """How pixels beside M crossings of an outline change; see `antialias`.

    Attributes:
        near, far: (M,) pixels of the crossing.  target: (M,) the one of them that takes a share of the other's colour.
        share: (M,) of their difference.  edge: (M, 2) vertices.
        by_end: (M, 3, 2, 2) of each colour channel by each end's place (x, y px).
    """

    near: I64
    far: I64
    target: I64
    share: F32
    edge: I64
    by_end: F32


class PictureDerivatives:
    """Carries directions of vertices to directions of the picture.

    Args:
        size: (height, width).  inside, outline: derivatives of its pixels.
    Attributes:
        seen: (S,) the vertices that the picture depends on, ascending.
    """

    def __init__(self, size: tuple[int, int], inside: InsideDerivatives, outline: OutlineDerivatives) -> None:
        self._size = size
        self.seen: I64 = np.unique(np.concatenate([inside.corner.reshape(-1), outline.edge.reshape(-1)]))
        # Corners and ends counted among the vertices that are seen.
        self._inside = replace(inside, corner=np.searchsorted(self.seen, inside.corner))
        self._outline = replace(outline, edge=np.searchsorted(self.seen, outline.edge))

    def jvp(self, moved: F32) -> F32:
        """Derivatives of the picture.

        Args:
            moved: (S, 6, D) float32, of each seen vertex along D directions: its place (x, y px), depth (m), light.
        Returns:
            (H, W, 3, D) float32.
        """
        many = moved.shape[2]
        out = np.zeros((self._size[0] * self._size[1], 3, many), np.float32)
        moved = np.ascontiguousarray(moved, np.float32)
        _gather(out, self._inside.pixel, self._inside.corner, self._inside.by_corner, moved)
        outline = self._outline
        if len(outline.target):
            change = outline.share[:, None, None] * (out[outline.near] - out[outline.far])
            change += np.einsum("mcea,mead->mcd", outline.by_end, moved[outline.edge, :2], optimize=True)
            np.add.at(out, outline.target, change)
        return out.reshape(*self._size, 3, many)


def find_neighbours(seen: I64, triangles: NDArray[np.int32], vertices: int) -> tuple[I64, I64]:
    """Vertices (S,) and their neighbours, ascending; and the triangles (T, 3) there, in these' numbers."""
    wanted = np.zeros(vertices, bool)
    wanted[seen] = True
    some = triangles[wanted[triangles].any(1)]
    wanted[some] = True
    number = np.cumsum(wanted) - 1
    return np.flatnonzero(wanted), number[some]


def differentiate_normals(points: F32, triangles: I64, moved: F32, seen: I64) -> tuple[F32, F32]:
    """Normals of some vertices, and how they turn when all vertices move.

    Args:
        points: (V, 3) m.  triangles: (T, 3).  moved: (V, 3, D) m along D directions.  seen: (S,) vertices.
    Returns:
        (S, 3) unit, zero where there is no area; (S, 3, D).
    """
    number = np.full(len(points), -1, np.int64)
    number[seen] = np.arange(len(seen))
    sums, bent = np.zeros((len(seen), 3), np.float32), np.zeros((len(seen), 3, moved.shape[2]), np.float32)
    _bend(points, triangles, np.ascontiguousarray(moved, np.float32), number, sums, bent)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    inverse = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    normals = sums * inverse
    bent *= inverse[:, :, None]
    bent -= normals[:, :, None] * (normals[:, None] @ bent)
    return normals, bent


@jit
def _bend(points: F32, triangles: I64, moved: F32, number: I64, sums: F32, bent: F32) -> None:
    many = moved.shape[2]
    turned = np.empty((3, many), np.float32)
    for t in range(triangles.shape[0]):
        turned[:] = 0
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        normal = np.cross(b - a, c - a)
        # d (b - a) x (c - a) = Σ over corners of how it moves x the side opposite.
        for k in range(3):
            side = points[triangles[t, (k + 1) % 3]] - points[triangles[t, (k + 2) % 3]]
            along = moved[triangles[t, k]]
            for d in range(many):
                turned[0, d] += along[1, d] * side[2] - along[2, d] * side[1]
                turned[1, d] += along[2, d] * side[0] - along[0, d] * side[2]
                turned[2, d] += along[0, d] * side[1] - along[1, d] * side[0]
        for k in range(3):
            row = number[triangles[t, k]]
            if row >= 0:
                for axis in range(3):
                    sums[row, axis] += normal[axis]
                    for d in range(many):
                        bent[row, axis, d] += turned[axis, d]


def _pixel_colors(corners: Tensor, fragments: Fragments) -> Tensor:
    """(P, 3) sRGB from what each pixel's corners (P, 3, 6) are: place, depth, light."""
    share = corner_areas(corners[..., :2], fragments) / corners[..., 2]
    weights = share / share.sum(1, keepdim=True)
    return encode_srgb((weights[..., None] * corners[..., 3:]).sum(1))


@jit
def _gather(out: F32, pixel: I64, corner: I64, by_corner: F32, moved: F32) -> None:
    many = moved.shape[2]
    for p in range(pixel.shape[0]):
        for c in range(3):
            row = out[pixel[p], c]
            for i in range(3):
                vertex = moved[corner[p, i]]
                gx, gy = by_corner[p, c, i, 0], by_corner[p, c, i, 1]
                gz, gl = by_corner[p, c, i, 2], by_corner[p, c, i, 3]
                for d in range(many):
                    row[d] += gx * vertex[0, d] + gy * vertex[1, d] + gz * vertex[2, d] + gl * vertex[3 + c, d]
