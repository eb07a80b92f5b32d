"""The fit's forward model and its normal equations, for many frames at once.

A landmark l of frame f is at Y = R_f (N_l + o_l + sum_k w_fk D_lk) + t_f in camera space and is seen at
q = Y_xy / Y_z in normalised image coordinates. Residuals are measured in millimetres at the face: pixels times depth
over focal length. That makes every weight in this room independent of the picture's size.

The Jacobian with respect to the weights is M_fl D_l with a 2x3 matrix M_fl per landmark. J^T W J is therefore linear in
the six distinct entries of M^T W M, and summing over landmarks becomes one large matrix product with a table that is
computed once per rig: no (frames x landmarks x channels) array is ever formed. Coordinates lie in planes of their own
(frames, axis, landmarks), so that everything else is a handful of long vector operations in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arrays import F32, F64

POSE = 6
MM = 1000.0
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class Geometry:
    """Landmarks on the character, in head space, metres.

    Points come first, then differences ("gaps"): the gap between an upper and a lower landmark is a pseudo landmark
    whose position does not matter, only its vector.

    Attributes:
        rest: (3, L+G) float32, landmark positions at neutral, offsets included, then gap vectors.
        deltas: (3, L+G, K) float32, displacement per unit weight.
        gap_upper, gap_lower: (G,) int, indices into L of the two ends of each gap.
        table: (K (K+1) / 2, 6 (L+G)) float32, products of displacement components, see `products_table`.
        shut: (3, G) float32, m: how gaps change when eyes are shut; zero where they cannot be.
        span_count: how many of the gaps, the last ones, tell of the expression alone: the pose is left to the rest.
    """

    rest: F32
    deltas: F32
    gap_upper: NDArray[np.intp]
    gap_lower: NDArray[np.intp]
    table: F32
    shut: F32
    span_count: int = 0

    @property
    def landmark_count(self) -> int:
        return int(self.rest.shape[1] - self.gap_upper.size)

    @property
    def channel_count(self) -> int:
        return int(self.deltas.shape[2])

    @property
    def points(self) -> F64:
        """(L, 3) float64 m: landmarks at neutral."""
        return self.rest[:, : self.landmark_count].T.astype(np.float64)

    def with_gaps(self, upper: NDArray[np.intp], lower: NDArray[np.intp]) -> Geometry:
        """The same landmarks with other gaps (G,), to measure them by; no normal equations can be had of it."""
        count, none = self.landmark_count, np.zeros((0, 0), np.float32)
        rest, deltas = (_with_gaps(part[:, :count], upper, lower) for part in (self.rest, self.deltas))
        return Geometry(rest, deltas, upper, lower, none, np.zeros((3, len(upper)), np.float32))

    def at_rest(self, points: F64) -> Geometry:
        """The same keys on other neutral landmarks (L, 3) m."""
        return Geometry(
            _with_gaps(points.T, self.gap_upper, self.gap_lower).astype(np.float32),
            self.deltas,
            self.gap_upper,
            self.gap_lower,
            self.table,
            self.shut,
            self.span_count,
        )


@dataclass
class State:
    """Unknowns of F frames.

    Attributes:
        rotation: (F, 3, 3) float64, camera space from head space.
        translation: (F, 3) float64, metres, camera space.
        weights: (F, K) float64.
    """

    rotation: F64
    translation: F64
    weights: F64

    def part(self, frames: slice | NDArray[np.intp] | NDArray[np.bool_]) -> State:
        """The state of some frames, copied."""
        return State(self.rotation[frames].copy(), self.translation[frames].copy(), self.weights[frames].copy())

    def put(self, frames: slice | NDArray[np.intp] | NDArray[np.bool_], other: State) -> None:
        """Take over the state of some frames."""
        self.rotation[frames], self.translation[frames] = other.rotation, other.translation
        self.weights[frames] = other.weights

    def with_step(self, step: F64, low: F64, high: F64) -> State:
        """The state after a step.

        Args:
            step: (F, 6 + K) float64: rotation vector (rad, camera space), translation (m), weights.
            low, high: (K,) float64, bounds of the weights.
        """
        turn = Rotation.from_rotvec(step[:, :3]).as_matrix()
        return State(
            turn @ self.rotation,
            self.translation + step[:, 3:POSE],
            np.clip(self.weights + step[:, POSE:], low, high),
        )


def products_table(deltas: F32) -> F32:
    """Products D_jk D_j'k' of every landmark, for the normal equations of the weights.

    Args:
        deltas: (3, P, K) float32.
    Returns:
        (K (K+1) / 2, 6 P) float32; off-diagonal component pairs are symmetrised over k and k'. In this order BLAS has
        nothing to rearrange when a few frames are multiplied with it.
    """
    count, channels = deltas.shape[1:]
    upper_k, upper_l = np.triu_indices(channels)
    table = np.empty((6, count, upper_k.size), np.float32)
    for row, (i, j) in enumerate(_PAIRS):
        product = deltas[i][:, upper_k] * deltas[j][:, upper_l]
        if i != j:
            product += deltas[j][:, upper_k] * deltas[i][:, upper_l]
        table[row] = product
    return np.ascontiguousarray(table.reshape(6 * count, -1).T)


def make_geometry(
    rest: F32,
    deltas: F32,
    error_modes: F32,
    gap_upper: NDArray[np.intp],
    gap_lower: NDArray[np.intp],
    shut: NDArray[np.floating] | None = None,
    span_count: int = 0,
) -> Geometry:
    """Geometry with its product table; error modes become channels after the keys' own.

    Error modes move landmarks, but no gaps: a gap that is seen closed may not be explained by an error of the network.

    Args:
        rest: (L, 3) float32 m.  deltas: (K, L, 3) float32 m.  error_modes: (B, L, 3) float32 m.
        gap_upper, gap_lower: (G,) int.  shut: (3, G) m, and span_count: see `Geometry`.
    """
    both = np.concatenate([deltas, error_modes])
    moving = _with_gaps(np.ascontiguousarray(both.transpose(2, 1, 0), np.float32), gap_upper, gap_lower)
    moving[:, len(rest) :, len(deltas) :] = 0.0
    at_rest = _with_gaps(rest.T.astype(np.float32), gap_upper, gap_lower)
    shutting = np.zeros((3, len(gap_upper))) if shut is None else shut
    return Geometry(
        at_rest, moving, gap_upper, gap_lower, products_table(moving), shutting.astype(np.float32), span_count
    )


def _with_gaps(values: NDArray, upper: NDArray[np.intp], lower: NDArray[np.intp]) -> NDArray:
    """(3, L, ...) extended by the gaps' differences to (3, L+G, ...)."""
    return np.concatenate([values, values[:, upper] - values[:, lower]], axis=1)


