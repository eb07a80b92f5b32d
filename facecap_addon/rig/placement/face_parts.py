"""The parts of a face that was found: its skin, its eyeballs, its middle, and what hides it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...landmarks.layout import Layout
from ..blendshapes import BlendshapeRig
from ..surface import loose_parts
from ..symmetry import mirror_normal, mirror_plane
from .cast_landmarks import Bools, nearest_pixel
from .mesh_view import Mesh, View, render_view

# Around an eye, a ring this many times as wide as its lids shows skin, unless something covers the eye.
_RING = 1.35
_COVERED = 0.6
# Keys move a vertex if by more than this part of the largest motion.
_STILL = 1e-4


def find_covering_triangles(mesh: Mesh, view: View, landmarks_px: F64, layout: Layout, still: Bools) -> Bools:
    """(T,) triangles of loose parts that hide an eye or the skin around it: lenses and their rims, say, or a fringe.

    An eyeball shows between the lids only. What shows on a ring outside them, and is not the face's skin, lies over it;
    so does what no key moves, unlike brows and lashes, and shows mostly outside the lids.

    Args:
        mesh: near the face.  view: from its front.  landmarks_px: (L, 2), pixels of that view.
        still: (V,) bool, from `find_still_vertices`.
    """
    part = loose_parts(mesh.vertices, mesh.triangles)
    hides = np.zeros(len(part), bool)
    moved = np.unique(part[~still[mesh.triangles].all(axis=1)])
    rings = _find_around_eyes(landmarks_px, layout)
    while True:
        number = np.flatnonzero(~hides)
        shown = render_view(Mesh(mesh.vertices, mesh.triangles[number], None), view).fragments.triangle
        skin = _skin_part(part[number], shown, landmarks_px, layout)
        over: set[int] = set()
        for ring in rings:
            pixel = nearest_pixel(shown >= 0, ring)
            on_ring = part[number][shown[pixel[:, 1], pixel[:, 0]]]
            most = int(np.bincount(on_ring).argmax())
            if most != skin and (on_ring == most).mean() > _COVERED:
                over.add(most)
            over |= {p for p in _find_outside_lids(part[number], shown, ring) if p != skin and p not in moved}
        if not over:
            return hides
        hides |= np.isin(part, list(over))


def find_still_vertices(rig: BlendshapeRig) -> Bools:
    """(V,) bool: vertices that no shape key moves; none are known to be still where there are no keys."""
    if not len(rig.channels):
        return np.zeros(rig.vertex_count, bool)
    largest = np.abs(rig.deltas).max(axis=(0, 2))
    return largest <= _STILL * largest.max()


def _find_outside_lids(part: NDArray[np.int32], shown: NDArray[np.int32], ring: F64) -> set[int]:
    """Loose parts that show around an eye, and less inside its ring (N, 2) px than between that and thrice its size."""
    middle = ring.mean(axis=0)
    half = np.abs(ring - middle).max(axis=0)
    rows, columns = np.indices(shown.shape)
    radius = np.hypot((columns - middle[0]) / half[0], (rows - middle[1]) / half[1])
    seen = shown >= 0
    inside, outside = (
        np.bincount(part[shown[seen & where]], minlength=int(part.max()) + 1)
        for where in (radius < 1.0, (radius >= 1.0) & (radius < 3.0))
    )
    return set(np.flatnonzero(outside > inside).tolist())


def parts_of(mesh: Mesh, view: View, landmarks_px: F64, layout: Layout) -> tuple[Bools, Bools]:
    """(T,) triangles of the face's skin, and of the eyeballs where these are loose parts; arguments: see
    `find_covering_triangles`."""
    shown = render_view(mesh, view).fragments.triangle
    part = loose_parts(mesh.vertices, mesh.triangles)
    skin = _skin_part(part, shown, landmarks_px, layout)
    middles = np.array([landmarks_px[list(eye)].mean(axis=0) for eye in layout.keypoints[:2]])
    eyes = np.zeros(len(part), bool)
    for middle, iris in zip(middles, (layout.iris_right, layout.iris_left), strict=True):
        at = nearest_pixel(shown >= 0, np.concatenate([middle[None], landmarks_px[list(iris)]]))
        within = part[shown[at[:, 1], at[:, 0]]]
        within = within[within != skin]
        # Lashes may hang over an iris; most of what it shows is the eyeball.
        if len(within):
            eyes |= part == np.bincount(within).argmax()
    return part == skin, eyes


def _skin_part(part: NDArray[np.int32], shown: NDArray[np.int32], landmarks_px: F64, layout: Layout) -> int:
    """The loose part that shows at most landmarks of the nose, the cheeks and the jaw."""
    pixel = nearest_pixel(shown >= 0, landmarks_px)
    at_landmark = part[shown[pixel[:, 1], pixel[:, 0]]]
    face = at_landmark[[*layout.nose, *layout.cheek_right, *layout.cheek_left, *layout.jaw]]
    return int(np.bincount(face).argmax())


def _find_around_eyes(landmarks_px: F64, layout: Layout) -> list[F64]:
    """Rings (N, 2) px around the lids of each eye."""
    lids = (
        [*layout.upper_lid_right, *layout.lower_lid_right],
        [*layout.upper_lid_left, *layout.lower_lid_left],
    )
    rings: list[F64] = []
    for eye in lids:
        middle = landmarks_px[eye].mean(axis=0)
        rim = landmarks_px[eye] - middle
        # A narrow eye's ring is as high above it as it is wide beside it.
        half = float(np.abs(rim[:, 0]).max())
        around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        rings.append(middle + half * np.stack([_RING * np.cos(around), 0.5 * _RING * np.sin(around)], axis=1))
    return rings


def straighten_view(
    rotation: F64, mesh: Mesh, skin: Bools, positions: F64, layout: Layout
) -> tuple[F64, tuple[F64, float] | None]:
    """A frontal view's rotation (3, 3), levelled by the plane (normal (3,), offset) of the skin's symmetry, and that.

    The plane is None, and the rotation as it was, where the skin is not the same on both sides.
    """
    triangles = mesh.triangles[skin]
    edges = mesh.vertices[triangles[:, 0]] - mesh.vertices[triangles[:, 1]]
    typical = float(np.median(np.linalg.norm(edges, axis=1)))
    points = mesh.vertices[np.unique(triangles)]
    middles = 0.5 * (positions + positions[layout.mirror])
    normal = mirror_normal(points, typical, rotation[0], float(np.median(middles @ rotation[0])))
    if normal is None:
        return rotation, None
    offset = mirror_plane(points, typical, normal, float(np.median(middles @ normal)))
    return level_view(rotation, normal), None if offset is None else (normal, offset)


def level_view(rotation: F64, normal: F64) -> F64:
    """A frontal rotation (3, 3) turned by the least angle so that its right is a unit vector (3,)."""
    forward = rotation[2] - (rotation[2] @ normal) * normal
    forward /= np.linalg.norm(forward)
    return np.stack([normal, np.cross(forward, normal), forward])
