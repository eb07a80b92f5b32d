"""A character's mesh under its keys and its jaw bone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F32
from .blendshapes import BlendshapeRig, JawWeights
from .embedding import LandmarkEmbedding


def pose_jaw(
    rig: BlendshapeRig, weights: NDArray[np.floating], jaw: NDArray[np.floating], head_from_rig: NDArray[np.floating]
) -> F32:
    """(V, 3) float32 m, rig space: one frame of a take on its character.

    Args:
        weights: (K,).  jaw: (6,), see `Take`; it moves nothing on a character without a jaw bone.
        head_from_rig: (4, 4) m, see `LandmarkEmbedding`.
    """
    return move_jaw(rig, rig.vertices_at(weights), jaw, head_from_rig)


def move_jaw(rig: BlendshapeRig, vertices: F32, jaw: NDArray[np.floating], head_from_rig: NDArray[np.floating]) -> F32:
    """(V, 3) float32 m, rig space: a character's vertices (V, 3) after its jaw has moved; the rest as in `pose_jaw`."""
    if rig.jaw is None or not np.any(jaw):
        return vertices
    turn = np.asarray(head_from_rig, np.float64)[:3, :3]
    in_rig = np.asarray(jaw, np.float64).reshape(2, 3) @ turn
    return skin_jaw(vertices[None], rig.jaw, in_rig.reshape(1, 6))[0]


def skin_jaw(points: F32, joint: JawWeights, jaw: NDArray[np.floating]) -> F32:
    """(F, V, 3) float32 m: points after the jaw has moved.

    Args:
        points: (F, V, 3) m.  joint: how far each point follows.
        jaw: (F, 6), rotation vector (rad) about the joint's pivot and translation (m), in the space of the points.
    """
    rotation = Rotation.from_rotvec(np.asarray(jaw[:, :3], np.float64)).as_matrix().astype(np.float32)
    shift = np.asarray(jaw[:, None, 3:], np.float32)
    arm = points - joint.pivot
    return points + joint.weights[:, None] * (arm @ rotation.transpose(0, 2, 1) + shift - arm)


def jaw_of_landmarks(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> JawWeights | None:
    """How far each landmark follows a character's jaw bone, and what it turns about in head space; None without one."""
    if rig.jaw is None:
        return None
    corners = rig.triangles[embedding.triangle]
    weights = (rig.jaw.weights[corners] * embedding.barycentric).sum(axis=1)
    head = np.asarray(embedding.head_from_rig, np.float64)
    pivot = head[:3, :3] @ rig.jaw.pivot + head[:3, 3]
    return JawWeights(weights.astype(np.float32), pivot.astype(np.float32))