@dataclass(frozen=True)
class SeenLandmarks:
    """Landmarks of F frames as the camera sees them; all float32, (F, L+G) unless said otherwise.

    Attributes:
        arm: (F, 3, L+G), camera axes, relative to the head's origin, m; gap vectors for gaps.
        a: d(residual, mm) / d(position, m), along x.  qx, qy: normalised coordinates (of a gap: its middle's).
        rx, ry: residuals, mm.
    """

    arm: F32
    a: F32
    qx: F32
    qy: F32
    rx: F32
    ry: F32


def see_landmarks(geometry: Geometry, state: State, observed: F64, depth_m: F64, shut: F64 | None) -> SeenLandmarks:
    """Landmarks and gaps as the camera sees them under a state; arguments as `residuals_mm`."""
    frames, total = len(state.weights), geometry.rest.shape[1]
    flat = geometry.deltas.reshape(3 * total, -1)
    head = (state.weights.astype(np.float32) @ flat.T).reshape(frames, 3, total) + geometry.rest
    count = geometry.landmark_count
    if shut is not None:  # what is compared of a shut eye is how far it is from the character's own shut eye
        head[:, :, count:] -= shut.astype(np.float32)[:, None] * (geometry.rest[:, count:] + geometry.shut)
    arm = state.rotation.astype(np.float32) @ head
    points = arm[:, :, :count] + state.translation.astype(np.float32)[:, :, None]
    inverse = 1.0 / points[:, 2]
    a = (MM * depth_m.astype(np.float32))[:, None] * inverse
    qx, qy = points[:, 0] * inverse, points[:, 1] * inverse
    scale = (MM * depth_m.astype(np.float32))[:, None]
    target = observed.astype(np.float32)
    rx, ry = (qx - target[..., 0]) * scale, (qy - target[..., 1]) * scale
    up, low = geometry.gap_upper, geometry.gap_lower

    def between(v: F32) -> F32:
        return np.concatenate([v, 0.5 * (v[:, up] + v[:, low])], axis=1)

    a, qx, qy = between(a), between(qx), between(qy)
    # A gap is short against its distance: it is seen as its own vector is, half-way between its ends.
    gap = arm[:, :, count:]
    gap_x = a[:, count:] * (gap[:, 0] - qx[:, count:] * gap[:, 2])
    gap_y = a[:, count:] * (gap[:, 1] - qy[:, count:] * gap[:, 2])
    seen_gap = (target[:, up] - target[:, low]) * scale[..., None]
    if shut is not None:
        seen_gap *= 1 - shut.astype(np.float32)[..., None]
    rx = np.concatenate([rx, gap_x - seen_gap[..., 0]], axis=1)
    ry = np.concatenate([ry, gap_y - seen_gap[..., 1]], axis=1)
    return SeenLandmarks(arm, a, qx, qy, rx, ry)


