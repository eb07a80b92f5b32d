"""A z-buffer rasteriser in plain numpy: which triangle every pixel sees, and a picture shaded from that.

Triangles are cut into rows of pixels, all triangles at once, so only covered pixels are ever looked at. A pixel belongs
to a triangle if its centre lies on or right of the left edge and left of the right edge, on or below the top and above
the bottom. An edge shared by two triangles is computed from the same two points in the same order, so neighbours leave
no crack and cover no pixel twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64, I32, Rows

# Rows and pixels that are worked on at once; they bound the memory (about 60 bytes a pixel).
_CHUNK_ROWS = 1 << 20
_CHUNK_PIXELS = 1 << 22
_SKIN = np.array([0.72, 0.52, 0.43], np.float32)
_FILL_DIRECTION = np.array([0.6, 0.1, -0.8], np.float32)
_FILL = 0.15
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
    setup = _set_up(points_px, depth_m, triangles, (width, height), cull_back_faces)
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
    return Fragments(
        triangle.reshape(height, width), barycentric.reshape(height, width, 3), depth.reshape(height, width)
    )


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
    vertices, corner = np.asarray(vertices_camera, np.float32), np.asarray(triangles).T
    faces = _face_normals(vertices, corner)
    first = vertices.T[:, corner[0]]
    turned_away = (faces * first).sum(axis=0) > 0
    normals = _vertex_normals(faces, corner, len(vertices))
    light = np.concatenate([_light(normals, light_direction, ambient), _light(-normals, light_direction, ambient)])
    # A surface seen from inside is lit as if it faced the camera: meshes do come inside out.
    corner = np.where(turned_away, corner + len(vertices), corner)
    which = fragments.triangle.ravel().take(seen)
    weights = fragments.barycentric.reshape(-1, 3).take(seen, axis=0)
    lit = light[:, None] * (_SKIN if colors is None else np.tile(np.asarray(colors, np.float32), (2, 1)))
    linear = np.zeros((len(seen), 3), np.float32)
    for k in range(3):
        linear += lit.take(corner[k].take(which), axis=0) * weights[:, k, None]
    picture[seen] = _SRGB.take((np.clip(linear, 0.0, 1.0) * (len(_SRGB) - 1)).astype(np.int32))
    return picture.reshape(height, width, 3)


def vertex_normals(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> F32:
    """Unit normals, the mean of the neighbouring triangles' weighted by area.

    Args:
        vertices: (V, 3) float.  triangles: (T, 3) int.
    Returns:
        (V, 3) float32; zero at vertices without a triangle.
    """
    corner = np.asarray(triangles).T
    return _vertex_normals(_face_normals(np.asarray(vertices, np.float32), corner), corner, len(vertices))


@dataclass(frozen=True)
class _Setup:
    """N triangles that may cover a pixel, far ones first.

    Attributes:
        index: (N,) the triangles' numbers.
        x, y: (3, N) float64, px, of the corners.  inverse: (3, N) float64, reciprocal depths, 1/m.
        area: (N,) float64, twice the signed area, px^2.
    """

    index: Rows
    x: F64
    y: F64
    inverse: F64
    area: F64


def _set_up(
    points_px: NDArray[np.floating],
    depth_m: NDArray[np.floating],
    triangles: NDArray[np.integer],
    size: tuple[int, int],
    cull: bool,
) -> _Setup:
    points, depth = np.asarray(points_px, np.float64), np.asarray(depth_m, np.float64)
    corner = np.asarray(triangles).reshape(-1, 3).T
    usable = np.isfinite(points).all(axis=1) & np.isfinite(depth) & (depth > 0)
    index = np.arange(corner.shape[1])
    if not usable.all():
        index = np.flatnonzero(usable[corner[0]] & usable[corner[1]] & usable[corner[2]])
        corner = corner[:, index]
    x, y = points[:, 0][corner], points[:, 1][corner]
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    # y points down, so what is counter-clockwise in space has a negative area here.
    keep = area < 0 if cull else area != 0
    # Most triangles of a fine mesh lie between pixel centres.
    for along, limit in ((x, size[0]), (y, size[1])):
        low, high = _least(along), _most(along)
        keep &= np.ceil(np.clip(low, 0, limit)) < np.ceil(np.clip(high, 0, limit))
    kept = np.flatnonzero(keep)
    inverse = 1.0 / depth[corner[:, kept]]
    # Far ones first: then most pixels are final the first time they are written.
    order = np.argsort(inverse[0] + inverse[1] + inverse[2])
    kept = kept[order]
    return _Setup(index[kept], x[:, kept], y[:, kept], inverse[:, order], area[kept])


def _covered_pixels(setup: _Setup, width: int, height: int) -> Iterator[tuple[Rows, Rows, F32]]:
    """Covered pixels in pieces: number of the triangle in `setup`, pixel index, reciprocal depth."""
    owners, long, short, first, count = _halves(setup, height)
    plane = _inverse_depth_plane(setup)[:, owners]
    for piece in _pieces(count, _CHUNK_ROWS):
        rows = count[piece]
        y = _counting(first[piece], rows)
        row = y.astype(np.float64)
        crossing = [_crossing(edge[:, piece], rows, row) for edge in (long, short)]
        start = np.ceil(np.clip(np.minimum(*crossing), 0, width)).astype(np.intp)
        length = np.ceil(np.clip(np.maximum(*crossing), 0, width)).astype(np.intp) - start
        filled = np.flatnonzero(length)
        source = np.repeat(np.arange(piece.start, piece.stop), rows)[filled]
        y, start, length = y[filled], start[filled], length[filled]
        inverse, slope = _along_span(plane[:, source], row[filled], start, length)
        owner, begin = owners[source], y * width + start
        for part in _pieces(length, _CHUNK_PIXELS):
            many = length[part]
            along = _counting(np.zeros_like(many), many)
            depth = along.astype(np.float32) * np.repeat(slope[part], many) + np.repeat(inverse[part], many)
            yield np.repeat(owner[part], many), along + np.repeat(begin[part], many), depth


def _halves(setup: _Setup, height: int) -> tuple[Rows, F64, F64, Rows, Rows]:
    """Triangles cut at their middle corner, each part between two edges.

    Returns:
        number of the triangle, (3, M) x, y and slope dx/dy of the edge that spans the whole triangle, the same of the
        other edge, first row and number of rows.
    """
    x, y = setup.x.copy(), setup.y.copy()
    for upper, lower in ((0, 1), (1, 2), (0, 1)):
        swap = y[upper] > y[lower]
        for along in (x, y):
            along[upper], along[lower] = (
                np.where(swap, along[lower], along[upper]),
                np.where(swap, along[upper], along[lower]),
            )
    edges = [_edge(x, y, a, b) for a, b in ((0, 2), (0, 1), (1, 2))]
    top, middle, bottom = np.ceil(np.clip(y, 0, height)).astype(np.intp)
    count = np.concatenate([middle - top, bottom - middle])
    some = np.flatnonzero(count)
    # The far-to-near order of the triangles is kept.
    number = len(top)
    some = some[np.argsort(some % max(number, 1), kind="stable")]
    long = np.concatenate([edges[0], edges[0]], axis=1)[:, some]
    short = np.concatenate([edges[1], edges[2]], axis=1)[:, some]
    return some % max(number, 1), long, short, np.concatenate([top, middle])[some], count[some]


def _edge(x: F64, y: F64, upper: int, lower: int) -> F64:
    fall = y[lower] - y[upper]
    return np.stack([x[upper], y[upper], (x[lower] - x[upper]) / np.where(fall > 0, fall, 1.0)])


def _crossing(edge: F64, rows: Rows, y: F64) -> F64:
    """x at which edges cross rows; the same numbers for both triangles at an edge."""
    repeated: list[F64] = [np.repeat(values, rows) for values in edge]
    x0, y0, slope = repeated
    return x0 + (y - y0) * slope


def _inverse_depth_plane(setup: _Setup) -> F64:
    """(7, N): origin x, y, reciprocal depth there, its change per column and per row, its least and greatest value."""
    x, y, inverse = setup.x, setup.y, setup.inverse
    rise1, rise2 = inverse[1] - inverse[0], inverse[2] - inverse[0]
    per_x = (rise1 * (y[2] - y[0]) - rise2 * (y[1] - y[0])) / setup.area
    per_y = (rise2 * (x[1] - x[0]) - rise1 * (x[2] - x[0])) / setup.area
    return np.stack([x[0], y[0], inverse[0], per_x, per_y, _least(inverse), _most(inverse)])


def _along_span(plane: F64, y: F64, start: Rows, length: Rows) -> tuple[F32, F32]:
    """Reciprocal depth at the first pixel of a span and its change per column."""
    x0, y0, at_origin, per_x, per_y, low, high = plane
    first = at_origin + per_x * (start - x0) + per_y * (y - y0)
    last = first + per_x * (length - 1)
    # Depths stay between those of the corners, however thin the triangle.
    first, last = np.clip(first, low, high), np.clip(last, low, high)
    return first.astype(np.float32), ((last - first) / np.maximum(length - 1, 1)).astype(np.float32)


def _least(values: NDArray[np.float64]) -> F64:
    return np.minimum(np.minimum(values[0], values[1]), values[2])


def _most(values: NDArray[np.float64]) -> F64:
    return np.maximum(np.maximum(values[0], values[1]), values[2])


def _keep_nearest(nearest: F32, slot: I32, owner: Rows, pixel: Rows, inverse_depth: F32) -> None:
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


def _barycentric(setup: _Setup, which: I32, pixel: Rows, width: int) -> F32:
    """(N, 3) perspective-correct barycentrics of pixel centres within triangles `which`."""
    x, y, inverse = setup.x, setup.y, setup.inverse
    edges = np.stack([y[2] - y[0], x[0] - x[2], y[0] - y[1], x[1] - x[0]]) / setup.area
    columns = np.concatenate([x[:1], y[:1], edges, inverse]).astype(np.float32)
    x0, y0, second_x, second_y, third_x, third_y, inverse0, inverse1, inverse2 = (c[which] for c in columns)
    row = pixel // width
    x0, y0 = (pixel - row * width).astype(np.float32) - x0, row.astype(np.float32) - y0
    second = np.clip(second_x * x0 + second_y * y0, 0.0, 1.0)
    third = np.clip(third_x * x0 + third_y * y0, 0.0, 1.0)
    first = np.maximum(1.0 - second - third, 0.0) * inverse0
    second, third = second * inverse1, third * inverse2
    total = first + second + third
    return np.stack([first / total, second / total, third / total], axis=1)


def _counting(first: Rows, count: Rows) -> Rows:
    """The integers first[i], first[i] + 1, ... (count[i] of them) for every i, one after the other."""
    ends = np.cumsum(count)
    return np.arange(ends[-1]) + np.repeat(first - (ends - count), count)


def _pieces(count: Rows, most: int) -> Iterator[slice]:
    """Slices of an array whose counts sum to about `most` at the utmost (one element may exceed it)."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        before = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, before + most, side="right")), start + 1)
        yield slice(start, stop)
        start = stop


