"""Landmark displacements onto a whole mesh: one matrix, made once, and a product per frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64, Rows
from ..errors import FacecapError
from ..geometry.easing import smoothstep
from ..landmarks.layout import Layout, layout_of, mediapipe_of
from ..rig.embedding import LandmarkEmbedding
from ..rig.surface import loose_parts, place_points
from .farthest_points import pick_farthest_points
from .geodesic import measure_distance, smooth_values, weld_skin
from .lip_lid_coordinates import lip_lid_coordinates
from .loose_parts import RigidPart, fit_gaze_turns, fit_jaw_motion, take_apart
from .options import WarpOptions
from .rbf import fit_rbf, measure_influence, merge_points

_FULL = 0.1
"""Up to this distance from a landmark the face moves in full, in distances of the outer eye corners."""
_ANCHORS = 40
_SAME_PLACE = 1e-4
_STABLE = 30.0
_ROUNDS = 6
_CALM = 2.0
_RESTLESS = 20.0
_CHUNK_FRAMES = 24


@dataclass(frozen=True)
class SkinPlan:
    """The skin as a warp sees it.

    Attributes:
        used: (N,) landmarks that lead.  centres: (N + A, D) float64 m, theirs and those of the anchors, with their
            coordinates across mouth and eyes.
        rows: (M,) vertices of the skin that move.  across: (M, D − 3) float64 m, their coordinates across.
        fade: (M,) float64 in 0..1, how much of the motion each takes part in.
    """

    used: Rows
    centres: F64
    rows: Rows
    across: F64
    fade: F64


@dataclass(frozen=True)
class Warp:
    """A mesh that follows landmarks.

    Attributes:
        rest: (V, 3) float32 m, rig space.
        landmarks: (L, 3) float64 m, rig space: the neutral's.
        scheme: of the landmarks.
        head_from_rig: (3, 3) float64 rotation to head axes.
        rows: (M,) vertices that the skin's motion moves; in order where these are all.  matrix: (M, L) float32.
        skin: what the matrix was made of.
        rigid_parts: what moves rigidly.
        remarks: what there is to say about the landmarks.
    """

    rest: F32
    landmarks: F64
    scheme: str
    head_from_rig: F64
    rows: Rows
    matrix: F32
    skin: SkinPlan
    rigid_parts: tuple[RigidPart, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    def frames(self, displacements: NDArray[np.floating]) -> F32:
        """Every frame at once.

        Args:
            displacements: (F, L, 3) m, rig axes, of the landmarks from rest.
        Returns:
            (F, V, 3) float32 m, rig space; a view of memory in which each vertex has its frames side by side, as the
            one matrix product gives them.
        """
        count = len(displacements)
        given = np.empty((len(self.landmarks) + 3, count, 3), np.float32)
        given[:-3] = np.asarray(displacements).transpose(1, 0, 2)
        given[-3:] = np.eye(3, dtype=np.float32)[:, None]  # times where a vertex rests
        moved = (self._with_rest @ given.reshape(len(given), -1)).reshape(-1, count, 3)
        if len(self.rows) == len(self.rest):
            out = moved  # rows are all vertices in their order
        else:
            out = np.empty((len(self.rest), count, 3), np.float32)
            out[self._resting] = self.rest[self._resting][:, None]
            out[self.rows] = moved
        if self.rigid_parts:
            self._move_rigid_parts(out, np.asarray(displacements, np.float64))
        return out.transpose(1, 0, 2)

    def play(self, displacements: NDArray[np.floating]) -> Iterator[F32]:
        """The same frame by frame, (V, 3) float32 m each, in memory that does not grow with their number."""
        for first in range(0, len(displacements), _CHUNK_FRAMES):
            yield from self.frames(displacements[first : first + _CHUNK_FRAMES])

    @cached_property
    def _with_rest(self) -> F32:
        """(M, L + 3): the matrix, and beside it where each vertex rests."""
        return np.concatenate([self.matrix, self.rest[self.rows]], axis=1)

    @cached_property
    def _resting(self) -> Rows:
        return np.setdiff1d(np.arange(len(self.rest)), self.rows)

    def _move_rigid_parts(self, out: F32, displacements: F64) -> None:
        """Put rigid parts into frames (V, F, 3)."""
        layout, axes = layout_of(self.scheme), self.head_from_rig
        landmarks, moved = self.landmarks @ axes.T, displacements @ axes.T
        jaw = fit_jaw_motion(landmarks, layout, moved) if any(o.kind == "jaw" for o in self.rigid_parts) else None
        for rigid_part in self.rigid_parts:
            if rigid_part.kind == "jaw" and jaw is not None:
                rotation, pivot, shift = jaw
            elif rigid_part.kind == "eye" and rigid_part.iris >= 0:
                pivot, shift = rigid_part.centre, np.zeros((out.shape[1], 3))
                # What the iris does beyond the lids' and the head's own motion is gaze.
                rotation = fit_gaze_turns(rigid_part.centre, landmarks[rigid_part.iris], moved[:, rigid_part.iris])
            else:
                continue
            # From rest to the frame in rig axes: one product for all frames.
            turn = np.einsum("ja,fjk,kb->bfa", axes, rotation, axes).astype(np.float32)
            home = (pivot @ axes).astype(np.float32)
            place = ((pivot + shift) @ axes).astype(np.float32)
            turned = (self.rest[rigid_part.vertices] - home) @ turn.reshape(3, -1)
            out[rigid_part.vertices] = turned.reshape(len(rigid_part.vertices), -1, 3) + place


@dataclass(frozen=True)
class _Placed:
    """Landmarks in use: (N,) their numbers, (N, 3) the vertices around each, (N, 3) shares, (N, 3) places."""

    used: Rows
    corners: Rows
    barycentric: F64
    places: F64


def make_warp(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    embedding: LandmarkEmbedding,
    scheme: str,
    options: WarpOptions | None = None,
    *,
    still: NDArray[np.floating] | None = None,
) -> Warp:
    """Prepare a mesh to follow landmarks (Seo and Luo, section 4, without its pull on neck, ears and borders).

    Args:
        vertices: (V, 3) float m, rig space.  triangles: (T, 3) int.
        embedding: where the mesh's landmarks lie, in the mesh layout or in `scheme`.
        scheme: layout of the displacements that will be given.
        still: (V,) float in 0..1, how much each vertex keeps still whatever its landmarks do.
    Raises:
        FacecapError: too few landmarks, or all in one plane.
    """
    options = options or WarpOptions()
    layout = layout_of(scheme)
    twins = np.arange(layout.count) if embedding.scheme == scheme else mediapipe_of(scheme)
    triangle, barycentric = embedding.triangle[twins], embedding.barycentric[twins]
    valid = np.asarray(embedding.valid)[twins] & (triangle >= 0)
    places = place_points(vertices, triangles, np.where(valid, triangle, 0), barycentric)
    eye_distance = float(np.linalg.norm(places[layout.upper_lid_right[0]] - places[layout.upper_lid_left[0]]))
    used, remarks = _choose_usable(places, valid, layout, eye_distance)

    part = loose_parts(vertices, triangles)
    face = int(np.bincount(part[triangle[used]]).argmax())
    # A landmark on another part, an iris on its eyeball, moves that part and not the skin.
    used = used[part[triangle[used]] == face]
    placed = _Placed(
        used, np.asarray(triangles, np.intp)[triangle[used]], barycentric[used].astype(np.float64), places[used]
    )
    positions, axes = np.asarray(vertices, np.float64), np.asarray(embedding.head_from_rig[:3, :3], np.float64)
    parts = take_apart(positions @ axes.T, triangles, part, face, places @ axes.T, layout)
    centres, rows, lifted, fade = _skin(
        positions, triangles[part == face], parts.skin, placed, layout, eye_distance, options
    )
    anchors = len(centres) - len(used)
    interpolant = fit_rbf(centres, kernel=options.kernel, sigma=options.sigma_m, anchors=anchors)
    weights = fade if still is None else fade * (1.0 - np.clip(np.asarray(still)[rows], 0.0, 1.0))
    matrix = measure_influence(interpolant, lifted) * weights.astype(np.float32)[:, None]
    matrix = _correct_reach(matrix, rows, placed)
    beneath = np.searchsorted(rows, parts.beneath)
    clings = np.isin(parts.beneath, rows)
    whole = np.zeros((len(rows) + int(clings.sum()), layout.count), np.float32)
    whole[: len(rows), used] = matrix
    whole[len(rows) :, used] = matrix[beneath[clings]]
    _share_out(whole, places, used, valid, eye_distance)
    magnified = float(np.abs(whole).sum(axis=1).max(initial=0.0))
    if magnified > _RESTLESS:
        remarks.append(
            f"Some vertices move up to {magnified:.0f} times as far as their landmarks: choose a smaller σ, or another "
            "kernel"
        )
    return Warp(
        np.asarray(vertices, np.float32),
        places,
        scheme,
        axes,
        np.concatenate([rows, parts.clinging[clings]]),
        whole,
        SkinPlan(used, centres, rows, lifted[:, 3:], weights),
        parts.rigid_parts,
        tuple(remarks),
    )


def _choose_usable(
    places: F64, valid: NDArray[np.bool_], layout: Layout, eye_distance: float
) -> tuple[Rows, list[str]]:
    """Landmarks to use, each place once, and what to say of the others."""
    remarks: list[str] = []
    seen = np.flatnonzero(valid)
    if len(seen) < 4:
        raise FacecapError(
            f"Only {len(seen)} landmarks lie on this mesh; a warp needs four or more.", "Place the landmarks again."
        )
    if len(seen) < layout.count:
        remarks.append(f"{layout.count - len(seen)} landmarks do not lie on this mesh; the others lead")
    first = merge_points(places[seen], closer_than=_SAME_PLACE * eye_distance)
    used = seen[first == np.arange(len(seen))]
    if len(used) < len(seen):
        remarks.append(f"{len(seen) - len(used)} landmarks lie where others do and were merged with them")
    return used, remarks


def _share_out(whole: F32, places: F64, used: Rows, valid: NDArray[np.bool_], eye_distance: float) -> None:
    """Landmarks at one place pull with the mean of their displacements."""
    seen = np.flatnonzero(valid)
    first = seen[merge_points(places[seen], closer_than=_SAME_PLACE * eye_distance)]
    for landmark in used[np.isin(used, first)]:
        group = seen[first == landmark]
        if len(group) > 1:
            whole[:, group] = (whole[:, landmark] / len(group))[:, None]


def _skin(
    positions: F64,
    triangles: NDArray[np.integer],
    skin: Rows,
    placed: _Placed,
    layout: Layout,
    eye_distance: float,
    options: WarpOptions,
) -> tuple[F64, Rows, F64, F64]:
    """Centres with their coordinates across mouth and eyes, anchors last; moving vertices, theirs, and their share.

    Args:
        triangles: (T, 3) of the skin alone.  skin: its vertices.
    """
    place, place_of, graph = weld_skin(positions, skin, triangles)
    corners = place_of[placed.corners]
    nearest = np.full(layout.count, -1)
    nearest[placed.used] = corners[np.arange(len(corners)), placed.barycentric.argmax(axis=1)]
    lift = np.zeros((len(place), 0))
    if options.lip_lid_coordinates:
        lift = lip_lid_coordinates(graph, nearest, layout, eye_distance)
    reach = options.reach * eye_distance
    full = min(_FULL * eye_distance, 0.5 * reach)
    away = measure_distance(graph, corners.ravel(), limit=1.3 * reach)
    falling = smoothstep((reach - np.minimum(away, reach)) / (reach - full))
    fade = smooth_values(graph, falling, rounds=2) * (away < reach)
    fade[away <= full] = 1.0
    anchors = pick_farthest_points(place, np.flatnonzero((away >= reach) & np.isfinite(away)), _ANCHORS)
    lifted = np.concatenate([place, lift], axis=1)
    across = np.einsum("lc,lcd->ld", placed.barycentric, lift[corners])
    centres = np.concatenate([np.concatenate([placed.places, across], axis=1), lifted[anchors]])
    moving = skin[fade[place_of[skin]] > 0]
    return centres, moving, lifted[place_of[moving]], fade[place_of[moving]]


def _correct_reach(matrix: F32, rows: Rows, placed: _Placed) -> F32:
    """The matrix corrected so that landmarks on the mesh get exactly where they are sent.

    The surface between vertices is flat where the interpolant is not: what landmarks do under the matrix is a little
    less than asked. Its inverse in front makes up for that; where landmarks share so few vertices that it would
    explode, the first terms of its series make up for most.
    """
    place = np.minimum(np.searchsorted(rows, placed.corners), len(rows) - 1)
    share = np.where(rows[place] == placed.corners, placed.barycentric, 0.0)
    done = np.einsum("lc,lck->lk", share, matrix[place].astype(np.float64))
    before = float(np.abs(matrix).sum(axis=1).max(initial=1e-12))
    missing = np.eye(len(done)) - done
    correction, power = np.eye(len(done)), np.eye(len(done))
    for _ in range(_ROUNDS):
        power = power @ missing
        correction += power
    candidates = [correction]
    if np.linalg.cond(done) <= _STABLE:
        candidates.insert(0, np.linalg.inv(done))
    for candidate in candidates:
        corrected = (matrix @ candidate).astype(np.float32)
        if float(np.abs(corrected).sum(axis=1).max(initial=0.0)) <= _CALM * before:
            return corrected
    return matrix
