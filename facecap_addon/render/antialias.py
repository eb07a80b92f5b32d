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
    """Find neighbours; vertices at the same place count as one, as meshes are cut along their texture's seams.

    Args:
        triangles: (T, 3) int.  vertices: (V, 3) m, the neutral.
    """
    extent = float(np.ptp(vertices, axis=0).max(initial=0.0)) or 1.0
    grid = np.round(np.asarray(vertices, np.float64) / (extent * 1e-6)).astype(np.int64)
    welded = np.unique(grid, axis=0, return_inverse=True)[1].reshape(-1)[triangles]
    count = len(triangles)
    edge = np.stack([np.sort(welded[:, list(pair)], axis=1) for pair in _EDGES], axis=1).reshape(-1, 2)
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
    found = crossings(points_px.detach(), depth_m.detach(), fragments, topology)
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


def crossings(points_px: Tensor, depth_m: Tensor, fragments: Fragments, topology: Topology) -> Crossings:
    """Find where outlines run between pixels; arguments as `antialias`, without derivatives."""
    _, height, width = fragments.shape
    triangles = topology.triangles.long()
    count = len(triangles)
    tri = fragments.triangle.long()
    flat = tri.reshape(-1)
    outline = _outline_edges(points_px, topology)  # (N T, 3)
    nearness = _nearness(points_px, depth_m, fragments)
    pixels = torch.arange(len(flat), device=flat.device).reshape(tri.shape)
    parts: list[tuple[Tensor, ...]] = []
    for vertical in (False, True):
        if vertical:
            one, other = pixels[:, :-1].reshape(-1), pixels[:, 1:].reshape(-1)
        else:
            one, other = pixels[:, :, :-1].reshape(-1), pixels[:, :, 1:].reshape(-1)
        differ = torch.nonzero(flat[one] != flat[other])[:, 0]
        one, other = one[differ], other[differ]
        first_near = nearness[one] >= nearness[other]
        near, far = torch.where(first_near, one, other), torch.where(first_near, other, one)
        frame = near // (height * width)
        # The outline may belong to a neighbour of the triangle that is seen: triangles are often as small as pixels.
        around = torch.cat([flat[near, None], topology.across[flat[near]]], 1)  # (M, 4)
        has = outline[frame[:, None] * count + around.clamp(min=0)] & (around >= 0)[..., None]
        some = torch.nonzero(has.flatten(1).any(1))[:, 0]
        near, far, frame, has, around = near[some], far[some], frame[some], has[some], around[some]
        direction = torch.where(first_near[some], 1, -1)
        centre = torch.stack([near % width, near // width % height], 1)
        corner = triangles[around.clamp(min=0)] + (frame * fragments.vertices)[:, None, None]
        ends = corner[:, :, _EDGES].flatten(1, 2)  # (M, 12, 2)
        at = points_px.reshape(-1, 2)[ends] - centre[:, None, None].to(points_px.dtype)
        along, across = (at[..., 1], at[..., 0]) if vertical else (at[..., 0], at[..., 1])
        rise, run = across[..., 1] - across[..., 0], along[..., 1] - along[..., 0]
        # An edge is crossed the way it is steepest, once: so the area it bounds grows as it moves.
        steep = (rise.abs() > run.abs()) | ((rise.abs() == run.abs()) & (not vertical))
        meets = has.flatten(1) & steep & ((across[..., 0] < 0) != (across[..., 1] < 0))
        where = (along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]) / torch.where(meets, rise, 1.0)
        where = where * direction[:, None]
        meets &= (where >= 0) & (where <= 1)
        hit = torch.nonzero(meets.any(1))[:, 0]
        # Of several edges the one furthest out is where the surface ends.
        last = torch.where(meets, where, -1.0)[hit].argmax(1)
        edge = ends[hit, last]
        parts.append(
            (near[hit], far[hit], edge, centre[hit], torch.full_like(hit, vertical, dtype=torch.bool), direction[hit])
        )
    return Crossings(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _nearness(points_px: Tensor, depth_m: Tensor, fragments: Fragments) -> Tensor:
    """(N H W) reciprocal depth at every pixel's centre, 0 where nothing is seen."""
    frames, height, width = fragments.shape
    at = points_px.reshape(-1, 2)[fragments.corner] - fragments.centres(points_px.dtype)[:, None]
    x, y = at[..., 0], at[..., 1]
    area = torch.stack([x[:, i] * y[:, j] - x[:, j] * y[:, i] for i, j in _EDGES], 1)
    inverse = (area / depth_m.reshape(-1)[fragments.corner]).sum(1) / area.sum(1)
    out = torch.zeros(frames * height * width, dtype=points_px.dtype, device=points_px.device)
    out[fragments.pixel] = inverse
    return out


def _outline_edges(points_px: Tensor, topology: Topology) -> Tensor:
    """(N T, 3) bool: edges at which the surface ends, or turns from facing the camera to facing away."""
    corner = points_px[:, topology.triangles.long()]
    first, second = corner[:, :, 1] - corner[:, :, 0], corner[:, :, 2] - corner[:, :, 0]
    faces = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0] > 0
    across = topology.across
    turns = faces[:, across.clamp(min=0)] != faces[..., None]
    return ((turns & (across >= 0)) | (across == -1)).reshape(-1, 3)
