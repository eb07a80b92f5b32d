"""Which place of one head corresponds to which of another: landmarks first, then the surfaces themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ...arrays import F64, Rows
from ...geometry.weld import welded
from ...landmarks.layout import layout_of
from ...rig.embedding import LandmarkEmbedding
from ...rig.surface import find_nearest_barycentric, loose_parts, place_points
from ..geodesic import measure_distance, weld_skin
from ..lip_lid_coordinates import lip_lid_coordinates
from ..loose_parts import Parts, take_apart
from ..rbf import fit_rbf, measure_influence, merge_points

_CANDIDATES = 12
_STIFFNESS = (300.0, 80.0, 20.0, 8.0)
"""How stiff the surface is while it is drawn onto the other, round by round."""
_FACING = 0.3
_FAR = 0.12
"""What is further from the other surface, in distances of the outer eye corners, has no twin on it."""
_FACE = 1.1
_SAME_PLACE = 1e-4


@dataclass(frozen=True)
class Head:
    """A head in head space, ready to be compared.

    Attributes:
        vertices: (V, 3) float64 m, head space.  triangles: (T, 3) int, the skin's.
        parts: skin, lashes, rigid parts.
        landmarks: (L, 3) float64 m, head space.  valid: (L,) bool.  scheme: theirs.
        corners: (L, 3) int, vertices around each landmark.  barycentric: (L, 3) float64, its place among them.
        across: (V, 3) float64 m, coordinates across mouth and eyes, zero off the skin.
        away: (V,) float64 m, distance from the nearest landmark along the skin, infinite off it.
        eye_distance: between the outer eye corners, m.
    """

    vertices: F64
    triangles: Rows
    parts: Parts
    landmarks: F64
    valid: NDArray[np.bool_]
    scheme: str
    corners: Rows
    barycentric: F64
    across: F64
    away: F64
    eye_distance: float

    def lifted(self, vertices: F64 | None = None) -> F64:
        """(V, 6) float64: vertices, or where they moved to, with the coordinates across mouth and eyes."""
        return np.concatenate([self.vertices if vertices is None else vertices, self.across], axis=1)

    def read_at_landmarks(self, values: F64) -> F64:
        """(L, D) float64: values (V, D) of the vertices, where the landmarks are."""
        return np.einsum("lc,lcd->ld", self.barycentric, values[self.corners])


def read_head(vertices: NDArray[np.floating], triangles: NDArray[np.integer], embedding: LandmarkEmbedding) -> Head:
    """A mesh in rig space (V, 3) m, with its landmarks, as a Head."""
    layout = layout_of(embedding.scheme)
    rotation, shift = embedding.head_from_rig[:3, :3], embedding.head_from_rig[:3, 3]
    places = np.asarray(vertices, np.float64) @ rotation.T + shift
    landmarks = place_points(places, triangles, embedding.triangle, embedding.barycentric)
    width = float(np.linalg.norm(landmarks[layout.upper_lid_right[0]] - landmarks[layout.upper_lid_left[0]]))
    part = loose_parts(places, triangles)
    valid = np.asarray(embedding.valid, bool)
    face = int(np.bincount(part[embedding.triangle[valid]]).argmax())
    valid = valid & (part[embedding.triangle] == face)
    parts = take_apart(places, triangles, part, face, landmarks, layout)
    skin_triangles = np.asarray(triangles, np.intp)[part == face]
    _, place_of, graph = weld_skin(places, parts.skin, skin_triangles)
    one = place_of[parts.skin]
    corners = np.asarray(triangles, np.intp)[embedding.triangle]
    barycentric = np.asarray(embedding.barycentric, np.float64)
    nearest = place_of[corners[np.arange(len(corners)), barycentric.argmax(axis=1)]]
    nearest = np.where(valid, nearest, -1)
    across, away = np.zeros((len(places), 3)), np.full(len(places), np.inf)
    across[parts.skin] = lip_lid_coordinates(graph, nearest, layout, width)[one]
    away[parts.skin] = measure_distance(graph, nearest[valid], limit=3 * width)[one]
    return Head(
        places, skin_triangles, parts, landmarks, valid, embedding.scheme, corners, barycentric, across, away, width
    )


@dataclass(frozen=True)
class Twins:
    """Where places of a head lie on another one.

    Attributes:
        triangle: (N,) number among the other head's skin triangles.  barycentric: (N, 3) float64.
        confidence: (N,) float64 in 0..1, none where the other head has nothing like it.
    """

    triangle: Rows
    barycentric: F64
    confidence: F64


def draw_onto(source: Head, target: Head) -> F64:
    """The source's vertices where they lie on the target: warped by landmarks, then drawn onto its surface.

    Returns:
        (V, 3) float64 m, head space; the skin near the landmarks is meant, what is far follows loosely.
    """
    both = np.flatnonzero(source.valid & target.valid)
    first = merge_points(source.landmarks[both], closer_than=_SAME_PLACE * source.eye_distance)
    both = both[first == np.arange(len(both))]
    layout = layout_of(source.scheme)
    both = both[~np.isin(both, layout.outline)]  # the outline is no place of the skin
    across = _interpolate_at_landmarks(source, both)
    interpolant = fit_rbf(np.concatenate([source.landmarks[both], across], axis=1), kernel="gaussian-printed")
    apart = target.landmarks[both] - source.landmarks[both]
    moved = source.vertices + measure_influence(interpolant, source.lifted()).astype(np.float64) @ apart
    skin = source.parts.skin
    laplacian = _build_laplacian(source)
    near = source.away[skin] < _FACE * source.eye_distance
    for stiffness in _STIFFNESS:
        normals = vertex_normals(source, moved)[skin]
        twins = find_twins(source.lifted(moved)[skin], normals, target, target.vertices)
        reached = place_points(target.vertices, target.triangles, twins.triangle, twins.barycentric)
        pull = np.where(near, twins.confidence, 0.0)
        system = diags_array(pull + 1e-6) + stiffness * laplacian
        step = splu(csc_array(system)).solve(pull[:, None] * (reached - moved[skin]))
        moved[skin] += step
    return moved


def find_twins(lifted: F64, normals: F64, head: Head, head_at: F64) -> Twins:
    """The nearest places on a head, on the same side of mouth and eyes.

    Args:
        lifted: (N, 6) float64 m, places as `Head.lifted` gives them.  normals: (N, 3) float64, theirs.
        head_at: (V, 3) float64 m, where the vertices of the head are to be looked for.
    """
    corners = head_at[head.triangles]
    lifted_corners = head.lifted(head_at)[head.triangles]
    found = cKDTree(lifted_corners.mean(axis=1)).query(lifted, k=min(_CANDIDATES, len(corners)))[1]
    found = found.reshape(len(lifted), -1)
    shares = find_nearest_barycentric(lifted[:, None, :3], corners[found])
    reached = np.einsum("nkc,nkcd->nkd", shares, lifted_corners[found])
    best = ((reached - lifted[:, None]) ** 2).sum(axis=2).argmin(axis=1)
    row = np.arange(len(lifted))
    triangle = found[row, best]
    distance = np.linalg.norm(reached[row, best, :3] - lifted[:, :3], axis=1)
    agreement = np.einsum("nd,nd->n", normals, triangle_normals(corners)[triangle])
    confidence = np.clip(2.0 - 2.0 * distance / (_FAR * head.eye_distance), 0.0, 1.0) * (agreement > _FACING)
    return Twins(triangle.astype(np.intp), shares[row, best], confidence)


def _interpolate_at_landmarks(head: Head, which: Rows) -> F64:
    """(N, 3) coordinates across mouth and eyes at some landmarks: those of the nearest vertex of the skin."""
    skin = head.parts.skin
    nearest = cKDTree(head.vertices[skin]).query(head.landmarks[which])[1]
    return head.across[skin[nearest]]


def _build_laplacian(head: Head) -> csr_array:
    """(N, N) sparse graph Laplacian of the skin, each row by its degree; seams count as joined."""
    skin = head.parts.skin
    place = np.full(len(head.vertices), -1)
    place[skin] = np.arange(len(skin))
    triangles = place[head.triangles]
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    one = welded(head.vertices[skin])
    order = np.argsort(one, kind="stable")
    same = np.flatnonzero(np.diff(one[order]) == 0)
    edges = np.concatenate([edges, np.stack([order[same], order[same + 1]], 1)])
    ones = np.ones(2 * len(edges))
    matrix = csr_array(
        (ones, (np.r_[edges[:, 0], edges[:, 1]], np.r_[edges[:, 1], edges[:, 0]])), shape=(len(skin),) * 2
    )
    matrix.data[:] = 1.0
    return csr_array(diags_array(np.asarray(matrix.sum(axis=1))) - matrix) * (1.0 / 6.0)


def triangle_normals(corners: F64) -> F64:
    """(T, 3) unit normals of triangles (T, 3, 3)."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)


def vertex_normals(head: Head, vertices: F64) -> F64:
    """(V, 3) unit normals of a head's skin with its vertices (V, 3) at given places; zero off the skin."""
    corners = vertices[head.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(out, head.triangles[:, corner], normal)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-20)
