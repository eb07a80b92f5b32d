"""A z-buffer rasteriser in plain numpy: which triangle every pixel sees, and a picture shaded from that.

Triangles are cut into rows of pixels, all triangles at once, so only pixels that are covered are ever looked at. A pixel
belongs to a triangle if its centre lies on or right of the left edge and left of the right edge, and on or below the top
and above the bottom. An edge shared by two triangles is computed from the same two points in the same order, so
neighbours leave no crack and cover no pixel twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Ints = NDArray[np.intp]

# Rows and pixels that are worked on at once; they bound the memory (about 60 bytes a pixel).
_ROWS_AT_ONCE = 1 << 20
_PIXELS_AT_ONCE = 1 << 22
_SKIN = np.array([0.72, 0.52, 0.43], np.float32)
_FILL_DIRECTION = np.array([0.6, 0.1, -0.8], np.float32)
_FILL = 0.12
# Encoding of linear light to sRGB bytes (IEC 61966-2-1), as a table.
_LINEAR = np.linspace(0.0, 1.0, 4096)
_SRGB = np.round(
    255 * np.where(_LINEAR <= 0.0031308, 12.92 * _LINEAR, 1.055 * np.maximum(_LINEAR, 1e-9) ** (1 / 2.4) - 0.055)
).astype(np.uint8)


@dataclass(frozen=True)
class Fragments:
    """What every pixel of a picture sees.

    Attributes:
        triangle: (H, W) int32, index of the nearest triangle, -1 where there is none.
        barycentric: (H, W, 3) float32, perspective-correct, summing to 1; 0 where there is no triangle.
        depth_m: (H, W) float32, metres along the camera's axis; infinite where there is no triangle.
    """

    triangle: I32
    barycentric: F32
    depth_m: F32


def rasterise(
    points_px: NDArray[np.floating],
    depth_m: NDArray[np.floating],
    triangles: NDArray[np.integer],
    width: int,
    height: int,
    *,
    cull_back_faces: bool = False,
) -> Fragments:
    """Find the nearest triangle at every pixel centre.

    Args:
        points_px: (V, 2) float32, pixels; the centre of the pixel in column i is at x = i.
        depth_m: (V,) float32, metres along the camera's axis. Triangles with a vertex at or behind the camera, or one
            that is not finite, are left out.
        triangles: (T, 3) int32, vertex indices, counter-clockwise seen from outside.
        width, height: size of the picture in pixels.
        cull_back_faces: leave out triangles seen from inside.
    Returns:
        Fragments of the picture. Of surfaces at equal depth the later triangle in no particular order wins.
    """
    setup = _set_up(points_px, depth_m, triangles, cull_back_faces)
    nearest = np.zeros(height * width, np.float32)
    slot = np.full(height * width, -1, np.int32)
    for owner, pixel, inverse_depth in _covered_pixels(setup, width, height):
        _keep_nearest(nearest, slot, owner, pixel, inverse_depth)
    seen = np.flatnonzero(slot >= 0)
    triangle = np.full(height * width, -1, np.int32)
    barycentric = np.zeros((height * width, 3), np.float32)
    depth = np.full(height * width, np.inf, np.float32)
    if seen.size:
        which = slot[seen]
        triangle[seen] = setup.index[which]
        barycentric[seen] = _barycentric(setup, which, seen, width)
        depth[seen] = 1.0 / nearest[seen]
    return Fragments(triangle.reshape(height, width), barycentric.reshape(height, width, 3), depth.reshape(height, width))


def shade(
    fragments: Fragments,
    vertices_camera: NDArray[np.floating],
    triangles: NDArray[np.integer],
    colors: NDArray[np.floating] | None = None,
    *,
    light_direction: tuple[float, float, float] = (-0.35, -0.45, -0.82),
    ambient: float = 0.22,
    background: tuple[int, int, int] = (0, 0, 0),
) -> NDArray[np.uint8]:
    """Shade what the pixels see: one distant light, a weak one from the other side, and light from everywhere.

    Args:
        fragments: what `rasterise` returned for these triangles.
        vertices_camera: (V, 3) float, metres, camera space (x right, y down, z forward).
        triangles: (T, 3) int.
        colors: (V, 3) float in 0..1, linear; a skin tone if None.
        light_direction: towards the light, camera space.
        ambient: share of light that comes from everywhere, 0..1.
        background: sRGB bytes where nothing is seen.
    Returns:
        (H, W, 3) uint8 sRGB.
    """
    height, width = fragments.triangle.shape
    picture = np.empty((height * width, 3), np.uint8)
    picture[:] = background
    seen = np.flatnonzero(fragments.triangle.ravel() >= 0)
    if not seen.size:
        return picture.reshape(height, width, 3)
    vertices = np.asarray(vertices_camera, np.float32)
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    turned_away = np.einsum("ij,ij->i", faces, corners[:, 0]) > 0
    normals = _vertex_normals(faces, np.asarray(triangles), len(vertices))
    light = _light(normals, light_direction, ambient), _light(-normals, light_direction, ambient)
    which = fragments.triangle.ravel()[seen]
    # A surface seen from inside is lit as if it faced the camera: meshes do come inside out.
    corner = np.asarray(triangles)[which] + (turned_away[which] * len(vertices))[:, None]
    weights = fragments.barycentric.reshape(-1, 3)[seen]
    if colors is None:
        amount = (np.concatenate(light)[corner] * weights).sum(axis=1)
        linear = amount[:, None] * _SKIN
    else:
        lit = np.concatenate([side[:, None] * np.asarray(colors, np.float32) for side in light])
        linear = np.zeros((len(seen), 3), np.float32)
        for k in range(3):
            linear += lit[corner[:, k]] * weights[:, k, None]
    picture[seen] = _SRGB[(np.clip(linear, 0.0, 1.0) * (len(_SRGB) - 1)).astype(np.int32)]
    return picture.reshape(height, width, 3)


def vertex_normals(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> F32:
    """Unit normals, the mean of the neighbouring triangles' weighted by area.

    Args:
        vertices: (V, 3) float.  triangles: (T, 3) int.
    Returns:
        (V, 3) float32; zero at vertices without a triangle.
    """
    corners = np.asarray(vertices, np.float32)[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return _vertex_normals(faces, np.asarray(triangles), len(vertices))


@dataclass(frozen=True)
class _Setup:
    """Triangles that can be seen, far ones first.

    `corner` (N, 3, 2) and `inverse` (N, 3) are positions and reciprocal depths in each triangle's own order; `index` (N,)
    the triangles' numbers; `by_row` (N, 3) corner numbers sorted by y; `area` (N,) twice the signed area, px^2.
    """

    index: Ints
    corner: F64
    inverse: F64
    by_row: Ints
    area: F64


def _set_up(
    points_px: NDArray[np.floating], depth_m: NDArray[np.floating], triangles: NDArray[np.integer], cull: bool
) -> _Setup:
    usable = np.isfinite(points_px).all(axis=1) & np.isfinite(depth_m) & (depth_m > 0)
    index = np.flatnonzero(usable[triangles].all(axis=1)) if len(triangles) else np.zeros(0, np.intp)
    corner = np.asarray(points_px, np.float64)[triangles[index]].reshape(-1, 3, 2)
    depth = np.asarray(depth_m, np.float64)[triangles[index]].reshape(-1, 3)
    first, second = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    # y points down, so what is counter-clockwise in space has a negative area here.
    keep = area < 0 if cull else area != 0
    # Far ones first: then most pixels are final the first time they are written.
    order = np.flatnonzero(keep)
    order = order[np.argsort(-depth[order].sum(axis=1))]
    corner = corner[order]
    return _Setup(index[order], corner, 1.0 / depth[order], np.argsort(corner[:, :, 1], axis=1, kind="stable"), area[order])


def _covered_pixels(setup: _Setup, width: int, height: int) -> Iterator[tuple[Ints, Ints, F32]]:
    """Covered pixels in pieces: number of the triangle in `setup`, pixel index, reciprocal depth."""
    rows = np.take_along_axis(setup.corner[:, :, 1], setup.by_row, axis=1)
    first = np.ceil(np.clip(rows[:, 0], 0, height)).astype(np.intp)
    count = np.ceil(np.clip(rows[:, 2], 0, height)).astype(np.intp) - first
    for piece in _pieces(count, _ROWS_AT_ONCE):
        owner = np.repeat(np.arange(piece.start, piece.stop), count[piece])
        if not owner.size:
            continue
        y = _counting(first[piece], count[piece])
        start, length, inverse, slope = _spans(setup, owner, y.astype(np.float64), width)
        filled = np.flatnonzero(length)
        owner, y, start, length = owner[filled], y[filled], start[filled], length[filled]
        inverse, slope = inverse[filled].astype(np.float32), slope[filled].astype(np.float32)
        for part in _pieces(length, _PIXELS_AT_ONCE):
            many = length[part]
            along = _counting(np.zeros_like(many), many)
            pixel = along + np.repeat(y[part] * width + start[part], many)
            depth = along.astype(np.float32) * np.repeat(slope[part], many) + np.repeat(inverse[part], many)
            yield np.repeat(owner[part], many), pixel, depth


def _spans(setup: _Setup, owner: Ints, y: F64, width: int) -> tuple[Ints, Ints, F64, F64]:
    """Per triangle and row: first column, number of columns, reciprocal depth there and its change per column."""
    order = setup.by_row[owner]
    top, middle, bottom = (setup.corner[owner, order[:, k]] for k in range(3))
    below = y >= middle[:, 1]
    long = _crossing(top, bottom, y)
    short = np.where(below, _crossing(middle, bottom, y), _crossing(top, middle, y))
    start = np.ceil(np.clip(np.minimum(long, short), 0, width)).astype(np.intp)
    length = np.ceil(np.clip(np.maximum(long, short), 0, width)).astype(np.intp) - start
    origin, inverse = setup.corner[owner, 0], setup.inverse[owner]
    first, second = setup.corner[owner, 1] - origin, setup.corner[owner, 2] - origin
    rise1, rise2 = inverse[:, 1] - inverse[:, 0], inverse[:, 2] - inverse[:, 0]
    area = setup.area[owner]
    per_x = (rise1 * second[:, 1] - rise2 * first[:, 1]) / area
    per_y = (rise2 * first[:, 0] - rise1 * second[:, 0]) / area
    # Depths stay between those of the corners, however thin the triangle.
    low, high = inverse.min(axis=1), inverse.max(axis=1)
    at_start = inverse[:, 0] + per_x * (start - origin[:, 0]) + per_y * (y - origin[:, 1])
    at_end = at_start + per_x * (length - 1)
    at_start, at_end = np.clip(at_start, low, high), np.clip(at_end, low, high)
    return start, length, at_start, (at_end - at_start) / np.maximum(length - 1, 1)


def _crossing(upper: F64, lower: F64, y: F64) -> F64:
    """x at which edges cross rows; the same for both triangles at an edge."""
    fall = lower[:, 1] - upper[:, 1]
    share = (y - upper[:, 1]) / np.where(fall > 0, fall, 1.0)
    return upper[:, 0] + share * (lower[:, 0] - upper[:, 0])


def _keep_nearest(nearest: F32, slot: I32, owner: Ints, pixel: Ints, inverse_depth: F32) -> None:
    """Write pixels into the buffers where they are nearer than what is there."""
    while True:
        # Where one pixel comes several times any of them may be written; nearer ones then go another round.
        ahead = np.flatnonzero(inverse_depth > nearest[pixel])
        if not ahead.size:
            return
        owner, pixel, inverse_depth = owner[ahead], pixel[ahead], inverse_depth[ahead]
        nearest[pixel] = inverse_depth
        written = np.flatnonzero(nearest[pixel] == inverse_depth)
        slot[pixel[written]] = owner[written]


def _barycentric(setup: _Setup, which: I32, pixel: Ints, width: int) -> F32:
    """(N, 3) perspective-correct barycentrics of pixel centres within triangles `which`."""
    origin = setup.corner[:, 0]
    first, second = setup.corner[:, 1] - origin, setup.corner[:, 2] - origin
    edges = np.stack([second[:, 1], -second[:, 0], -first[:, 1], first[:, 0]], axis=1) / setup.area[:, None]
    columns = np.concatenate([origin, edges, setup.inverse], axis=1).astype(np.float32)[which]
    row, column = np.divmod(pixel, width)
    x, y = column.astype(np.float32) - columns[:, 0], row.astype(np.float32) - columns[:, 1]
    weights = np.empty((len(pixel), 3), np.float32)
    weights[:, 1] = np.clip(columns[:, 2] * x + columns[:, 3] * y, 0.0, 1.0)
    weights[:, 2] = np.clip(columns[:, 4] * x + columns[:, 5] * y, 0.0, 1.0)
    weights[:, 0] = np.maximum(1.0 - weights[:, 1] - weights[:, 2], 0.0)
    weights *= columns[:, 6:9]
    return weights / weights.sum(axis=1, keepdims=True)


def _counting(first: Ints, count: Ints) -> Ints:
    """The integers first[i], first[i] + 1, ... (count[i] of them) for every i, one after the other."""
    ends = np.cumsum(count)
    return np.arange(ends[-1]) + np.repeat(first - (ends - count), count)


def _pieces(count: Ints, most: int) -> Iterator[slice]:
    """Slices of an array whose counts sum to about `most` at the utmost (one element may exceed it)."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        before = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, before + most, side="right")), start + 1)
        yield slice(start, stop)
        start = stop


def _vertex_normals(faces: F32, triangles: NDArray[np.integer], count: int) -> F32:
    corners = triangles.T.ravel()
    summed = [np.bincount(corners, np.tile(faces[:, axis], 3), count) for axis in range(3)]
    normals = np.stack(summed, axis=1).astype(np.float32)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.maximum(length, np.finfo(np.float32).tiny)


def _light(normals: F32, direction: tuple[float, float, float], ambient: float) -> F32:
    """(V,) light that reaches surfaces: Lambert's cosine law for two distant lights, over ambient light."""
    towards = np.asarray(direction, np.float32)
    key = np.maximum(normals @ (towards / np.linalg.norm(towards)), 0.0)
    fill = np.maximum(normals @ (_FILL_DIRECTION / np.linalg.norm(_FILL_DIRECTION)), 0.0)
    return ambient + (1.0 - ambient - _FILL) * key + _FILL * fill
