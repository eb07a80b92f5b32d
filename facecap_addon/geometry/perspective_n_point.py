"""Perspective-n-point: where a rigid set of points is, from where a camera sees them; many frames at once.

The start is SQPnP's (Terzakis and Lourakis, ECCV 2020): with the best translation put in, the squared distances of the
points from their lines of sight are a quadratic form of the rotation's nine numbers, and its minima over the rotations
lie near the form's lowest eigenvectors. From the best of them Levenberg-Marquardt goes down to the least error in the
picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F64, Bools

_LEAST = 6
_THINNEST = 1e-3
"""Points whose second extent is less than this share of their first lie on a line: any turn about it would do."""
_SMALLEST = 1e-6
_NEAREST = 1e-9
_EIGENVECTORS = 4
"""To start from: points in a plane have a form with three of the value 0 before the one that counts."""
_START_STEPS, _STEPS = 6, 40
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-9, 1e9
_SMALL_GAIN = 1e-10
# Parts of a line of sight's quadratic form that are multiplied by 1, u, v and u^2 + v^2.
_SIGHT = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[0, 0, -1], [0, 0, 0], [-1, 0, 0]],
        [[0, 0, 0], [0, 0, -1], [0, -1, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 1]],
    ],
    np.float64,
)
# The derivative of a turn about each axis.
_TURNS = np.array(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 0]]],
    np.float64,
)


class Poses(NamedTuple):
    """Poses of F frames, each where `found` says so.

    Attributes:
        rotation: (F, 3, 3) float64, camera space from the points' space.
        translation: (F, 3) float64, in the points' unit.
        found: (F,) bool.
    """

    rotation: F64
    translation: F64
    found: Bools

    def part(self, frames: Bools | NDArray[np.intp]) -> Poses:
        """Poses of some frames."""
        return Poses(self.rotation[frames], self.translation[frames], self.found[frames])

    def put(self, frames: NDArray[np.intp], other: Poses) -> None:
        """Overwrite some frames' poses where others are found."""
        frames, other = frames[other.found], other.part(other.found)
        self.rotation[frames], self.translation[frames], self.found[frames] = other


def find_poses(points: F64, seen: F64, used: Bools) -> Poses:
    """The pose with the least squared error in the picture, of each frame for itself, without a start.

    There is none where fewer than six points are used, where they lie on a line or are all seen in one place, and
    where none puts all of them before the camera.

    Args:
        points: (F, P, 3) float64, any unit.  seen: (F, P, 2) float64, normalised image coordinates.
        used: (F, P) bool; what is not used may be NaN.
    """
    posable = used.sum(1) >= _LEAST
    posable[posable] = _spans(points[posable], seen[posable], used[posable])
    frames = len(points)
    poses = Poses(np.tile(np.eye(3), (frames, 1, 1)), np.zeros((frames, 3)), np.zeros(frames, bool))
    if posable.any():
        points, seen, used = points[posable], seen[posable], used[posable]
        found = refine_poses(points, seen, used, _closed_form(points, seen, used))
        poses.put(np.flatnonzero(posable), found)
    return poses