def landmark_positions(geometry: Geometry, state: State) -> F64:
    """(F, L, 3) float64, metres, head space: landmarks under the state's weights."""
    total = geometry.rest.shape[1]
    moved = state.weights.astype(np.float32) @ geometry.deltas.reshape(3 * total, -1).T
    head = moved.reshape(-1, 3, total) + geometry.rest
    return head[:, :, : geometry.landmark_count].transpose(0, 2, 1).astype(np.float64)


def residuals_mm(geometry: Geometry, state: State, observed: F64, depth_m: F64, shut: F64 | None = None) -> F64:
    """Differences between where landmarks and gaps would be seen and where they were.

    Args:
        observed: (F, L, 2) float64, normalised image coordinates ((pixel - centre) / focal).
        depth_m: (F,) float64, the head's depth, fixed so that a step in depth does not rescale the energy.
        shut: (F, G) float64 in 0..1: gaps are compared with the seen one at 0, with the character's shut eye at 1.
    Returns:
        (F, L + G, 2) float64, millimetres at the face.
    """
    seen = see_landmarks(geometry, state, observed, depth_m, shut)
    return np.stack([seen.rx, seen.ry], axis=-1).astype(np.float64)


@dataclass
class NormalEquations:
    """J^T W J and J^T W r of each frame, robust factors included.

    Attributes:
        matrix: (F, 6 + K, 6 + K) float64.
        gradient: (F, 6 + K) float64.
        energy: (F,) float64, half the weighted sum of robust losses.
    """

    matrix: F64
    gradient: F64
    energy: F64

    def part(self, frames: NDArray[np.bool_]) -> NormalEquations:
        """Those of some frames, copied."""
        return NormalEquations(self.matrix[frames], self.gradient[frames], self.energy[frames])

    def put(self, frames: slice | NDArray[np.bool_], other: NormalEquations) -> None:
        """Take over those of some frames."""
        self.matrix[frames], self.gradient[frames], self.energy[frames] = other.matrix, other.gradient, other.energy


