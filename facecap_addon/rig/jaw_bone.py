"""A character's mesh under its keys and its jaw bone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F32
from .blendshapes import BlendshapeRig


def pose_jaw(
    rig: BlendshapeRig, weights: NDArray[np.floating], jaw: NDArray[np.floating], head_from_rig: NDArray[np.floating]
) -> F32:
    """(V, 3) float32 m, rig space: one frame of a take on its character.

    Args:
        weights: (K,).  jaw: (6,), see `Take`; it moves nothing on a character without a jaw bone.
        head_from_rig: (4, 4) m, see `LandmarkEmbedding`.
    """
    vertices = rig.vertices_at(weights)
    if rig.jaw is None or not np.any(jaw):
        return vertices
    turn = np.asarray(head_from_rig, np.float64)[:3, :3]
    rotation = Rotation.from_rotvec(turn.T @ np.asarray(jaw[:3], np.float64)).as_matrix().astype(np.float32)
    shift = (turn.T @ np.asarray(jaw[3:], np.float64)).astype(np.float32)
    arm = vertices - rig.jaw.pivot
    return vertices + rig.jaw.weights[:, None] * (arm @ rotation.T + shift - arm)
