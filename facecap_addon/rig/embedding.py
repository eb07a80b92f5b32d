"""Where each landmark lies on a character's mesh, found by showing the mesh to the landmark network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64, I32
from ..errors import UNREADABLE, FacecapError
from ..landmarks.layout import Layout, layout_of
from ..landmarks.protocol import Landmarker
from .blendshapes import BlendshapeRig
from .landmark_edits import LandmarkEdits
from .placement.cast_landmarks import VIEW_COUNT, Placement, Target, place
from .placement.default_colors import paint_eyes
from .placement.face_parts import find_covering_triangles, find_still_vertices, level_view, parts_of, straighten_view
from .placement.find_face import find_face, find_positions
from .placement.mean_face import find_face_pose
from .placement.mesh_view import Mesh, render_view
from .placement.open_mouth import part_lips
from .surface import find_nearest, place_points

BEHIND_THE_EYES_M = 0.060
"""How far behind the middle of the outer eye corners the head's origin lies, in a life-size head."""
OUTER_EYE_CORNERS_M = 0.090
"""Distance of the outer eye corners of a life-size head (adults: 80 to 100 mm)."""
# Only this many face sizes around the face are looked at closely.
_REACH = 1.6
# What moves by more than this share of the lower lip's way, as the mouth opens, belongs to the lower lip.
_LOWER_LIP = 0.35


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Landmarks on a mesh.

    Attributes:
        scheme: landmark layout, for example "mediapipe-478".
        triangle: (L,) int32, triangles of the rig.
        barycentric: (L, 3) float32, where in the triangle.
        valid: (L,) bool, false for landmarks that no view of the mesh shows (under hair, say).
        head_from_rig: (4, 4) float64 rigid transform to head space: x the character's left, y towards the back of
            the head, z up, metres; the origin lies behind the middle of the outer eye corners, 60 mm in a life-size
            head and in proportion in others.
        rig_scale: size of this head in life sizes, measured between the outer eye corners; nothing is scaled by it.
    """

    scheme: str
    triangle: NDArray[np.int32]
    barycentric: F32
    valid: NDArray[np.bool_]
    head_from_rig: F64
    rig_scale: float = 1.0

    def __post_init__(self) -> None:
        count = len(self.triangle)
        if (
            self.triangle.shape != (count,)
            or self.barycentric.shape != (count, 3)
            or self.valid.shape != (count,)
            or self.head_from_rig.shape != (4, 4)
        ):
            raise FacecapError("The character's landmarks do not fit together.", "Place the landmarks again.")


def find_embedding(
    rig: BlendshapeRig, landmarker: Landmarker, on_progress: Callable[[int, int], None] | None = None
) -> LandmarkEmbedding:
    """Place landmarks on a character by rendering it and casting what the network sees back onto the surface.

    The neutral is looked at from several sides under several lights. Landmarks of the inner lips are placed with the
    mouth a little open, so that those of the upper lip lie on the upper lip even if the neutral's mouth is closed.

    Args:
        rig: the character, in any orientation and size.  landmarker: an open backend.
        on_progress: told looks done and in all; it may raise to cancel.
    Raises:
        FacecapError: no face can be seen on the mesh.
    """
    looks = iter(range(1, 2 * VIEW_COUNT + 1))

    def on_look() -> None:
        if on_progress is not None:
            on_progress(next(looks), 2 * VIEW_COUNT)

    layout = layout_of(landmarker.scheme)
    whole = Mesh(rig.neutral, rig.triangles, rig.colors)
    found = find_face(rig, whole, landmarker)
    near = _find_triangles_near(whole, found.positions)
    mesh = replace(whole, triangles=rig.triangles[near])
    near = near[~find_covering_triangles(mesh, found.view, found.landmarks_px, layout, find_still_vertices(rig))]
    mesh = replace(whole, triangles=rig.triangles[near])
    rough = find_positions(render_view(mesh, found.view), found.landmarks_px)
    skin, eyes = parts_of(mesh, found.view, found.landmarks_px, layout)
    rotation, plane = straighten_view(found.view.rotation, mesh, skin, rough, layout)
    if rig.colors is None and eyes.any():
        width = float(np.linalg.norm(rough[layout.upper_lid_left[0]] - rough[layout.upper_lid_right[0]]))
        mesh = replace(mesh, colors=paint_eyes(mesh.vertices, mesh.triangles, eyes, rotation, width))
    target = Target(mesh, skin, eyes, layout, plane)
    placed = place(target, rotation, rough, landmarker, on_look)
    if placed is None:
        raise FacecapError(
            "The face on the character is not clear enough to place landmarks on.",
            "Choose the mesh that holds the face, or place its landmarks by hand.",
        )
    placed = _with_lips_parted(rig, target, placed, rotation, landmarker, on_look)
    rotation = find_face_pose(placed.position, layout).rotation
    rotation = rotation if plane is None else level_view(rotation, plane[0])
    head_from_rig, rig_scale = find_head_space(rotation, placed.position, layout)
    return LandmarkEmbedding(
        landmarker.scheme,
        near[placed.triangle].astype(np.int32),
        placed.barycentric.astype(np.float32),
        placed.valid,
        head_from_rig,
        rig_scale,
    )


def edit_embedding(
    embedding: LandmarkEmbedding, edits: LandmarkEdits | None, triangles: NDArray[np.integer]
) -> LandmarkEmbedding:
    """The landmarks with those that a person put in their place; edits of another scheme or mesh are left out.

    Head space stays: where the head is does not change with where its landmarks are.

    Args:
        triangles: (T, 3) of the rig.
    """
    if edits is None or not edits.fits(embedding.scheme, len(embedding.triangle), triangles):
        return embedding
    triangle, barycentric, valid = embedding.triangle.copy(), embedding.barycentric.copy(), embedding.valid.copy()
    triangle[edits.landmark], barycentric[edits.landmark] = edits.triangle, edits.barycentric
    valid[edits.landmark] = True
    return replace(embedding, triangle=triangle, barycentric=barycentric, valid=valid)


def landmark_geometry(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> tuple[F32, F32]:
    """Landmarks of the neutral, and how each shape key moves them.

    Returns:
        (L, 3) float32 m, head space; (K, L, 3) float32 m, head space, displacement at weight 1.
    Raises:
        FacecapError: the landmarks were placed on another mesh.
    """
    if len(embedding.triangle) and (embedding.triangle.min() < 0 or embedding.triangle.max() >= len(rig.triangles)):
        raise FacecapError("The landmarks belong to another mesh.", "Place the landmarks on this character again.")
    corners = rig.triangles[embedding.triangle]
    weights = embedding.barycentric.astype(np.float32)
    rotation, shift = embedding.head_from_rig[:3, :3], embedding.head_from_rig[:3, 3]
    neutral = np.einsum("lc,lcd->ld", weights, rig.neutral[corners]) @ rotation.T + shift
    deltas = np.empty((len(rig.channels), len(corners), 3), np.float32)
    for k in range(len(rig.channels)):
        deltas[k] = np.einsum("lc,lcd->ld", weights, rig.deltas[k][corners]) @ rotation.T
    return neutral.astype(np.float32), deltas


def save_embedding(path: Path, embedding: LandmarkEmbedding) -> None:
    """Write an embedding to an `.npz` (the caller makes the write atomic)."""
    with path.open("wb") as stream:
        np.savez(
            stream,
            scheme=np.array(embedding.scheme),
            triangle=embedding.triangle,
            barycentric=embedding.barycentric,
            valid=embedding.valid,
            head_from_rig=embedding.head_from_rig,
            rig_scale=np.array(embedding.rig_scale),
        )


def load_embedding(path: Path) -> LandmarkEmbedding:
    """Read what `save_embedding` wrote. Raises FacecapError if the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return LandmarkEmbedding(
                scheme=str(data["scheme"]),
                triangle=data["triangle"].astype(np.int32),
                barycentric=data["barycentric"].astype(np.float32),
                valid=data["valid"].astype(np.bool_),
                head_from_rig=data["head_from_rig"].astype(np.float64),
                rig_scale=float(data["rig_scale"]),
            )
    except UNREADABLE as error:
        raise FacecapError(
            f"The character's landmarks in {path.name} cannot be read ({error}).", "Place the landmarks again."
        ) from error