def normal_equations(
    geometry: Geometry,
    state: State,
    observed: F64,
    weight: F64,
    depth_m: F64,
    robust_mm: float = np.inf,
    *,
    shut: F64 | None = None,
) -> NormalEquations:
    """Linearise the reprojection and gap residuals.

    Args:
        observed: (F, L, 2) float64, normalised image coordinates.  depth_m: (F,) float64 m, as in `residuals_mm`.
        weight: (F, L + G) float64, 1/mm^2; 0 switches a landmark off.
        robust_mm: scale of Geman and McClure's loss r^2 / (1 + r^2 / scale^2); its weights multiply `weight`.
        shut: (F, G) float64 or None, as in `residuals_mm`.
    """
    frames, channels, landmarks = len(state.weights), geometry.channel_count, geometry.landmark_count
    total = geometry.rest.shape[1]
    s = see_landmarks(geometry, state, observed, depth_m, shut)
    plain = weight.astype(np.float32)
    squared = s.rx**2 + s.ry**2
    damped = 1.0 / (1.0 + squared * np.float32(1.0 / robust_mm**2))
    energy = 0.5 * (plain * squared * damped).sum(1, dtype=np.float64)
    w = plain * damped**2

    # Rows of d(residual)/d(head-space position): u for x, v for y; each (F, 3, P), to be scaled by a.
    rotation = state.rotation.astype(np.float32)
    u = rotation[:, 0, :, None] - s.qx[:, None] * rotation[:, 2, :, None]
    v = rotation[:, 1, :, None] - s.qy[:, None] * rotation[:, 2, :, None]
    wa = w * s.a
    waa = (wa * s.a)[:, None]
    wu, wv = waa * u, waa * v
    products = np.empty((frames, 6, total), np.float32)
    for row, (i, j) in enumerate(_PAIRS):
        np.multiply(wu[:, i], u[:, j], out=products[:, row])
        products[:, row] += wv[:, i] * v[:, j]
    upper = products.reshape(frames, -1) @ geometry.table.T
    pull = (wa * s.rx)[:, None] * u + (wa * s.ry)[:, None] * v
    moving = geometry.deltas.reshape(3 * total, channels)

    matrix = np.zeros((frames, POSE + channels, POSE + channels))
    gradient = np.empty((frames, POSE + channels))
    matrix[:, POSE:, POSE:] = upper[:, _square_from_upper(channels)].reshape(frames, channels, channels)
    gradient[:, POSE:] = pull.reshape(frames, -1) @ moving

    # Pose rows, over a: turning about the head's origin, arm x (row of M); shifting, points only.
    ax, ay, az = s.arm[:, 0], s.arm[:, 1], s.arm[:, 2]
    jx, jy = np.zeros((2, frames, POSE, total), np.float32)
    jx[:, 0], jx[:, 1], jx[:, 2] = -ay * s.qx, az + ax * s.qx, -ay
    jy[:, 0], jy[:, 1], jy[:, 2] = -ay * s.qy - az, ax * s.qy, ax
    jx[:, 3, :landmarks] = jy[:, 4, :landmarks] = 1.0
    jx[:, 5, :landmarks], jy[:, 5, :landmarks] = -s.qx[:, :landmarks], -s.qy[:, :landmarks]
    # A span is long: turning the head changes it by as much as a smile does, and the network's depths are not as good.
    posed = total - geometry.span_count
    jx[:, :, posed:] = jy[:, :, posed:] = 0.0
    weighted_x, weighted_y = jx * waa, jy * waa
    matrix[:, :POSE, :POSE] = weighted_x @ jx.transpose(0, 2, 1) + weighted_y @ jy.transpose(0, 2, 1)
    gradient[:, :POSE] = ((jx * (wa * s.rx)[:, None]) + (jy * (wa * s.ry)[:, None])).sum(2)
    mixed = weighted_x[:, :, None] * u[:, None] + weighted_y[:, :, None] * v[:, None]
    mixed_weights = (mixed.reshape(frames * POSE, -1) @ moving).reshape(frames, POSE, channels)
    matrix[:, :POSE, POSE:] = mixed_weights
    matrix[:, POSE:, :POSE] = mixed_weights.transpose(0, 2, 1)
    return NormalEquations(matrix, gradient, energy)


def _square_from_upper(channels: int) -> NDArray[np.intp]:
    """(K K,) position of each entry of a symmetric matrix in its upper triangle, row after row."""
    square = np.zeros((channels, channels), np.intp)
    k, m = np.triu_indices(channels)
    square[k, m] = square[m, k] = np.arange(k.size)
    return square.reshape(-1)