def refine_poses(points: F64, seen: F64, used: Bools, start: Poses) -> Poses:
    """Levenberg-Marquardt on the error in the picture from poses that are known roughly.

    Args: as `find_poses`.
        start: of each frame; where it has none, none is found.
    """
    centre, points, seen = _centred(points, seen, used)
    points, seen = (np.ascontiguousarray(array.transpose(0, 2, 1)) for array in (points, seen))
    # Turned about the middle of the points, a turn and a shift hardly disturb each other.
    rotation, middle = start.rotation, _turned(start.rotation, centre) + start.translation
    here = _linearise(points, seen, used, rotation, middle)
    damping = np.full(len(points), _FIRST_DAMPING)
    active = start.found.copy()
    diagonal = np.arange(6)
    for _ in range(_STEPS):
        if not active.any():
            break
        matrix = here.matrix.copy()
        matrix[:, diagonal, diagonal] += damping[:, None] * here.matrix[:, diagonal, diagonal] + 1e-12
        step = np.linalg.solve(matrix, -here.gradient[..., None])[..., 0]
        turned = Rotation.from_rotvec(step[:, :3]).as_matrix() @ rotation
        there = _linearise(points, seen, used, turned, middle + step[:, 3:])
        better = active & (there.error <= here.error)
        small = better & (there.error >= (1 - _SMALL_GAIN) * here.error)
        rotation = np.where(better[:, None, None], turned, rotation)
        middle = np.where(better[:, None], middle + step[:, 3:], middle)
        here = _Equations(
            np.where(better[:, None, None], there.matrix, here.matrix),
            np.where(better[:, None], there.gradient, here.gradient),
            np.where(better, there.error, here.error),
        )
        damping = np.where(better, np.maximum(damping * 0.1, _LEAST_DAMPING), damping * 10)
        active &= ~small & (damping < _MOST_DAMPING)
    found = start.found & np.isfinite(here.error)
    return Poses(rotation, middle - _turned(rotation, centre), found)


class _Equations(NamedTuple):
    """Normal equations of F poses: (F, 6, 6), (F, 6), and (F,) squared error, infinite with a point behind."""

    matrix: F64
    gradient: F64
    error: F64


def _linearise(points: F64, seen: F64, used: Bools, rotation: F64, middle: F64) -> _Equations:
    """At a pose: derivatives by a turn about each of the camera's axes, then by a shift along them."""
    turned = rotation @ points
    x, y, z = turned[:, 0], turned[:, 1], turned[:, 2]
    depth = z + middle[:, 2:]
    before = (depth > _NEAREST) | ~used
    depth = np.where(depth > _NEAREST, depth, 1.0)
    u, v = (x + middle[:, :1]) / depth, (y + middle[:, 1:2]) / depth
    scale = used / depth
    jacobian = np.zeros((len(points), 6, 2, points.shape[2]))
    # A shift moves the sight of a point by these along x, y and, further away, towards the middle.
    jacobian[:, 3, 0] = jacobian[:, 4, 1] = scale
    jacobian[:, 5, 0], jacobian[:, 5, 1] = -scale * u, -scale * v
    # A turn about an axis shifts the point by the axis times where it is.
    jacobian[:, 0, 0], jacobian[:, 0, 1] = jacobian[:, 5, 0] * y, jacobian[:, 5, 1] * y - scale * z
    jacobian[:, 1, 0], jacobian[:, 1, 1] = scale * z - jacobian[:, 5, 0] * x, -jacobian[:, 5, 1] * x
    jacobian[:, 2, 0], jacobian[:, 2, 1] = -scale * y, scale * x
    jacobian = jacobian.reshape(len(points), 6, 2 * points.shape[2])
    residual = np.stack([np.where(used, u, 0.0) - seen[:, 0], np.where(used, v, 0.0) - seen[:, 1]], axis=1)
    residual = residual.reshape(len(points), 2 * points.shape[2], 1)
    error = np.where(before.all(1), (residual**2).sum((1, 2)), np.inf)
    return _Equations(jacobian @ jacobian.transpose(0, 2, 1), (jacobian @ residual)[..., 0], error)


