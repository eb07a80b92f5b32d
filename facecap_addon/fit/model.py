"""The fit's forward model and its normal equations, for many frames at once.

A landmark l of frame f is at Y = R_f (N_l + o_l + sum_k w_fk D_lk) + t_f in camera space and is seen at
q = Y_xy / Y_z in normalised image coordinates. Residuals are measured in millimetres at the face: pixels times depth
over focal length. That makes every weight in this room independent of the picture's size.

The Jacobian with respect to the weights is M_fl D_l with a 2x3 matrix M_fl per landmark. J^T W J is therefore linear in
the six distinct entries of M^T W M, and summing over landmarks becomes one large matrix product with a table that is
computed once per rig: no (frames x landmarks x channels) array is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

POSE = 6
MM = 1000.0
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class Geometry:
    """Landmarks on the character, in head space, metres.

    Points come first, then differences ("gaps"): the gap between an upper and a lower landmark is a pseudo landmark whose
    position does not matter, only its vector.

    Attributes:
        rest: (L, 3) float32, landmark positions at neutral, offsets included.
        deltas: (L, 3, K) float32, displacement per unit weight.
        gap_upper, gap_lower: (G,) int, indices into L of the two ends of each gap.
        table: (6 (L+G), K (K+1) / 2) float32, products of displacement components, see `products_table`.
    """

    rest: F32
    deltas: F32
    gap_upper: NDArray[np.intp]
    gap_lower: NDArray[np.intp]
    table: F32

    @property
    def landmark_count(self) -> int:
        return int(self.rest.shape[0])

    @property
    def channel_count(self) -> int:
        return int(self.deltas.shape[2])


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

    def copy(self) -> State:
        return State(self.rotation.copy(), self.translation.copy(), self.weights.copy())

    def part(self, frames: slice | NDArray[np.intp]) -> State:
        """The state of some frames, copied."""
        return State(self.rotation[frames].copy(), self.translation[frames].copy(), self.weights[frames].copy())

    def moved(self, step: F64, low: F64, high: F64) -> State:
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
        deltas: (P, 3, K) float32.
    Returns:
        (6 P, K (K+1) / 2) float32; off-diagonal component pairs are symmetrised over k and k'.
    """
    count, _, channels = deltas.shape
    upper_k, upper_l = np.triu_indices(channels)
    table = np.empty((6, count, upper_k.size), np.float32)
    for row, (i, j) in enumerate(_PAIRS):
        product = deltas[:, i, upper_k] * deltas[:, j, upper_l]
        if i != j:
            product = product + deltas[:, j, upper_k] * deltas[:, i, upper_l]
        table[row] = product
    return table.reshape(6 * count, -1)


def make_geometry(
    rest: F32, deltas: F32, gap_upper: NDArray[np.intp], gap_lower: NDArray[np.intp]
) -> Geometry:
    """Geometry with its product table.

    Args:
        rest: (L, 3) float32 m.  deltas: (L, 3, K) float32 m.  gap_upper, gap_lower: (G,) int.
    """
    moving = np.concatenate([deltas, deltas[gap_upper] - deltas[gap_lower]])
    return Geometry(rest, deltas, gap_upper, gap_lower, products_table(moving))


def landmark_positions(geometry: Geometry, state: State) -> F64:
    """(F, L, 3) float64, metres, head space: landmarks under the state's weights."""
    flat = geometry.deltas.reshape(-1, geometry.channel_count)
    moved = state.weights.astype(np.float32) @ flat.T
    return moved.reshape(-1, geometry.landmark_count, 3).astype(np.float64) + geometry.rest


def residuals_mm(geometry: Geometry, state: State, observed: F64, depth_m: F64) -> F64:
    """Differences between where landmarks and gaps would be seen and where they were.

    Args:
        observed: (F, L, 2) float64, normalised image coordinates ((pixel - centre) / focal).
        depth_m: (F,) float64, the head's depth, held fixed so that a step in depth does not rescale the energy.
    Returns:
        (F, L + G, 2) float64, millimetres at the face.
    """
    camera = landmark_positions(geometry, state) @ state.rotation.transpose(0, 2, 1) + state.translation[:, None]
    points = (camera[..., :2] / camera[..., 2:3] - observed) * (MM * depth_m)[:, None, None]
    return np.concatenate([points, points[:, geometry.gap_upper] - points[:, geometry.gap_lower]], axis=1)


@dataclass(frozen=True)
class NormalEquations:
    """J^T W J and J^T W r of each frame.

    Attributes:
        matrix: (F, 6 + K, 6 + K) float64.
        gradient: (F, 6 + K) float64.
        energy: (F,) float64, half the weighted sum of squares.
    """

    matrix: F64
    gradient: F64
    energy: F64


