"""Landmarks on one pose of a mesh: seen from several sides, cast back onto the surface, combined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ...arrays import F64, I32, Bools
from ...landmarks.layout import Layout
from ...landmarks.protocol import Landmarker
from ...landmarks.single_image import find_landmarks_in_image
from ..surface import find_nearest, place_points
from .mesh_view import Direction, Mesh, RenderedView, View, frame_view, render_view, turn_view, view_px

_SIZE = 896
_FILL = 0.5
_DEGREE = np.pi / 180
# The face from the front, a little from the sides, from above and from below (yaw, pitch).
_VIEWS = tuple((yaw * _DEGREE, pitch * _DEGREE) for yaw, pitch in ((0, 0), (-12, 0), (12, 0), (0, -8), (0, 8)))
VIEW_COUNT = len(_VIEWS)
# Lights (camera space); every picture is also looked at mirrored.
_LIGHTS: tuple[Direction, ...] = ((0.0, -0.4, -0.9), (-0.45, -0.4, -0.8))
# A landmark further from all visible skin than this part of the face's size is hidden (by hair, say).
_HIDDEN = 0.05
# Neighbouring pixels of one surface differ in depth by less than this part of the face's size.
_STEP = 0.02
# Landmarks of inner lips and lids that lie this close to the border of the mouth or the eye belong on it (face sizes).
_TO_BORDER = 0.012
# Brows, lashes and short hair lie this close to the skin, in face sizes.
_COVER = 0.04


@dataclass(frozen=True)
class Target:
    """The mesh on which landmarks are placed, and what is known of it.

    Attributes:
        mesh: in the pose at hand; triangles near the face only.
        skin: (T,) bool, triangles of the face's skin.  eyes: (T,) bool, triangles of the eyeballs (or all false).
        layout: of the landmarks.
        plane: (normal (3,), offset) of the mesh's symmetry in rig space, or None.
    """

    mesh: Mesh
    skin: Bools
    eyes: Bools
    layout: Layout
    plane: tuple[F64, float] | None


@dataclass(frozen=True)
class Placement:
    """Landmarks on a surface.

    Attributes:
        triangle: (L,) int32, numbers in the target's mesh.  barycentric: (L, 3) float64.
        position: (L, 3) float64 m, rig space, in the pose they were placed in.
        valid: (L,) bool, false where no view shows the place.
    """

    triangle: I32
    barycentric: F64
    position: F64
    valid: Bools


def place(
    target: Target, rotation: F64, around: F64, landmarker: Landmarker, on_look: Callable[[], None]
) -> Placement | None:
    """Place landmarks on a mesh, or return None if the network sees no face on it.

    Args:
        target: the mesh.  rotation: (3, 3) of the frontal view.  around: (N, 3) m, rig space, where the face is.
        landmarker: an open backend.  on_look: called after each of VIEW_COUNT looks; it may raise to cancel.
    """
    seen_from: list[F64] = []
    hidden: list[Bools] = []
    visible = np.zeros(len(target.mesh.triangles), bool)
    for yaw, pitch in _VIEWS:
        sight = render_view(target.mesh, frame_view(around, turn_view(rotation, yaw, pitch), _FILL, _SIZE))
        landmarks_px = detect_landmarks_on(sight, landmarker, target.layout)
        on_look()
        if landmarks_px is None:
            continue
        surfaces = find_surfaces(sight, target)
        position, off_px = cast(sight, landmarks_px, surfaces, target.layout)
        visible[surfaces.triangle[surfaces.covered | surfaces.eyes]] = True
        seen_from.append(position)
        hidden.append(off_px > _HIDDEN * _SIZE * _FILL)
    if not seen_from:
        return None
    position = np.median(seen_from, axis=0)
    valid = np.mean(hidden, axis=0) < 0.5
    placed = _snap(position, valid, visible, target)
    if target.plane is None:
        return placed
    mirror = target.layout.mirror
    together = 0.5 * (placed.position + reflect(placed.position, target.plane)[mirror])
    return _snap(together, valid & valid[mirror], visible, target)


def detect_landmarks_on(sight: RenderedView, landmarker: Landmarker, layout: Layout) -> F64 | None:
    """(L, 2) landmarks in pixels of a view: the median under several lights, mirrored and not. None without a face."""
    seen: list[F64] = []
    for light in _LIGHTS:
        picture = sight.picture(light)
        for flipped in (False, True):
            found = find_landmarks_in_image(np.ascontiguousarray(picture[:, ::-1]) if flipped else picture, landmarker)
            if found is None:
                continue
            landmarks = found.landmarks_px.astype(np.float64)
            if flipped:
                landmarks = landmarks[layout.mirror]
                landmarks[:, 0] = picture.shape[1] - 1 - landmarks[:, 0]
            seen.append(view_px(landmarks))
    return np.median(seen, axis=0) if seen else None


@dataclass(frozen=True)
class Surfaces:
    """What landmarks can lie on in a view of S pixels.

    Attributes:
        bare: (S, S) bool, skin that is seen.  covered: the same and skin close behind brows, lashes or hair.
        eyes: (S, S) bool, eyeballs.
        triangle: (S, S) int32, the skin's or the eye's triangle, -1 elsewhere.  depth_m: (S, S) float32, its depth.
    """

    bare: Bools
    covered: Bools
    eyes: Bools
    triangle: I32
    depth_m: NDArray[np.float32]


def find_surfaces(sight: RenderedView, target: Target) -> Surfaces:
    """Tell skin and eyes apart in a view.

    Skin is the largest patch without a step in depth: what shows through between the lids or the lips lies deeper, even
    if it belongs to the same piece of the mesh.
    """
    triangle, depth = sight.fragments.triangle, sight.fragments.depth_m
    filled = np.maximum(triangle, 0)
    bare, eyes = (triangle >= 0) & target.skin[filled], (triangle >= 0) & target.eyes[filled]
    covered = bare
    number = np.flatnonzero(target.skin)
    if np.any((triangle >= 0) & ~bare & ~eyes):
        skin = render_view(replace(target.mesh, triangles=target.mesh.triangles[number]), sight.view).fragments
        cover = _COVER * _FILL * sight.view.pixel_m * sight.view.size_px
        beneath = (skin.triangle >= 0) & ~bare & ~eyes & (skin.depth_m < depth + cover)
        covered = bare | beneath
        triangle = np.where(beneath, number[skin.triangle], triangle)
        depth = np.where(beneath, skin.depth_m, depth)
    patch = _find_largest_patch(covered, depth, _STEP * _FILL * sight.view.pixel_m * sight.view.size_px)
    return Surfaces(bare & patch, patch, eyes, triangle.astype(np.int32), depth)


def _find_largest_patch(mask: Bools, depth: NDArray[np.float32], step: float) -> Bools:
    """The largest connected part of a mask, cut where a pixel lies deeper than its neighbour by more than a step."""
    known = np.where(mask, depth, np.float32(1e9))
    nearest = ndimage.grey_erosion(known, footprint=ndimage.generate_binary_structure(2, 1), mode="nearest")
    label = np.zeros(mask.shape, np.int32)
    count = ndimage.label(mask & (known - nearest <= step), output=label)
    return label == 1 + int(np.bincount(label.ravel())[1:].argmax()) if count else mask


def cast(sight: RenderedView, landmarks_px: F64, surfaces: Surfaces, layout: Layout) -> tuple[F64, F64]:
    """Cast landmarks onto the surface at their pixels, or at the nearest pixel that shows what they lie on.

    Args:
        sight: the view.  landmarks_px: (L, 2), its pixels.  surfaces: from `find_surfaces`.  layout: of the landmarks.
    Returns:
        (L, 3) float64 m, rig space; (L,) float64 px, how far each had to be moved.
    """
    irises, lips, lids = is_iris(layout), _find_inner_lips(layout), _find_lids(layout)
    pixel = np.zeros((layout.count, 2), np.intp)
    groups = ((lips | lids, surfaces.bare), (~(lips | lids | irises), surfaces.covered), (irises, surfaces.eyes))
    for which, mask in groups:
        usable = next((m for m in (mask, surfaces.covered) if m.any()), surfaces.triangle >= 0)
        if which.any():
            pixel[which] = nearest_pixel(usable, landmarks_px[which])
    openings = ((lips, ~surfaces.covered & ~surfaces.eyes), (lids, surfaces.eyes))
    landmarks_px = landmarks_px.copy()
    for which, opening in openings:
        if which.any() and opening.any() and surfaces.bare.any():
            border = nearest_pixel(surfaces.bare, nearest_pixel(opening, landmarks_px[which]).astype(np.float64))
            near = np.linalg.norm(border - landmarks_px[which], axis=1) < _TO_BORDER * _FILL * sight.view.size_px
            moved = np.flatnonzero(which)[near]
            pixel[moved] = landmarks_px[moved] = border[near]
    offset = landmarks_px - pixel
    off = np.hypot(offset[:, 0], offset[:, 1])
    # Within a pixel the landmark's own place counts; moved ones stay on the border they were moved to.
    at = np.where((off < 1.0)[:, None], landmarks_px, pixel)
    depth = surfaces.depth_m[pixel[:, 1], pixel[:, 0]].astype(np.float64)
    return unproject(at, depth, sight.view), off


def _find_inner_lips(layout: Layout) -> Bools:
    """(L,) bool: landmarks of the inner lips."""
    inner = np.zeros(layout.count, bool)
    inner[[*layout.lips_inner_upper, *layout.lips_inner_lower]] = True
    return inner


def _find_lids(layout: Layout) -> Bools:
    """(L,) bool: landmarks of the lids."""
    lids = np.zeros(layout.count, bool)
    upper, lower = (*layout.upper_lid_right, *layout.upper_lid_left), (*layout.lower_lid_right, *layout.lower_lid_left)
    lids[[*upper, *lower]] = True
    return lids


def unproject(points_px: F64, depth_m: F64, view: View) -> F64:
    """(N, 3) m, rig space, of pixels (N, 2) at depths (N,)."""
    rays = (points_px - np.asarray(view.camera.center_px)) / view.camera.focal_px
    return view.rig_space(np.concatenate([rays, np.ones((len(rays), 1))], axis=1) * depth_m[:, None])


def reflect(points: F64, plane: tuple[F64, float]) -> F64:
    """Points mirrored in a plane (unit normal, offset)."""
    normal, offset = plane
    return points + np.outer(2 * (offset - points @ normal), normal)


def is_iris(layout: Layout) -> Bools:
    """(L,) bool: landmarks of the irises."""
    irises = np.zeros(layout.count, bool)
    irises[[*layout.iris_right, *layout.iris_left]] = True
    return irises


def nearest_pixel(shown: Bools, points_px: F64) -> NDArray[np.intp]:
    """(N, 2) x and y of the pixels in a mask nearest to points."""
    height, width = shown.shape
    x = np.clip(np.round(points_px[:, 0]), 0, width - 1).astype(np.intp)
    y = np.clip(np.round(points_px[:, 1]), 0, height - 1).astype(np.intp)
    pixel = np.stack([x, y], axis=1)
    outside = ~shown[y, x]
    if outside.any() and shown.any():
        # The nearest pixel of a mask to one outside of it lies on the mask's border.
        rows, columns = np.nonzero(shown & ~np.asarray(ndimage.binary_erosion(shown), np.bool_))
        border = np.stack([columns, rows], axis=1)
        pixel[outside] = border[cKDTree(border).query(pixel[outside])[1]]
    return pixel


def _snap(position: F64, valid: Bools, visible: Bools, target: Target) -> Placement:
    """Move places onto the visible surface of what they lie on."""
    mesh, irises = target.mesh, is_iris(target.layout)
    placed = Placement(np.zeros(len(position), np.int32), np.zeros((len(position), 3)), position.copy(), valid)
    for which, part in ((~irises, target.skin), (irises, target.eyes)):
        among = np.flatnonzero(part & visible)
        if not len(among):
            among = np.flatnonzero(visible)
        if which.any():
            triangle, barycentric, _ = find_nearest(position[which], mesh.vertices, mesh.triangles, among)
            placed.triangle[which], placed.barycentric[which] = triangle, barycentric
    return replace(placed, position=place_points(mesh.vertices, mesh.triangles, placed.triangle, placed.barycentric))
