"""Where on a mesh a face is, and which way it looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...errors import FacecapError
from ...geometry.camera import project
from ...images.resample import warp_affine
from ...landmarks.layout import Layout, layout_of
from ...landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from ...landmarks.regions import Region
from ..blendshapes import BlendshapeRig
from ..symmetry import mirror_share
from .cast_landmarks import nearest_pixel, unproject
from .face_clues import FaceClues, read_clues
from .mean_face import FacePose, find_anchors, find_face_pose
from .mesh_view import Direction, Mesh, RenderedView, View, frame_view, render_view, view_px

FRONT_LIGHT: Direction = (-0.25, -0.45, -0.86)
# Sizes of a view that is searched, and of one in which a face is looked at.
_SEARCH_SIZE, _LOOK_SIZE = 384, 448
_ALONG_AXES, _AROUND = 4, 6
_DIRECTIONS = 48
# How much of the picture is filled by what the keys move, by all of the mesh, and by a face that was found.
_MOVING_FILL, _WHOLE_FILL, _FACE_FILL = 0.4, 0.9, 0.5
# A face is looked at again from the front until that turns by less than this.
_ROUNDS, _SETTLED_DEG, _UNSETTLED_DEG = 6, 0.5, 6.0
_FACES_IN_A_VIEW, _LOOKS = 2, 40
# A face that scores this well is taken at once; below the least it is one that the network imagines.
_CERTAIN, _LEAST = 0.9, 0.5
# Rays through the slit between lids or lips hit what lies behind: a landmark's depth is the least within this square.
_SLIT_PX = 7
_NOT_FOUND = "No face was found on the character."
_WAY_OUT = "Choose the mesh that holds the face, or place its landmarks by hand."


@dataclass(frozen=True)
class Found:
    """A face seen on a mesh.

    Attributes:
        view: looks it in the face.  landmarks_px: (L, 2) float64, pixels of that view.
        positions: (L, 3) float64 m, rig space, of the landmarks on whatever the view shows.
        score: 0..1, how much like a face it is, and how well it agrees with the keys and the mesh's symmetry.
    """

    view: View
    landmarks_px: F64
    positions: F64
    score: float


def find_face(rig: BlendshapeRig, mesh: Mesh, landmarker: Landmarker) -> Found:
    """Render a mesh from all sides until a face is detected, then turn the view until it is seen from the front.

    The network imagines faces on skulls and ears, and is sure of them. What it finds is therefore measured in space:
    it has to be of a face's shape, lie where the keys move the mesh, and be as symmetric as the mesh.

    Args:
        rig: the character, in any orientation and size.  mesh: its neutral shape.  landmarker: an open backend.
    Raises:
        FacecapError: no side shows a face.
    """
    if not len(mesh.triangles):
        raise FacecapError(_NOT_FOUND, _WAY_OUT)
    clues = read_clues(rig)
    best: Found | None = None
    for views in _list_searches(mesh, clues, landmarker):
        for view in views:
            for found in _find_faces_from(view, mesh, clues, landmarker):
                if best is None or found.score > best.score:
                    best = found
            if best is not None and best.score >= _CERTAIN:
                return best
    if best is None or best.score < _LEAST:
        raise FacecapError(_NOT_FOUND, _WAY_OUT)
    return best


def _list_searches(mesh: Mesh, clues: FaceClues, landmarker: Landmarker) -> Iterator[Iterable[View]]:
    """Views to look from: as the keys say, then along the mesh's axes, then from everywhere; likely ones first."""
    drawn = mesh.vertices[np.unique(mesh.triangles)]
    framings = [(clues.moving, _MOVING_FILL)] if len(clues.moving) else []
    if clues.rotation is not None:
        yield [frame_view(clues.moving, clues.rotation, _MOVING_FILL, _LOOK_SIZE)]
    framings.append((drawn, _WHOLE_FILL))
    axes = np.array([(0, 1, 0), (0, 0, -1), (0, -1, 0), (-1, 0, 0), (1, 0, 0), (0, 0, 1)], np.float64)
    for directions, rolls in ((axes, _ALONG_AXES), (_spread_directions(_DIRECTIONS), _AROUND)):
        yield _choose_likely_views(mesh, framings, directions, rolls, landmarker)


def _choose_likely_views(
    mesh: Mesh, framings: list[tuple[NDArray[np.float32], float]], directions: F64, rolls: int, landmarker: Landmarker
) -> list[View]:
    """Views in which the detector sees a face, the surest first.

    Args:
        framings: points (N, 3) and how much of the picture they fill.  directions: (D, 3), lines of sight.
        rolls: how many ways the camera is held.
    """
    seen: list[tuple[float, View]] = []
    for direction in directions:
        upright = _look_along(direction)
        for points, fill in framings:
            picture = render_view(mesh, frame_view(points, upright, fill, _SEARCH_SIZE)).picture(FRONT_LIGHT)
            for turn in 2 * np.pi * np.arange(rolls) / rolls:
                faces = landmarker.find_faces(_turn_picture(picture, float(turn)))
                if faces:
                    rotation = _roll_view(upright, -float(turn))
                    seen.append((max(f.score for f in faces), frame_view(points, rotation, fill, _LOOK_SIZE)))
    order = sorted(range(len(seen)), key=lambda number: -seen[number][0])
    return [seen[number][1] for number in order[:_LOOKS]]


