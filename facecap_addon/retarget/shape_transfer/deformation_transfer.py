"""The shape keys of one head for another: deformation transfer over corresponding surfaces.

Sumner and Popović (2004) carry over how each triangle turns, stretches and shears; Botsch et al. (2006) show that the
mesh which fits such gradients best solves a Poisson equation. Its matrix is the same for every key, so it is factored
once. Displacements are held loosely to those of the corresponding places, so that nothing drifts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from ...arrays import F32, F64, Rows
from ...geometry.easing import smoothstep
from ...geometry.weld import welded
from ...landmarks.layout import layout_of
from ...rig.blendshapes import BlendshapeRig
from ...rig.surface import place_points
from ..loose_parts import RigidPart
from ..rigid_alignment import fit_rigid_motion
from .correspondence import Head, Twins, draw_onto, find_twins, triangle_normals, vertex_normals

_HOLD = 0.1
"""How firmly displacements are held to those of the corresponding places, against how each triangle deforms."""
_PIN = 30.0
"""How firmly landmarks go as far as the source's do: thin rims of lids have no good twins, and would go less far."""
_STILL = 20.0
_SLACK = 0.02
_SMOOTH = 2
_REACH = 1.0
_BAND = 0.5
"""Keys fade out over this many distances of the outer eye corners, beyond that of `_REACH`."""


@dataclass(frozen=True)
class Transfer:
    """A way from one head's displacements to another's, prepared once for all keys; see `plan_transfer`."""

    source: Head
    target: Head
    head_from_source: F64
    twins: Twins
    triangle_twins: Twins
    stretch: F64
    solver: object
    hold: F64
    place: NDArray[np.intp]
    cotangents: F64
    neighbours: csr_array
    pinned: Rows
    pins: csr_array
    size: float

    def key(self, delta: NDArray[np.floating]) -> F32:
        """What a key does on the target.

        Args:
            delta: (V, 3) float m, the source's displacement at weight 1, rig axes.
        Returns:
            (V', 3) float32 m, head axes of the target.
        """
        moved = np.asarray(delta, np.float64) @ self.head_from_source[:3, :3].T
        target, skin = self.target, self.target.parts.skin
        gradient = _differentiate_at_vertices(self.source, self.source.vertices + moved)
        at = self.source.triangles[self.triangle_twins.triangle]
        deform = np.einsum("tc,tcij->tij", self.triangle_twins.barycentric, gradient[at]) - np.eye(3)
        here = place_points(moved, self.source.triangles, self.twins.triangle, self.twins.barycentric)
        held = np.einsum("nij,nj->ni", self.stretch, here) * self.twins.confidence[:, None]
        right = _divergence(target, deform, self.cotangents, self.place, int(self.place.max()) + 1)
        together = np.zeros_like(right)
        np.add.at(together, self.place[skin], held * self.hold[:, None])
        goal = self.source.read_at_landmarks(moved)[self.pinned] * self.size
        solved = self.solver.solve(right + together + _PIN * (self.pins.T @ goal))  # type: ignore[attr-defined]
        for _ in range(_SMOOTH):  # a vertex of a lid's rim whose twin was another than its neighbours' would stick out
            solved = 0.5 * (solved + self.neighbours @ solved)
        out = np.zeros_like(target.vertices)
        out[skin] = solved[self.place[skin]] * _measure_fade(target)[:, None]
        out[target.parts.clinging] = out[target.parts.beneath]
        for rigid_part in target.parts.rigid_parts:
            out[rigid_part.vertices] = self._move_rigid_part(rigid_part, moved)
        return out.astype(np.float32)

    def _move_rigid_part(self, rigid_part: RigidPart, moved: F64) -> F64:
        """An eye, teeth or tongue moves as rigidly as the source's does."""
        same = [o for o in self.source.parts.rigid_parts if o.kind == rigid_part.kind]
        if not same:
            return np.zeros((len(rigid_part.vertices), 3))
        size = self.target.eye_distance / self.source.eye_distance
        places = self.target.vertices[rigid_part.vertices]
        like = min(same, key=lambda o: float(np.linalg.norm(o.centre * size - rigid_part.centre)))
        at_rest = self.source.vertices[like.vertices]
        rotation, _ = fit_rigid_motion(at_rest, (at_rest + moved[like.vertices])[None])
        centre = at_rest.mean(axis=0)
        shift = moved[like.vertices].mean(axis=0) - (rotation[0] - np.eye(3)) @ (centre - like.centre)
        return (places - rigid_part.centre) @ (rotation[0] - np.eye(3)).T + size * shift


def plan_transfer(source: Head, target: Head, head_from_source: F64) -> Transfer:
    """Find what corresponds and factor the target's Poisson equation.

    Args:
        head_from_source: (4, 4) float64, the source's head space from its rig space.
    """
    drawn = draw_onto(source, target)
    skin = target.parts.skin
    lifted, corners = target.lifted(), target.vertices[target.triangles]
    twins = find_twins(lifted[skin], vertex_normals(target, target.vertices)[skin], source, drawn)
    triangle_twins = find_twins(lifted[target.triangles].mean(axis=1), triangle_normals(corners), source, drawn)
    place = np.full(len(target.vertices), -1)
    place[skin] = welded(target.vertices[skin])
    # What the source has nothing like, the lining of an eye, must not hold back what it hangs on.
    cotangents = _measure_cotangents(corners) * (_SLACK + (1.0 - _SLACK) * triangle_twins.confidence)[:, None]
    count = int(place.max()) + 1
    laplacian = _build_laplacian(target, cotangents, place, count)
    far = target.away[skin] > (_REACH + _BAND) * target.eye_distance
    hold = np.where(far, _STILL, _HOLD * (1e-3 + twins.confidence))
    total = np.zeros(count)
    np.add.at(total, place[skin], hold)
    pinned = _choose_pinned(source, target, place)
    pins = _build_pins(target, pinned, place, count)
    solver = splu(csc_array(laplacian + diags_array(total) + _PIN * (pins.T @ pins)))
    # How the source's surface was stretched onto the target, for the displacements that are held.
    stretch = _differentiate_at_vertices(source, drawn)
    at = source.triangles[twins.triangle]
    stretch = np.einsum("nc,ncij->nij", twins.barycentric, stretch[at])
    return Transfer(
        source,
        target,
        head_from_source,
        twins,
        triangle_twins,
        stretch,
        solver,
        hold,
        place,
        cotangents,
        _build_neighbour_mean(place[target.triangles], count),
        pinned,
        pins,
        float(np.std(target.landmarks[pinned], axis=0).mean() / np.std(source.landmarks[pinned], axis=0).mean()),
    )