def _find_triangles_near(mesh: Mesh, around: F64) -> NDArray[np.intp]:
    """Triangles around the face; bodies can be large."""
    low, high = np.quantile(around, (0.02, 0.98), axis=0)
    size = float(np.linalg.norm(high - low))
    centre = mesh.vertices[mesh.triangles[:, 0]]
    return np.flatnonzero(np.linalg.norm(centre - 0.5 * (low + high), axis=1) < _REACH * size)


def _with_lips_parted(
    rig: BlendshapeRig,
    target: Target,
    placed: Placement,
    rotation: F64,
    landmarker: Landmarker,
    on_look: Callable[[], None],
) -> Placement:
    """The placement with the inner lips' landmarks taken from a pose in which the mouth is a little open."""
    layout, mesh = target.layout, target.mesh
    vertices = part_lips(rig, mesh.triangles, placed, layout, down=rotation[1])
    if vertices is None:
        return placed
    posed = Mesh(vertices, mesh.triangles, mesh.colors)
    around = place_points(vertices, mesh.triangles, placed.triangle, placed.barycentric)
    opened = place(replace(target, mesh=posed), rotation, around, landmarker, on_look)
    if opened is None:
        return placed
    inner = np.zeros(layout.count, bool)
    inner[[*layout.lips_inner_upper, *layout.lips_inner_lower]] = True
    triangle = np.where(inner, opened.triangle, placed.triangle)
    barycentric = np.where(inner[:, None], opened.barycentric, placed.barycentric)
    _to_own_lip(triangle, barycentric, target, vertices - mesh.vertices, placed)
    position = place_points(mesh.vertices, mesh.triangles, triangle, barycentric)
    return Placement(triangle, barycentric, position, np.where(inner, opened.valid, placed.valid))


