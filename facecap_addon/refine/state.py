"""The unknowns of some frames, and the surface they stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from ..arrays import F64, I64
from .jaw_joint import skin_jaw
from .render_mesh import RenderMesh


@dataclass
class DeepState:
    """Unknowns of F frames.

    Attributes:
        rotation: (F, 3, 3) float64, camera space from head space.  translation: (F, 3) float64 m, life size.
        weights: (F, K) float64.  jaw: (F, 6) float64, rotation vector (rad) and translation (m) of the jaw joint.
    """

    rotation: F64
    translation: F64
    weights: F64
    jaw: F64

    def part(self, frames: slice | NDArray[np.intp] | NDArray[np.bool_]) -> DeepState:
        """The state of some frames, copied."""
        return DeepState(*(values[frames].copy() for values in self._arrays()))

    def put(self, frames: slice | NDArray[np.intp] | NDArray[np.bool_], other: DeepState) -> None:
        """Take over the state of some frames."""
        for mine, theirs in zip(self._arrays(), other._arrays(), strict=True):
            mine[frames] = theirs

    def with_step(self, step: F64, mesh: RenderMesh) -> DeepState:
        """The state after a step (F, U): rotation vector (rad, camera space), translation (m), weights, jaw."""
        keys = len(mesh.channels)
        turn = Rotation.from_rotvec(step[:, :3]).as_matrix()
        weights = np.clip(self.weights + step[:, 6 : 6 + keys], mesh.low, mesh.high)
        jaw = self.jaw + step[:, 6 + keys :] if mesh.jaw is not None else self.jaw
        return DeepState(turn @ self.rotation, self.translation + step[:, 3:6], weights, jaw)

    def _arrays(self) -> tuple[F64, F64, F64, F64]:
        return self.rotation, self.translation, self.weights, self.jaw


def measure_offsets(state: DeepState, other: DeepState, mesh: RenderMesh) -> F64:
    """(N, U): the step from `other` to `state`."""
    turn = Rotation.from_matrix(state.rotation @ other.rotation.transpose(0, 2, 1)).as_rotvec()
    parts = [turn, state.translation - other.translation, state.weights - other.weights]
    return np.concatenate([*parts, state.jaw - other.jaw] if mesh.jaw is not None else parts, axis=1)


def find_fixed_weights(state: DeepState, gradient: F64, mesh: RenderMesh) -> NDArray[np.bool_]:
    """(N, U) weights that press against a bound, or cannot move at all; gradient (N, U)."""
    keys = len(mesh.channels)
    pull = gradient[:, 6 : 6 + keys]
    fixed = np.zeros(gradient.shape, bool)
    fixed[:, 6 : 6 + keys] = (
        ((state.weights <= mesh.low) & (pull > 0))
        | ((state.weights >= mesh.high) & (pull < 0))
        | (mesh.low == mesh.high)
    )
    return fixed


def head_points(mesh: RenderMesh, weights: F64, jaw: F64, vertices: I64 | None = None) -> Tensor:
    """(N, V, 3) float32 m, head space: the surface, or some vertices, under weights (N, K) and jaw poses (N, 6)."""
    device = mesh.neutral.device
    index = slice(None) if vertices is None else torch.from_numpy(vertices).to(device)
    given = torch.tensor(weights, dtype=torch.float32, device=device)
    neutral, deltas = mesh.neutral[index], mesh.deltas[index]
    points = neutral + (given @ deltas.reshape(-1, deltas.shape[2]).T).reshape(len(given), -1, 3)
    if mesh.jaw is not None and np.any(jaw):
        joint = replace(mesh.jaw, weights=mesh.jaw.weights[index])
        points = skin_jaw(points, torch.tensor(jaw, dtype=torch.float32, device=device), joint)
    return points


def camera_points(mesh: RenderMesh, state: DeepState, vertices: I64 | None = None) -> Tensor:
    """(N, V, 3) float32 m, the first camera's space: the surface, or some vertices."""
    points = head_points(mesh, state.weights, state.jaw, vertices)
    rotation = torch.tensor(state.rotation, dtype=torch.float32, device=points.device)
    translation = torch.tensor(state.translation, dtype=torch.float32, device=points.device)
    return points @ rotation.transpose(1, 2) + translation[:, None]