def _choose_pinned(source: Head, target: Head, place: NDArray[np.intp]) -> Rows:
    """Landmarks that are held to the source's: not the outline, no place of the skin; not the inner lips.

    On a mouth that cannot open yet nobody knows which lip a landmark of the inner lips is on.
    """
    layout = layout_of(source.scheme)
    loose = [*layout.outline, *layout.lips_inner_upper, *layout.lips_inner_lower]
    both = np.flatnonzero(source.valid & target.valid & (place[target.corners] >= 0).all(axis=1))
    return both[~np.isin(both, loose)]


def _build_pins(head: Head, pinned: Rows, place: NDArray[np.intp], count: int) -> csr_array:
    """(N, count) sparse: where landmarks are, from the places of the vertices."""
    rows = np.repeat(np.arange(len(pinned)), 3)
    columns = place[head.corners[pinned]].ravel()
    return csr_array((head.barycentric[pinned].ravel(), (rows, columns)), shape=(len(pinned), count))


def transfer_keys(transfer: Transfer, rig: BlendshapeRig, rig_from_head: F64) -> Iterator[tuple[str, F32]]:
    """Each of a rig's keys on the target: its name, and (V', 3) float32 m, rig axes of the target.

    Args:
        rig: the source.  rig_from_head: (3, 3) float64 rotation, target.
    """
    for channel, delta in zip(rig.channels, rig.deltas, strict=True):
        yield channel, transfer.key(delta) @ rig_from_head.T.astype(np.float32)


def _measure_fade(head: Head) -> F64:
    """(N,) for the skin: 1 on the face, falling to 0 where neck and skull are."""
    away = np.minimum(head.away[head.parts.skin], 1e3)
    return smoothstep(1.0 - (away - _REACH * head.eye_distance) / (_BAND * head.eye_distance))


def _build_neighbour_mean(corners: NDArray[np.intp], count: int) -> csr_array:
    """(count, count) sparse: the mean of each vertex's neighbours."""
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    pattern = csr_array(
        (np.ones(2 * len(edges)), (np.r_[edges[:, 0], edges[:, 1]], np.r_[edges[:, 1], edges[:, 0]])),
        shape=(count, count),
    )
    pattern.sum_duplicates()
    pattern.data[:] = 1.0
    return csr_array(diags_array(1.0 / np.maximum(np.asarray(pattern.sum(axis=1)), 1.0)) @ pattern)


def _differentiate_at_vertices(head: Head, moved: F64) -> F64:
    """(V, 3, 3) float64: how the surface around each vertex is deformed, mean of its triangles by area."""
    before, after = head.vertices[head.triangles], moved[head.triangles]
    gradient = _build_frames(after) @ np.linalg.pinv(_build_frames(before), rcond=1e-6)
    area = 0.5 * np.linalg.norm(np.cross(before[:, 1] - before[:, 0], before[:, 2] - before[:, 0]), axis=1)
    total = np.full(len(head.vertices), 1e-20)
    out = np.zeros((len(head.vertices), 3, 3))
    for corner in range(3):
        np.add.at(out, head.triangles[:, corner], area[:, None, None] * gradient)
        np.add.at(total, head.triangles[:, corner], area)
    return out / total[:, None, None]


def _build_frames(corners: F64) -> F64:
    """(T, 3, 3): two edges and the normal, as long as the edges are, in columns."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    normal /= np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20))
    return np.stack([first, second, normal], axis=2)


def _measure_cotangents(corners: F64) -> F64:
    """(T, 3) float64: half the cotangent at each corner, kept within bounds on slivers."""
    out = np.empty(corners.shape[:2])
    for k in range(3):
        u, v = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        sine = np.maximum(np.linalg.norm(np.cross(u, v), axis=1), 1e-20)
        out[:, k] = np.clip(0.5 * np.einsum("td,td->t", u, v) / sine, 0.05, 5.0)
    return out


def _build_laplacian(head: Head, cotangents: F64, place: NDArray[np.intp], count: int) -> coo_array:
    rows, columns, values = [], [], []
    corners = place[head.triangles]
    for k in range(3):
        i, j, weight = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3], cotangents[:, k]
        rows += [i, j, i, j]
        columns += [i, j, j, i]
        values += [weight, weight, -weight, -weight]
    return coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count))


def _divergence(head: Head, deform: F64, cotangents: F64, place: NDArray[np.intp], count: int) -> F64:
    """(count, 3): what the displacements' Laplacian has to be for triangles to deform as asked."""
    out = np.zeros((count, 3))
    corners, places = place[head.triangles], head.vertices[head.triangles]
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        edge = cotangents[:, k, None] * np.einsum("tij,tj->ti", deform, places[:, i] - places[:, j])
        np.add.at(out, corners[:, i], edge)
        np.add.at(out, corners[:, j], -edge)
    return out