def _closed_form(points: F64, seen: F64, used: Bools) -> Poses:
    """The rotation with the least value of the quadratic form whose points are before the camera."""
    centre, points, seen = _centred(points, seen, used)
    frames = len(points)
    ones = used.astype(np.float64)
    parts = np.stack([ones, ones * seen[..., 0], ones * seen[..., 1], ones * (seen**2).sum(-1)], axis=1)  # (F, 4, P)
    pairs = (points[..., :, None] * points[..., None, :]).reshape(frames, -1, 9)
    form = np.einsum("kab,fkcd->facbd", _SIGHT, (parts @ pairs).reshape(-1, 4, 3, 3)).reshape(-1, 9, 9)
    cross = np.einsum("kab,fkc->fabc", _SIGHT, parts @ points).reshape(-1, 3, 9)
    shift = -np.linalg.solve(np.einsum("kab,fk->fab", _SIGHT, parts.sum(2)), cross)  # the best translation's part
    form += cross.transpose(0, 2, 1) @ shift
    form = (form + form.transpose(0, 2, 1)) / 2
    vectors = np.linalg.eigh(form)[1][..., :_EIGENVECTORS].transpose(0, 2, 1)
    starts = _nearest_rotations(np.concatenate([vectors, -vectors], axis=1).reshape(-1, 3, 3))
    each = 2 * _EIGENVECTORS
    rotations, values = _minimise_form(np.repeat(form, each, axis=0), starts)
    rotations, values = rotations.reshape(frames, each, 3, 3), values.reshape(frames, each)
    middles = (shift[:, None] @ rotations.reshape(frames, each, 9, 1))[..., 0]
    best = np.where(middles[..., 2] > 0, values, np.inf).argmin(1)
    rows = np.arange(frames)
    rotation, middle = rotations[rows, best], middles[rows, best]
    found = middle[:, 2] > _NEAREST
    # Outliers can draw the head so near that points are behind the camera: it is pushed away until none is.
    reach = -(points @ rotation[:, 2, :, None]).min((1, 2))
    middle *= np.maximum(1.0, 1.2 * reach / np.where(found, middle[:, 2], np.inf))[:, None]
    return Poses(rotation, middle - _turned(rotation, centre), found)


def _minimise_form(form: F64, rotation: F64) -> tuple[F64, F64]:
    """Rotations (N, 3, 3) with locally least values (N,) of quadratic forms (N, 9, 9), from others."""
    flat = rotation.reshape(-1, 9, 1)
    value = (flat * (form @ flat)).sum((1, 2))
    damping = np.full(len(form), _FIRST_DAMPING)
    diagonal = np.arange(3)
    for _ in range(_START_STEPS):
        turns = (_TURNS @ rotation[:, None]).reshape(-1, 3, 9)
        gradient = turns @ (form @ rotation.reshape(-1, 9, 1))
        matrix = turns @ form @ turns.transpose(0, 2, 1)
        matrix[:, diagonal, diagonal] *= 1 + damping[:, None]
        matrix[:, diagonal, diagonal] += 1e-15
        step = np.linalg.solve(matrix, -gradient)[..., 0]
        turned = Rotation.from_rotvec(step).as_matrix() @ rotation
        flat = turned.reshape(-1, 9, 1)
        there = (flat * (form @ flat)).sum((1, 2))
        better = there <= value
        rotation, value = np.where(better[:, None, None], turned, rotation), np.where(better, there, value)
        damping = np.where(better, np.maximum(damping * 0.1, _LEAST_DAMPING), damping * 10)
    return rotation, value


def _nearest_rotations(matrix: F64) -> F64:
    u, _, vt = np.linalg.svd(matrix)
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    return np.asarray(u @ vt, np.float64)


def _spans(points: F64, seen: F64, used: Bools) -> Bools:
    """(F,) whether points are not on a line and are not all seen in one place."""
    _, points, seen = _centred(points, seen, used)
    extents = np.sqrt(np.maximum(np.linalg.eigvalsh(points.transpose(0, 2, 1) @ points), 0))
    middle = seen.sum(1) / used.sum(1)[:, None]
    apart = np.where(used[..., None], seen - middle[:, None], 0)
    spread = np.sqrt((apart**2).sum((1, 2)) / used.sum(1))
    return (extents[:, 1] > _THINNEST * extents[:, 2]) & (spread > _SMALLEST)


def _centred(points: F64, seen: F64, used: Bools) -> tuple[F64, F64, F64]:
    """The middles (F, 3) of the used points, points about them, and where they are seen; 0 what is not used."""
    known = used[..., None]
    centre = np.where(known, points, 0).sum(1) / np.maximum(used.sum(1), 1)[:, None]
    return centre, np.where(known, points - centre[:, None], 0), np.where(known, seen, 0)


def _turned(rotation: F64, vector: F64) -> F64:
    return (rotation @ vector[..., None])[..., 0]