def _to_own_lip(
    triangle: I32, barycentric: F64, target: Target, moved: NDArray[np.floating], neutral: Placement
) -> None:
    """Put inner landmarks that ended on the other lip onto their own, where the lips meet; changed in place.

    A mouth that is a little open is often seen as closed: what is then between the lips is as near to either.

    Args:
        triangle, barycentric: (L,), (L, 3) of landmarks.  target: the mesh with its mouth closed.
        moved: (V, 3) m, how it was opened.  neutral: the landmarks as they were seen before.
    """
    layout, mesh = target.layout, target.mesh
    way = np.linalg.norm(moved, axis=1)[mesh.triangles]
    middle = layout.lips_outer_lower[len(layout.lips_outer_lower) // 2]
    most = float(neutral.barycentric[middle] @ way[neutral.triangle[middle]])
    moves = np.einsum("lc,lc->l", barycentric, way[triangle]) > _LOWER_LIP * most
    corners = set(layout.lips_inner_upper) & set(layout.lips_inner_lower)
    for lip, lower in ((layout.lips_inner_upper, False), (layout.lips_inner_lower, True)):
        astray = np.array([i for i in lip if i not in corners and bool(moves[i]) != lower], np.intp)
        own = np.flatnonzero(target.skin & ((way.mean(axis=1) > _LOWER_LIP * most) == lower))
        if astray.size and own.size:
            found = find_nearest(neutral.position[astray], mesh.vertices, mesh.triangles, own)
            triangle[astray], barycentric[astray] = found[0], found[1]


def find_head_space(rotation: F64, positions: F64, layout: Layout) -> tuple[F64, float]:
    """(4, 4) head space from rig space, and the head's size in life sizes.

    Args:
        rotation: (3, 3), axes of a frontal camera (right, down, forward) in rig space.
        positions: (L, 3) m, rig space, landmarks of the neutral.  layout: theirs.
    """
    head_axes = np.stack([rotation[0], rotation[2], -rotation[1]])
    right, left = positions[layout.upper_lid_right[0]], positions[layout.upper_lid_left[0]]
    scale = float(np.linalg.norm(left - right)) / OUTER_EYE_CORNERS_M
    origin = 0.5 * (right + left) + BEHIND_THE_EYES_M * scale * head_axes[1]
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = head_axes, -head_axes @ origin
    return transform, scale
