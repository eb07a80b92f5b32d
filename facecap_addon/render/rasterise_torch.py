"""Which triangle every pixel sees, in torch alone: for graphics cards, and as the compiled version's second opinion."""

from __future__ import annotations

import torch
from torch import Tensor

# Candidates (a triangle and a pixel of its box) looked at together; they bound the memory, about 100 bytes each.
_CHUNK_PIXELS = 1 << 22


def rasterise_torch(
    points_px: Tensor, depth_m: Tensor, triangles: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """The nearest triangle at every pixel centre; arguments and result as `rasterise_cpu`'s, as tensors."""
    frames = len(points_px)
    nearest = torch.full((frames * height * width,), -1, dtype=torch.int64, device=points_px.device)
    corner = points_px[:, triangles.long()].reshape(-1, 3, 2)
    depth = depth_m[:, triangles.long()].reshape(-1, 3)
    low, high = corner.amin(1), corner.amax(1)
    limit = corner.new_tensor([width - 1.0, height - 1.0])
    first = torch.ceil(low).clamp(min=0.0)
    last = torch.minimum(torch.floor(high), limit)
    area = _cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    usable = (depth > 0).all(1) & (area != 0) & torch.isfinite(area) & torch.isfinite(depth).all(1)
    usable &= (first <= last).all(1)
    kept = torch.nonzero(usable)[:, 0]
    first, count = first[kept].long(), (last - first)[kept].long() + 1
    total = count[:, 0] * count[:, 1]
    ends = torch.cumsum(total, 0)
    start = 0
    while start < len(kept):  # pieces of triangles whose boxes hold so many pixels
        begun = int(ends[start - 1]) if start else 0
        stop = max(int(torch.searchsorted(ends, begun + _CHUNK_PIXELS)), start + 1)
        piece = slice(start, stop)
        _draw(nearest, kept[piece], first[piece], count[piece], corner, depth, triangles, (height, width))
        start = stop
    seen = nearest >= 0
    triangle = torch.where(seen, _LAST - (nearest & _LAST), -1)
    inverse_depth = torch.where(seen, (nearest >> 31).to(torch.int32).view(torch.float32), 0.0).to(points_px.dtype)
    return triangle.to(torch.int32).reshape(frames, height, width), inverse_depth.reshape(frames, height, width)


_LAST = (1 << 31) - 1


def _draw(
    nearest: Tensor,
    which: Tensor,
    first: Tensor,
    count: Tensor,
    corner: Tensor,
    depth: Tensor,
    triangles: Tensor,
    size: tuple[int, int],
) -> None:
    """Write some triangles into (N H W) int64 codes: inverse depth above, triangle below, the largest wins."""
    height, width = size
    total = count[:, 0] * count[:, 1]
    owner = torch.repeat_interleave(torch.arange(len(which), device=which.device), total)
    within = torch.arange(len(owner), device=which.device) - torch.repeat_interleave(
        torch.cumsum(total, 0) - total, total
    )
    x = first[owner, 0] + within % count[owner, 0]
    y = first[owner, 1] + within // count[owner, 0]
    at, number = corner[which][owner], which[owner] % len(triangles)
    pixel = torch.stack([x, y], 1).to(corner.dtype)
    order = triangles.long()[number]
    flip = torch.sign(_cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]))
    weights, inside = [], torch.ones_like(x, dtype=torch.bool)
    for i, j in ((1, 2), (2, 0), (0, 1)):
        side = _side(at[:, i], at[:, j], order[:, i] < order[:, j], pixel) * flip
        along = (at[:, j] - at[:, i]) * flip[:, None]
        owned = (along[:, 1] < 0) | ((along[:, 1] == 0) & (along[:, 0] > 0))
        inside &= (side > 0) | ((side == 0) & owned)
        weights.append(side)
    weight = torch.stack(weights, 1)
    inverse = (weight / depth[which][owner]).sum(1) / weight.sum(1)
    inside &= inverse > 0
    # A positive float's bits rise with it; of equally near triangles the first one wins.
    bits = inverse.float().contiguous().view(torch.int32).long()
    code = (bits << 31) | (_LAST - number)
    place = (which[owner] // len(triangles)) * (height * width) + y * width + x
    nearest.scatter_reduce_(0, place[inside], code[inside], "amax")


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _side(a: Tensor, b: Tensor, in_order: Tensor, pixel: Tensor) -> Tensor:
    """Twice the area of (a, b, pixel); exactly its negative for (b, a, pixel), so that neighbours agree."""
    one, other = torch.where(in_order[:, None], a, b), torch.where(in_order[:, None], b, a)
    return torch.where(in_order, 1.0, -1.0) * _cross(other - one, pixel - one)
