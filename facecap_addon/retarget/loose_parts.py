"""The loose parts of a head beside its skin: what clings to the skin, and what moves as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]
from scipy.spatial.transform import Rotation

from ..arrays import F64, Rows
from ..landmarks.layout import Layout

_CLINGS = 0.08
"""A part no vertex of which is further from the skin clings to it; in distances of the outer eye corners."""
_THICK, _LARGE, _SMALL = 0.4, 0.15, 0.1
_AT_EYE, _AT_MOUTH = 0.35, 0.7
_HINGE_STIFFNESS = 4.0


@dataclass(frozen=True)
class RigidPart:
    """A part that moves rigidly.

    Attributes:
        kind: "jaw", "eye" or "skull".  vertices: (N,) int.  centre: (3,) float64, of the part.
        iris: landmark at the middle of this eye's iris, −1 where there is none.
    """

    kind: str
    vertices: Rows
    centre: F64
    iris: int = -1


@dataclass(frozen=True)
class Parts:
    """A head taken apart.

    Attributes:
        skin: (N,) vertices of the part that carries the face.
        clinging: (M,) vertices of lashes, brows, beards; beneath: (M,) the vertex of the skin that each clings to.
        rigid_parts: eyes, teeth, tongue.
    """

    skin: Rows
    clinging: Rows
    beneath: Rows
    rigid_parts: tuple[RigidPart, ...]


def take_apart(
    vertices: F64, triangles: NDArray[np.integer], part: NDArray[np.integer], face: int, landmarks: F64, layout: Layout
) -> Parts:
    """Sort the loose parts of a head.

    Args:
        vertices: (V, 3) float64 m, head space.  triangles: (T, 3) int.  part: (T,) loose part of each triangle.
        face: the part that carries the landmarks.  landmarks: (L, 3) float64 m, head space.  layout: theirs.
    """
    part_of = np.full(len(vertices), -1)
    part_of[triangles.ravel()] = np.repeat(part, 3)
    skin = np.flatnonzero(part_of == face)
    others = np.flatnonzero((part_of >= 0) & (part_of != face))
    if not len(others):
        return Parts(skin, others, others, ())
    eyes = [landmarks[list(group)].mean(axis=0) for group in layout.keypoints[:2]]
    width = float(np.linalg.norm(landmarks[layout.upper_lid_right[0]] - landmarks[layout.upper_lid_left[0]]))
    mouth = landmarks[list(layout.lips_inner_upper + layout.lips_inner_lower)].mean(axis=0)
    distance, nearest = cKDTree(vertices[skin]).query(vertices[others])
    furthest = np.zeros(int(part.max()) + 1)
    np.maximum.at(furthest, part_of[others], distance)
    size = _measure_parts(vertices, part_of, len(furthest))
    # An eyeball lies close to its socket everywhere, but is no lash: it is as thick as it is long.
    bulky = (size.min(axis=1) > _THICK * size.max(axis=1)) & (size.max(axis=1) > _LARGE * width)
    clings = ((furthest <= _CLINGS * width) & ~bulky)[part_of[others]]
    nearest = _attach_as_one(part_of[others], distance, nearest, size.max(axis=1) < _SMALL * width)
    rigid_parts: list[RigidPart] = []
    for number in np.unique(part_of[others[~clings]]):
        members = np.flatnonzero(part_of == number)
        box = vertices[members]
        centre = 0.5 * (box.min(axis=0) + box.max(axis=0))
        from_eyes = [float(np.linalg.norm((centre - eye)[[0, 2]])) for eye in eyes]
        side = int(np.argmin(from_eyes))
        if from_eyes[side] < _AT_EYE * width:
            iris = (layout.iris_right, layout.iris_left)[side]
            rigid_parts.append(RigidPart("eye", members, centre, iris[0] if iris else -1))
        elif np.linalg.norm((centre - mouth)[[0, 2]]) < _AT_MOUTH * width and centre[2] < mouth[2]:
            rigid_parts.append(RigidPart("jaw", members, centre))
        else:
            rigid_parts.append(RigidPart("skull", members, centre))
    return Parts(skin, others[clings], skin[nearest[clings]], tuple(rigid_parts))


def _measure_parts(vertices: F64, part_of: NDArray[np.integer], count: int) -> F64:
    """(P, 3) extents of the parts, m."""
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    known = part_of >= 0
    np.minimum.at(low, part_of[known], vertices[known])
    np.maximum.at(high, part_of[known], vertices[known])
    return np.where(np.isfinite(low), high - low, 0.0)


def _attach_as_one(part: Rows, distance: F64, nearest: Rows, small: NDArray[np.bool_]) -> Rows:
    """The vertex of the skin that each vertex clings to; all of a small part, a hair, cling where its root does."""
    out = nearest.copy()
    order = np.lexsort((distance, part))
    roots = order[np.r_[True, np.diff(part[order]) > 0]]
    root_of = np.zeros(len(small), np.intp)
    root_of[part[roots]] = nearest[roots]
    one = small[part]
    out[one] = root_of[part[one]]
    return out


def fit_jaw_motion(landmarks: F64, layout: Layout, displacements: F64) -> tuple[F64, F64, F64]:
    """How the jaw turns and slides, from what the chin does.

    Args:
        landmarks: (L, 3) float64 m, head space, neutral.  displacements: (F, L, 3) float64 m.
    Returns:
        (F, 3, 3) rotations about, (3,) the hinge between the ears, and (F, 3) shifts, m.
    """
    jaw = np.array(layout.jaw, np.intp)
    chin = jaw[len(jaw) // 3 : len(jaw) - len(jaw) // 3]
    hinge = 0.5 * (landmarks[jaw[0]] + landmarks[jaw[-1]])
    arm = landmarks[chin] - hinge
    length = float(np.sqrt((arm**2).sum(axis=1).mean()))
    # ω × arm + t = d in the least-squares sense; sliding is dearer than turning, as the hinge is a joint.
    cross = np.zeros((len(chin), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2] = arm[:, 2], -arm[:, 1]
    cross[:, 1, 0], cross[:, 1, 2] = -arm[:, 2], arm[:, 0]
    cross[:, 2, 0], cross[:, 2, 1] = arm[:, 1], -arm[:, 0]
    design = np.concatenate([cross.reshape(-1, 3) / length, np.tile(np.eye(3), (len(chin), 1))], axis=1)
    normal = design.T @ design
    normal[:3, :3] += 1e-3 * len(chin) * np.eye(3)
    normal[3:, 3:] += _HINGE_STIFFNESS * len(chin) * np.eye(3)
    found = displacements[:, chin].reshape(len(displacements), -1) @ np.linalg.solve(normal, design.T).T
    rotation = Rotation.from_rotvec(found[:, :3] / length).as_matrix()
    return rotation, hinge, found[:, 3:]


def fit_gaze_turns(centre: F64, iris: F64, displacements: F64) -> F64:
    """(F, 3, 3) smallest rotations about an eye's centre (3,) that bring the iris (3,) to where it moved (F, 3)."""
    before = (iris - centre) / np.linalg.norm(iris - centre)
    after = iris + displacements - centre
    after /= np.linalg.norm(after, axis=1, keepdims=True)
    axis = np.cross(before, after)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, (after @ before)[:, None])
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-12) * angle).as_matrix()
