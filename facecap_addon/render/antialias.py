"""Silhouettes: pixels beside an outline take a share of both sides, and so the picture has a derivative there.

As in nvdiffrast (Laine et al. 2020, section 3.4): between two neighbouring pixels that see different surfaces, the
outline of the nearer one is looked up, and where it crosses the line between the pixels' centres says how much of one
colour goes over to the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry.weld import welded
from .fragments import Fragments

# The edge opposite each corner.
_EDGES = [[1, 2], [2, 0], [0, 1]]


@dataclass(frozen=True)
class Topology:
    """Triangles and their neighbours.

    Attributes:
        triangles: (T, 3) int32.
        across: (T, 3) int64, the triangle beyond the edge opposite each corner; -1 at a border, -2 where more than two
            triangles meet.
    """

    triangles: Tensor
    across: Tensor


def topology_of(triangles: NDArray[np.integer], vertices: NDArray[np.floating], device: str = "cpu") -> Topology:
    """Find neighbours; vertices at the same place count as one.

    Args:
        triangles: (T, 3) int.  vertices: (V, 3) m, the neutral.
    """
    corner, count = welded(vertices)[triangles], len(triangles)
    edge = np.stack([np.sort(corner[:, list(pair)], axis=1) for pair in _EDGES], axis=1).reshape(-1, 2)
    number = np.unique(edge, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(number, kind="stable")
    sorted_number = number[order]
    across = np.full(3 * count, -1, np.int64)
    members = np.bincount(number)
    across[members[number] > 2] = -2
    pairs = np.flatnonzero((sorted_number[1:] == sorted_number[:-1]) & (members[sorted_number[1:]] == 2))
    one, other = order[pairs], order[pairs + 1]
    across[one], across[other] = other // 3, one // 3
    return Topology(
        torch.from_numpy(np.ascontiguousarray(triangles, np.int32)).to(device),
        torch.from_numpy(across.reshape(count, 3)).to(device),
    )


def antialias(picture: Tensor, points_px: Tensor, depth_m: Tensor, fragments: Fragments, topology: Topology) -> Tensor:
    """Smooth outlines, differentiably in the colours and in the places of the outline's vertices.

    Args:
        picture: (N, H, W, C).  points_px: (N, V, 2) px.  depth_m: (N, V) m.
    Returns:
        (N, H, W, C).
    """
    found = find_crossings(points_px.detach(), depth_m.detach(), fragments, topology)
    if not len(found.near):
        return picture
    share = crossing_share(points_px.reshape(-1, 2)[found.edge], found)
    flat = picture.reshape(-1, picture.shape[-1])
    near, far = flat[found.near], flat[found.far]
    # Beyond the middle the near surface covers a part of the far pixel; before it, the far one a part of the near.
    target = torch.where(share > 0, found.far, found.near)
    return flat.index_add(0, target, share[:, None] * (near - far)).reshape(picture.shape)


def crossing_share(ends: Tensor, found: Crossings) -> Tensor:
    """(M,) how far beyond the middle between two pixels an outline's edge lies, -½..½; ends (M, 2, 2) px, its vertices.

    Positive: the near surface covers so much of the far pixel; negative: the far one so much of the near pixel.
    """
    start, end = ends.unbind(1)
    centre = found.centre.to(ends.dtype)
    along = found.vertical.long()
    across = 1 - along
    row = torch.arange(len(along), device=along.device)
    s0, s1 = start[row, across] - centre[row, across], end[row, across] - centre[row, across]
    p0, p1 = start[row, along] - centre[row, along], end[row, along] - centre[row, along]
    return (p0 * s1 - p1 * s0) / (s1 - s0) * found.direction.to(ends.dtype) - 0.5


@dataclass(frozen=True)
class Crossings:
    """M places where an outline runs between two neighbouring pixels.

    Attributes:
        near, far: (M,) int64 pixels, counted through all pictures: on the surface with the outline, and beside it.
        edge: (M, 2) int64 vertices, counted through all frames.
        centre: (M, 2) int64, x and y of the near pixel.
        vertical: (M,) bool, whether the far pixel is above or below.  direction: (M,) int64, 1 if right or below.
    """

    near: Tensor
    far: Tensor
    edge: Tensor
    centre: Tensor
    vertical: Tensor
    direction: Tensor


def find_crossings(points_px: Tensor, depth_m: Tensor, fragments: Fragments, topology: Topology) -> Crossings:
    """Find where outlines run between pixels; arguments as `antialias`, without derivatives.

    Every edge of an outline is followed through the rows (or, if it lies flatter, the columns) of pixel centres that it
    crosses, however small its triangles are. It counts where its surface is seen on its own side and something further
    away, or nothing, on the other.
    """
    _, height, width = fragments.shape
    edge, third = _outline(points_px, topology)
    flat_points, inverse = points_px.reshape(-1, 2), 1 / depth_m.reshape(-1)
    inverse_depth = fragments.inverse_depth.reshape(-1)
    ends = flat_points[edge]
    steep = (ends[:, 1, 1] - ends[:, 0, 1]).abs() >= (ends[:, 1, 0] - ends[:, 0, 0]).abs()
    parts: list[tuple[Tensor, ...]] = []
    for vertical in (False, True):
        chosen = torch.nonzero(steep != vertical)[:, 0]
        lines, limit = (width, height) if vertical else (height, width)
        along, across = (1, 0) if vertical else (0, 1)  # along the pair of pixels; across it, the edge's own direction
        a, b = ends[chosen, 0], ends[chosen, 1]
        first = torch.ceil(torch.minimum(a[:, across], b[:, across])).clamp(0, lines)
        last = torch.ceil(torch.maximum(a[:, across], b[:, across])).clamp(0, lines)
        count = torch.nan_to_num(last - first).long()
        owner = torch.repeat_interleave(torch.arange(len(chosen), device=count.device), count)
        begun = torch.cumsum(count, 0) - count
        line = first[owner].long() + torch.arange(len(owner), device=count.device) - begun[owner]
        share = (line - a[owner, across]) / (b[owner, across] - a[owner, across])
        place = a[owner, along] + share * (b[owner, along] - a[owner, along])
        before = torch.floor(place)
        number = chosen[owner]
        # Which side of the edge its surface lies on.
        third_at = flat_points[third[number]]
        on_edge = a[owner, along] + (third_at[:, across] - a[owner, across]) / (b[owner, across] - a[owner, across]) * (
            b[owner, along] - a[owner, along]
        )
        low_side = third_at[:, along] < on_edge
        inside = (before >= 0) & (before < limit - 1)
        kept = torch.nonzero(inside)[:, 0]
        owner, line, before, number, low_side = (
            owner[kept],
            line[kept],
            before[kept].long(),
            number[kept],
            low_side[kept],
        )
        share = share[kept]
        frame = edge[number, 0] // fragments.vertices
        low_pixel = _pixel(frame, before, line, vertical, height, width)
        high_pixel = _pixel(frame, before + 1, line, vertical, height, width)
        near, far = torch.where(low_side, low_pixel, high_pixel), torch.where(low_side, high_pixel, low_pixel)
        here = inverse[edge[number, 0]] * (1 - share) + inverse[edge[number, 1]] * share
        seen = (inverse_depth[near] > here * (1 - _SAME)) & (inverse_depth[near] < here * (1 + _SAME))
        seen &= inverse_depth[far] < here * (1 - _BEHIND)
        hit = torch.nonzero(seen)[:, 0]
        near, far, number, low_side, before, line = (
            values[hit] for values in (near, far, number, low_side, before, line)
        )
        at = torch.where(low_side, before, before + 1)
        centre = torch.stack([line, at] if vertical else [at, line], 1)
        direction = torch.where(low_side, 1, -1)
        parts.append((near, far, edge[number], centre, torch.full_like(near, vertical, dtype=torch.bool), direction))
    found = Crossings(*(torch.cat(columns) for columns in zip(*parts, strict=True)))
    return _outermost(found, points_px)


# A surface's depth changes fast where it turns away: so much (of the depth) still counts as the edge's own surface, and
# what lies further behind it than this is another one.
_SAME, _BEHIND = 0.03, 2e-5


def _pixel(frame: Tensor, along: Tensor, line: Tensor, vertical: bool, height: int, width: int) -> Tensor:
    x, y = (line, along) if vertical else (along, line)
    return (frame * height + y) * width + x


def _outermost(found: Crossings, points_px: Tensor) -> Crossings:
    """Of several edges between the same two pixels the one furthest out: there the surface ends."""
    if not len(found.near):
        return found
    share = crossing_share(points_px.reshape(-1, 2)[found.edge], found)
    order = torch.argsort(share)
    pair = found.near[order] * (int(found.near.max()) + int(found.far.max()) + 2) + found.far[order]
    by_pair = torch.argsort(pair, stable=True)
    pair = pair[by_pair]
    last = torch.ones_like(pair, dtype=torch.bool)
    last[:-1] = pair[1:] != pair[:-1]
    kept = order[by_pair[last]]
    return Crossings(*(getattr(found, name)[kept] for name in found.__dataclass_fields__))


def _outline(points_px: Tensor, topology: Topology) -> tuple[Tensor, Tensor]:
    """Edges at which the surface ends, or turns from facing the camera to facing away.

    Returns:
        (M, 2) vertices of each, counted through all frames; (M,) the third corner of a triangle at it.
    """
    triangles = topology.triangles.long()
    vertices = points_px.shape[1]
    corner = points_px[:, triangles]
    first, second = corner[:, :, 1] - corner[:, :, 0], corner[:, :, 2] - corner[:, :, 0]
    faces = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0] > 0
    across = topology.across
    turns = faces[:, across.clamp(min=0)] != faces[..., None]
    # A fold belongs to two triangles: it is taken once, from the one with the lower number.
    number = torch.arange(len(triangles), device=across.device)[:, None]
    here = (turns & (across > number)) | (across == -1)
    frame, triangle, opposite = torch.nonzero(here, as_tuple=True)
    ends = triangles[triangle[:, None], torch.tensor(_EDGES, device=across.device)[opposite]]
    shift = (frame * vertices)[:, None]
    return ends + shift, triangles[triangle, opposite] + shift[:, 0]