def _face_normals(vertices: F32, corner: NDArray[np.integer]) -> F32:
    """(3, T) cross products of the edges of triangles; `corner` (3, T)."""
    x, y, z = vertices.T[:, corner]
    (ax, bx), (ay, by), (az, bz) = x[1:] - x[0], y[1:] - y[0], z[1:] - z[0]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _vertex_normals(faces: F32, corner: NDArray[np.integer], count: int) -> F32:
    """(V, 3) unit normals from those of the triangles (3, T), whose corners are `corner` (3, T)."""
    corners = corner.ravel()
    summed = [np.bincount(corners, np.tile(along, 3), count) for along in faces]
    normals = np.stack(summed, axis=1).astype(np.float32)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.maximum(length, np.finfo(np.float32).tiny)


def _light(normals: F32, direction: tuple[float, float, float], ambient: float) -> F32:
    """(V,) light that reaches surfaces: Lambert's cosine law for two distant lights, over ambient light."""
    towards = np.asarray(direction, np.float32)
    key = np.maximum(normals @ (towards / np.linalg.norm(towards)), 0.0)
    fill = np.maximum(normals @ (_FILL_DIRECTION / np.linalg.norm(_FILL_DIRECTION)), 0.0)
    return ambient + (1.0 - ambient) * ((1.0 - _FILL) * key + _FILL * fill)
