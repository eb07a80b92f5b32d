"""A mesh as a surface: its loose parts, and the nearest place on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ..arrays import F64, I32
from ..geometry.weld import welded

_NEIGHBOURS = 40


def loose_parts(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.int32]:
    """(T,) int32: the loose part that each triangle belongs to, vertices at the same place counting as one.

    Args:
        vertices: (V, 3) float.  triangles: (T, 3) int.
    """
    if not len(triangles):
        return np.zeros(0, np.int32)
    corner = welded(vertices)[np.asarray(triangles)]
    count = int(corner.max()) + 1
    edges = np.concatenate([corner[:, :2], corner[:, 1:]])
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    part = connected_components(graph, directed=False)[1]
    return part[corner[:, 0]].astype(np.int32)


def place_points(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer], triangle: I32, barycentric: NDArray[np.floating]
) -> F64:
    """(N, 3) float64 places given by triangle number (N,) and barycentrics (N, 3)."""
    corners = np.asarray(vertices, np.float64)[np.asarray(triangles)[triangle]]
    return np.einsum("nc,ncd->nd", np.asarray(barycentric, np.float64), corners)


def find_nearest(
    points: NDArray[np.floating],
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    among: NDArray[np.integer],
) -> tuple[I32, F64, F64]:
    """The place nearest to each point on some of a mesh's triangles.

    Args:
        points: (N, 3) float.  vertices: (V, 3) float.  triangles: (T, 3) int.
        among: (M,) int, numbers of the triangles to look at, M > 0.
    Returns:
        (N,) int32 triangle numbers, (N, 3) float64 barycentrics, (N,) float64 distances.
    """
    points = np.asarray(points, np.float64)
    corners = np.asarray(vertices, np.float64)[np.asarray(triangles)[among]]
    # Candidates by their corners and centres, so that large triangles are found from their borders too.
    samples = np.concatenate([corners.mean(axis=1), corners[:, 0], corners[:, 1], corners[:, 2]])
    count = min(_NEIGHBOURS, len(samples))
    found = cKDTree(samples).query(points, k=count)[1].reshape(len(points), count) % len(among)
    weights = find_nearest_barycentric(points[:, None], corners[found])
    reached = np.einsum("nkc,nkcd->nkd", weights, corners[found])
    distance = np.linalg.norm(reached - points[:, None], axis=2)
    best = distance.argmin(axis=1)
    row = np.arange(len(points))
    return np.asarray(among)[found[row, best]].astype(np.int32), weights[row, best], distance[row, best]


def find_nearest_barycentric(points: F64, corners: F64) -> F64:
    """(..., 3) barycentrics of the place on each triangle (..., 3, 3) nearest to a point (..., 3)."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    first, second, offset = b - a, c - a, points - a
    d11, d12, d22 = (_dot(u, v) for u, v in ((first, first), (first, second), (second, second)))
    e1, e2 = _dot(offset, first), _dot(offset, second)
    determinant = d11 * d22 - d12 * d12
    flat = determinant <= 1e-12 * d11 * d22
    safe = np.where(flat, 1.0, determinant)
    v, w = (d22 * e1 - d12 * e2) / safe, (d11 * e2 - d12 * e1) / safe
    inside = ~flat & (v >= 0) & (w >= 0) & (v + w <= 1)
    best = np.stack([1 - v - w, v, w], axis=-1)
    least = np.where(inside, 0.0, np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, along = corners[..., i, :], corners[..., j, :] - corners[..., i, :]
        share = np.clip(_dot(points - start, along) / np.maximum(_dot(along, along), 1e-300), 0.0, 1.0)
        distance = ((start + share[..., None] * along - points) ** 2).sum(axis=-1)
        closer = distance < least
        least = np.where(closer, distance, least)
        on_edge = np.zeros_like(best)
        on_edge[..., i], on_edge[..., j] = 1.0 - share, share
        best = np.where(closer[..., None], on_edge, best)
    return best


def _dot(a: F64, b: F64) -> F64:
    return np.einsum("...i,...i->...", a, b)
