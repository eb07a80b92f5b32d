"""From a take to the refinement's unknowns and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import FacecapError
from ..geometry.quaternions import rotation_of, wxyz_of
from ..takes.take import Take
from .render_mesh import RenderMesh
from .state import DeepState


def state_of(take: Take, mesh: RenderMesh) -> DeepState:
    """The unknowns of all frames of a take, life size."""
    rotation = rotation_of(take.head_rotation_wxyz.astype(np.float64)).as_matrix()
    jaw = take.jaw.astype(np.float64).copy()
    jaw[:, 3:] /= mesh.scale
    return DeepState(
        rotation,
        take.head_translation_m.astype(np.float64) / mesh.scale,
        np.clip(take.weights.astype(np.float64), mesh.low, mesh.high),
        jaw,
    )


def with_state(take: Take, state: DeepState, rows: NDArray[np.bool_], mesh: RenderMesh) -> Take:
    """The take with some rows (F,) replaced by the refinement's."""
    quaternion = take.head_rotation_wxyz.copy()
    found = wxyz_of(Rotation.from_matrix(state.rotation[rows]))
    quaternion[rows] = found
    flips = np.cumprod(np.where((quaternion[1:] * quaternion[:-1]).sum(1) < 0, -1.0, 1.0))
    quaternion[1:] *= flips[:, None]

    def put(values: NDArray[np.float32], new: NDArray[np.float64]) -> NDArray[np.float32]:
        out = values.copy()
        out[rows] = new[rows]
        return out

    jaw = state.jaw.copy()
    jaw[:, 3:] *= mesh.scale
    return replace(
        take,
        weights=put(take.weights, state.weights),
        head_rotation_wxyz=quaternion.astype(np.float32),
        head_translation_m=put(take.head_translation_m, state.translation * mesh.scale),
        jaw=put(take.jaw, jaw),
    )


def parse_rows(text: str, take: Take) -> NDArray[np.bool_]:
    """(F,) rows that a list of frames names, such as "31-40,77", counted from 0. Raises FacecapError if it is none."""
    out = np.zeros(take.frame_count, bool)
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        first, _, last = part.partition("-")
        try:
            a, b = int(first), int(last or first)
        except ValueError as error:
            raise FacecapError(f"“{part}” names no frames.", "Write frames and ranges like 31-40,77.") from error
        out[max(a, 0) : max(b, -1) + 1] = True
    return out
