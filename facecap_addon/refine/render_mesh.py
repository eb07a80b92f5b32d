"""The character as the renderer needs it: the part around the face, life size, in head space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays import F64
from ..errors import FacecapError
from ..render.antialias import Topology, topology_of
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding
from ..rig.network_response import face_mesh
from ..rig.surface import place_points
from .jaw_joint import JawJoint

# Only this many face sizes around the face are drawn: bodies can be large.
_REACH = 1.6


@dataclass(frozen=True)
class RenderMesh:
    """A character to be rendered.

    Attributes:
        neutral: (V, 3) float32 m, head space, life size.
        deltas: (V, 3, K) float32 m, displacement per unit weight.
        topology: its triangles.
        colors: (V, 3) float32 linear albedo: its own, or painted eyes on plain skin.
        painted: (V,) bool, where these colours are known: everywhere if they are its own, else on the eyes.
        landmarks: (L, 3) float64 m, where landmarks lie on the neutral.
        landmark_vertices: (L, 3) int64, the corners that each lies between.  landmark_shares: (L, 3) float32.
        channels: K names.  low, high: (K,) float64, bounds of the weights.
        jaw: the joint that turns the lower face besides the keys, or None.
        scale: size of the character's head in life sizes.
    """

    neutral: Tensor
    deltas: Tensor
    topology: Topology
    colors: Tensor
    painted: Tensor
    landmarks: F64
    landmark_vertices: NDArray[np.int64]
    landmark_shares: NDArray[np.float32]
    channels: tuple[str, ...]
    low: F64
    high: F64
    jaw: JawJoint | None
    scale: float

    @property
    def unknowns(self) -> int:
        """Unknowns of a frame: six of the pose, the weights, six of the jaw where there is one."""
        return 6 + len(self.channels) + (6 if self.jaw is not None else 0)


def build_render_mesh(rig: BlendshapeRig, embedding: LandmarkEmbedding, device: str = "cpu") -> RenderMesh:
    """Cut the face out of a rig. Raises FacecapError if it has no surface around its landmarks.

    Args:
        rig: the character.  embedding: its landmarks.  device: torch's.
    """
    scale = embedding.rig_scale
    head = embedding.head_from_rig
    places = place_points(rig.neutral, rig.triangles, embedding.triangle, embedding.barycentric)
    low, high = np.quantile(places, (0.02, 0.98), axis=0)
    reach = _REACH * float(np.linalg.norm(high - low))
    middle = 0.5 * (low + high)
    near = np.linalg.norm(rig.neutral[rig.triangles[:, 0]] - middle, axis=1) < reach
    if not near.any():
        raise FacecapError("The character has no surface where its face should be.", "Place its landmarks again.")
    near[embedding.triangle] = True
    used, triangles = np.unique(rig.triangles[near], return_inverse=True)
    triangles = triangles.reshape(-1, 3).astype(np.int32)
    turn = (head[:3, :3] / scale).astype(np.float32)
    neutral = rig.neutral[used] @ turn.T + (head[:3, 3] / scale).astype(np.float32)
    deltas = np.ascontiguousarray(np.einsum("ij,kvj->vik", turn, rig.deltas[:, used]), np.float32)
    colors, painted = _paint(rig, embedding)
    bounds = rig.ranges.astype(np.float64)
    joint = rig.jaw
    jaw = None
    if joint is not None:
        pivot = joint.pivot @ turn.T + (head[:3, 3] / scale).astype(np.float32)
        jaw = JawJoint(torch.from_numpy(joint.weights[used]).to(device), torch.from_numpy(pivot).float().to(device))
    return RenderMesh(
        neutral=torch.from_numpy(neutral).to(device),
        deltas=torch.from_numpy(deltas).to(device),
        topology=topology_of(triangles, neutral, device),
        colors=torch.from_numpy(colors[used]).to(device),
        painted=torch.from_numpy(painted[used]).to(device),
        landmarks=places @ (head[:3, :3] / scale).T + head[:3, 3] / scale,
        landmark_vertices=np.searchsorted(used, rig.triangles[embedding.triangle]).astype(np.int64),
        landmark_shares=embedding.barycentric.astype(np.float32),
        channels=rig.channels,
        low=bounds[:, 0],
        high=bounds[:, 1],
        jaw=jaw,
        scale=scale,
    )


def _paint(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(V, 3) linear colours and (V,) where they are known. Eyes that are open in no frame cannot be learned from it."""
    if rig.colors is not None:
        return rig.colors.astype(np.float32), np.ones(rig.vertex_count, bool)
    colors = face_mesh(rig, embedding).colors
    if colors is None:
        return np.full((rig.vertex_count, 3), 0.5, np.float32), np.zeros(rig.vertex_count, bool)
    skin = np.median(colors, axis=0)
    return colors, np.abs(colors - skin).max(axis=1) > 1e-3