def _turn_picture(picture: NDArray[np.uint8], turn: float) -> NDArray[np.uint8]:
    """A square picture turned about its middle, anticlockwise as seen by rad."""
    cosine, sine, middle = np.cos(turn), np.sin(turn), (len(picture) - 1) / 2
    matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    matrix[:, 2] = middle - matrix[:, :2].sum(axis=1) * middle
    return warp_affine(picture, matrix, (len(picture), len(picture)))


def _spread_directions(count: int) -> F64:
    """(count, 3) directions spread evenly over the sphere (a Fibonacci lattice)."""
    number = np.arange(count) + 0.5
    height, around = 1 - 2 * number / count, np.pi * (1 + 5**0.5) * number
    aside = np.sqrt(1 - height**2)
    return np.stack([aside * np.cos(around), aside * np.sin(around), height], axis=1).astype(np.float64)


def _look_along(direction: F64) -> F64:
    """(3, 3) axes of a camera that looks along a direction, its top towards +z, or +y if it looks along z."""
    top = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, top)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction])


def _roll_view(rotation: F64, angle_rad: float) -> F64:
    return np.asarray(Rotation.from_rotvec([0.0, 0.0, -angle_rad]).as_matrix() @ rotation, np.float64)


def _find_faces_from(view: View, mesh: Mesh, clues: FaceClues, landmarker: Landmarker) -> Iterator[Found]:
    """The faces that a view shows, each seen from its front."""
    sight = render_view(mesh, view)
    picture = sight.picture(FRONT_LIGHT)
    for face in landmarker.find_faces(picture)[:_FACES_IN_A_VIEW]:
        found = _from_the_front(sight, picture, landmarker.region_of_face(face), clues, landmarker)
        if found is not None:
            yield found


def _from_the_front(
    sight: RenderedView, picture: NDArray[np.uint8], region: Region, clues: FaceClues, landmarker: Landmarker
) -> Found | None:
    """A face in a region of a picture, looked at again from where it looks to, until that stays the same."""
    layout = layout_of(landmarker.scheme)
    found, pose, turned_deg = None, None, np.inf
    for _ in range(_ROUNDS):
        seen = landmarker.landmarks_in_regions(picture, [region])[0]
        if seen.presence < PRESENCE_THRESHOLD:
            return None
        landmarks_px = view_px(seen.landmarks_px)
        positions = find_positions(sight, landmarks_px)
        pose = find_face_pose(positions, layout)
        turned_deg = _angle_deg(pose.rotation @ sight.view.rotation.T)
        found = Found(sight.view, landmarks_px, positions, float(seen.presence))
        if turned_deg < _SETTLED_DEG:
            break
        view = frame_view(positions, pose.rotation, _FACE_FILL, _LOOK_SIZE)
        sight = render_view(sight.mesh, view)
        picture = sight.picture(FRONT_LIGHT)
        region = landmarker.region_of_landmarks((project(view.camera_space(positions), view.camera) - 0.5) / 2)
    if found is None or pose is None or turned_deg > _UNSETTLED_DEG:
        return None
    return replace(found, score=found.score * _rate_likeness(pose, found.positions, layout, clues, sight.mesh))


def find_positions(sight: RenderedView, landmarks_px: F64) -> F64:
    """(L, 3) float64 m, rig space: landmarks (L, 2), pixels of a view, on whatever it shows."""
    fragments = sight.fragments
    pixel = nearest_pixel(fragments.triangle >= 0, landmarks_px)
    nearest = ndimage.minimum_filter(fragments.depth_m, _SLIT_PX, mode="nearest")
    depth = np.asarray(nearest, np.float64)[pixel[:, 1], pixel[:, 0]]
    return unproject(pixel.astype(np.float64), depth, sight.view)


def _rate_likeness(pose: FacePose, positions: F64, layout: Layout, clues: FaceClues, mesh: Mesh) -> float:
    """0..1: how much a face found in space is like a face, where the keys move the mesh, and as symmetric as that."""
    shape = float(np.clip(1.4 - pose.misfit_mm / 15.0, 0.0, 1.0))
    places = find_anchors(positions, layout)
    symmetric = mirror_share(mesh.vertices, mesh.triangles, places.mean(axis=0), pose.rotation[0], 0.09 * pose.scale)
    return shape * clues.agreement(places, pose.scale) * (0.4 + 0.6 * symmetric)


def _angle_deg(rotation: F64) -> float:
    return float(np.degrees(Rotation.from_matrix(rotation).magnitude()))
