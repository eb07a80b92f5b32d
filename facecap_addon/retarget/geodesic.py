"""Distances along a mesh's surface, by its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from ..arrays import F64
from ..geometry.weld import welded

Ints = NDArray[np.integer]


def edge_graph(vertices: NDArray[np.floating], triangles: Ints) -> csr_array:
    """(V, V) sparse: length of every edge, in the vertices' unit.

    Across the edge between two triangles the distance of the opposite corners counts as well, which brings distances
    along a quad mesh within a few per cent of the surface's own.

    Args:
        vertices: (V, 3) float.  triangles: (T, 3) int.
    """
    triangles = np.asarray(triangles, np.int64)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    opposite = np.concatenate([triangles[:, 2], triangles[:, 0], triangles[:, 1]])
    edges.sort(axis=1)
    count = len(vertices)
    key = edges[:, 0] * count + edges[:, 1]
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order[1:]] == key[order[:-1]])
    across = np.sort(np.stack([opposite[order[same]], opposite[order[same + 1]]], 1), axis=1)
    pairs = np.concatenate([edges[order[np.r_[True, np.diff(key[order]) > 0]]], across[across[:, 0] != across[:, 1]]])
    _, first = np.unique(pairs[:, 0] * count + pairs[:, 1], return_index=True)
    a, b = pairs[first].T
    points = np.asarray(vertices, np.float64)
    # An edge of no length would be no edge to scipy.
    length = np.maximum(np.linalg.norm(points[a] - points[b], axis=1), 1e-12)
    return csr_array((np.r_[length, length], (np.r_[a, b], np.r_[b, a])), shape=(count, count))


def weld_skin(vertices: F64, skin: NDArray[np.integer], triangles: Ints) -> tuple[F64, NDArray[np.intp], csr_array]:
    """A skin whose vertices at one place count as one, as its texture's seams cut it.

    Args:
        vertices: (V, 3) float64.  skin: (N,) vertices of the skin.  triangles: (T, 3) its triangles.
    Returns:
        (P, 3) float64 places; (V,) the place of each vertex, −1 off the skin; (P, P) `edge_graph` of the places.
    """
    one = welded(vertices[skin])
    place = np.zeros((int(one.max()) + 1, 3))
    place[one] = vertices[skin]
    place_of = np.full(len(vertices), -1)
    place_of[skin] = one
    return place, place_of, edge_graph(place, place_of[triangles])


def measure_distance(graph: csr_array, sources: Ints, *, limit: float = np.inf) -> F64:
    """(V,) float64: distance of every vertex from the nearest of some vertices, infinite beyond `limit`."""
    sources = np.unique(sources)
    count = int(graph.indptr.shape[0]) - 1
    if not len(sources):
        return np.full(count, np.inf)
    return np.asarray(dijkstra(graph, directed=False, indices=sources, min_only=True, limit=limit), np.float64)


def smooth_values(graph: csr_array, values: F64, rounds: int) -> F64:
    """Values (V,) averaged with those of their neighbours, some rounds of it."""
    pattern = csr_array((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)
    neighbours = np.maximum(np.asarray(pattern.sum(axis=1)), 1.0)
    for _ in range(rounds):
        values = 0.5 * (values + (pattern @ values) / neighbours)
    return values