def differentiate_vertices(
    mesh: RenderMesh, state: DeepState, vertices: NDArray[np.int64], columns: NDArray[np.intp] | None = None
) -> NDArray[np.float32]:
    """How some vertices of one frame move with each unknown.

    Args:
        state: of one frame.  vertices: (S,) numbers.  columns: (D,) unknowns, ascending; None: all U of them.
    Returns:
        (S, 3, D) float32, m per unit of each unknown, the first camera's axes.
    """
    keys = len(mesh.channels)
    wanted = np.arange(mesh.unknowns) if columns is None else columns
    index = torch.from_numpy(vertices)
    rotation = state.rotation[0].astype(np.float32)
    points = head_points(mesh, state.weights, state.jaw, vertices)[0].cpu().numpy()
    pose = np.zeros((len(vertices), 3, 6), np.float32)
    pose[:, :, :3] = -_cross_matrices(points @ rotation.T)  # about the head's origin, camera axes
    pose[:, :, 3:] = np.eye(3, dtype=np.float32)
    parts = [pose[:, :, wanted[wanted < 6]]]
    some = wanted[(wanted >= 6) & (wanted < 6 + keys)] - 6
    if mesh.jaw is None:
        if len(some):
            parts.append(np.einsum("ij,sjk->sik", rotation, _deltas(mesh, index, some), optimize=True))
        return np.concatenate(parts, 2)
    skin = mesh.jaw.weights[index].cpu().numpy()[:, None, None]
    turn = Rotation.from_rotvec(state.jaw[0, :3]).as_matrix().astype(np.float32)
    local = _deltas(mesh, index, some)
    followed = local + skin * (np.einsum("ij,sjk->sik", turn, local, optimize=True) - local)
    parts.append(np.einsum("ij,sjk->sik", rotation, followed, optimize=True))
    rest = head_points(mesh, state.weights, np.zeros_like(state.jaw), vertices)[0].cpu().numpy()
    swung = (rest - mesh.jaw.pivot.cpu().numpy()) @ turn.T
    joint = np.empty((len(vertices), 3, 6), np.float32)
    joint[:, :, :3] = np.einsum(
        "ij,sjk->sik", rotation, -skin * _cross_matrices(swung) @ _left_jacobian(state.jaw[0, :3])
    )
    joint[:, :, 3:] = skin * rotation
    parts.append(joint[:, :, wanted[wanted >= 6 + keys] - 6 - keys])
    return np.concatenate(parts, 2)


def _deltas(mesh: RenderMesh, vertices: Tensor, keys: NDArray[np.intp]) -> NDArray[np.float32]:
    """(S, 3, D) what some keys do to some vertices, head space."""
    rows = mesh.deltas[vertices]
    return (rows if len(keys) == rows.shape[2] else rows[:, :, torch.from_numpy(keys)]).cpu().numpy()


def _cross_matrices(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, 3, 3) matrices of the cross product with vectors (S, 3)."""
    out = np.zeros((len(vectors), 3, 3), np.float32)
    x, y, z = vectors.T
    out[:, 0, 1], out[:, 0, 2], out[:, 1, 2] = -z, y, -x
    out[:, 1, 0], out[:, 2, 0], out[:, 2, 1] = z, -y, x
    return out


def _left_jacobian(vector: F64) -> NDArray[np.float32]:
    """(3, 3) how a small change of a rotation vector turns things further, in the axes outside."""
    angle = float(np.linalg.norm(vector))
    cross = _cross_matrices(vector[None].astype(np.float32))[0]
    if angle < 1e-6:
        return (np.eye(3) + 0.5 * cross).astype(np.float32)
    a, b = (1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return (np.eye(3) + a * cross + b * cross @ cross).astype(np.float32)