def normal_equations(
    geometry: Geometry, state: State, observed: F64, weight: F64, depth_m: F64
) -> NormalEquations:
    """Linearise the reprojection and gap residuals.

    Args:
        observed: (F, L, 2) float64, normalised image coordinates.  depth_m: (F,) float64 m, as in `residuals_mm`.
        weight: (F, L + G) float64, 1/mm^2; 0 switches a landmark off.
    """
    frames, channels, landmarks = state.weights.shape[0], geometry.channel_count, geometry.landmark_count
    head = landmark_positions(geometry, state)
    turned = head @ state.rotation.transpose(0, 2, 1)
    camera = turned + state.translation[:, None]
    inverse_depth = 1.0 / camera[..., 2]
    seen = camera[..., :2] * inverse_depth[..., None]
    points = (seen - observed) * (MM * depth_m)[:, None, None]
    residual = np.concatenate([points, points[:, geometry.gap_upper] - points[:, geometry.gap_lower]], axis=1)

    # d(residual)/dY: rows (a, 0, -a qx) and (0, a, -a qy); a gap takes the values half-way between its ends.
    a_point = MM * depth_m[:, None] * inverse_depth
    a = np.concatenate([a_point, 0.5 * (a_point[:, geometry.gap_upper] + a_point[:, geometry.gap_lower])], axis=1)
    q = np.concatenate([seen, 0.5 * (seen[:, geometry.gap_upper] + seen[:, geometry.gap_lower])], axis=1)
    arm = np.concatenate([turned, turned[:, geometry.gap_upper] - turned[:, geometry.gap_lower]], axis=1)

    wa = weight * a
    waa = wa * a
    # S = (M_cam)^T W M_cam, 3x3 symmetric, camera axes
    s = np.empty((frames, weight.shape[1], 3, 3))
    s[..., 0, 0] = waa
    s[..., 1, 1] = waa
    s[..., 0, 1] = s[..., 1, 0] = 0.0
    s[..., 0, 2] = s[..., 2, 0] = -waa * q[..., 0]
    s[..., 1, 2] = s[..., 2, 1] = -waa * q[..., 1]
    s[..., 2, 2] = waa * (q**2).sum(-1)
    # v = (M_cam)^T W r
    v = np.empty((frames, weight.shape[1], 3))
    v[..., 0] = wa * residual[..., 0]
    v[..., 1] = wa * residual[..., 1]
    v[..., 2] = -wa * (q * residual).sum(-1)

    rotation = state.rotation[:, None]
    s_right = s @ rotation  # (F, P, 3, 3): camera x head
    s_head = state.rotation.transpose(0, 2, 1)[:, None] @ s_right
    v_head = v @ state.rotation

    matrix = np.zeros((frames, POSE + channels, POSE + channels))
    gradient = np.zeros((frames, POSE + channels))

    unique = np.stack([s_head[..., i, j] for i, j in _PAIRS], axis=1).astype(np.float32)
    upper = unique.reshape(frames, -1) @ geometry.table
    k, m = np.triu_indices(channels)
    matrix[:, POSE + k, POSE + m] = upper
    matrix[:, POSE + m, POSE + k] = upper

    moving = np.concatenate(
        [geometry.deltas, geometry.deltas[geometry.gap_upper] - geometry.deltas[geometry.gap_lower]]
    ).reshape(-1, channels)
    gradient[:, POSE:] = v_head.reshape(frames, -1).astype(np.float32) @ moving

    # Rotation: dY = omega x arm = C omega with C = -[arm]x; translation: identity, for points only.
    cross = np.zeros((frames, weight.shape[1], 3, 3))
    cross[..., 0, 1], cross[..., 0, 2] = arm[..., 2], -arm[..., 1]
    cross[..., 1, 0], cross[..., 1, 2] = -arm[..., 2], arm[..., 0]
    cross[..., 2, 0], cross[..., 2, 1] = arm[..., 1], -arm[..., 0]
    cross_t = cross.transpose(0, 1, 3, 2)
    s_cross = s @ cross
    matrix[:, :3, :3] = (cross_t @ s_cross).sum(1)
    matrix[:, 3:6, :3] = s_cross[:, :landmarks].sum(1)
    matrix[:, :3, 3:6] = matrix[:, 3:6, :3].transpose(0, 2, 1)
    matrix[:, 3:6, 3:6] = s[:, :landmarks].sum(1)
    gradient[:, :3] = (cross_t @ v[..., None])[..., 0].sum(1)
    gradient[:, 3:6] = v[:, :landmarks].sum(1)

    rotation_part = (cross_t @ s_right).transpose(0, 2, 1, 3).reshape(frames * 3, -1).astype(np.float32)
    shift_part = s_right[:, :landmarks].transpose(0, 2, 1, 3).reshape(frames * 3, -1).astype(np.float32)
    mixed_rotation = (rotation_part @ moving).reshape(frames, 3, channels)
    mixed_shift = (shift_part @ moving[: 3 * landmarks]).reshape(frames, 3, channels)
    matrix[:, :3, POSE:] = mixed_rotation
    matrix[:, 3:6, POSE:] = mixed_shift
    matrix[:, POSE:, :3] = mixed_rotation.transpose(0, 2, 1)
    matrix[:, POSE:, 3:6] = mixed_shift.transpose(0, 2, 1)
    energy = 0.5 * (weight[..., None] * residual**2).sum((1, 2))
    return NormalEquations(matrix, gradient, energy)
