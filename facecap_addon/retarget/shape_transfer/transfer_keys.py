"""The 52 ARKit keys for a head that has none, carried over from the sample head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ...errors import FacecapError
from ...rig.blendshapes import BlendshapeRig
from ...rig.channels import arkit_name, mirror_name
from ...rig.embedding import LandmarkEmbedding
from ...rig.symmetry import mirror_plane
from .correspondence import read_head
from .deformation_transfer import plan_transfer, transfer_keys

OnKey = Callable[[int, int], None]

_TWIN = 0.25
"""Twins lie within this part of the typical edge's length of each other's mirror image."""
_TWINS = 0.9


def transfer_shape_keys(
    source: BlendshapeRig,
    source_embedding: LandmarkEmbedding,
    bare: BlendshapeRig,
    embedding: LandmarkEmbedding,
    on_key: OnKey | None = None,
) -> BlendshapeRig:
    """A head with the keys of another.

    Args:
        source: a head with keys.  source_embedding: its landmarks.
        bare: the head that gets them; keys it has are left out.  embedding: its landmarks, in the same layout.
        on_key: is told how many keys are done, of how many.
    Returns:
        `bare` with the source's channels, ranges and transferred deltas.
    Raises:
        FacecapError: the heads' landmarks are of different layouts, or do not fit a face.
    """
    if source_embedding.scheme != embedding.scheme:
        raise FacecapError("The two heads have landmarks of different layouts.", "Place the landmarks again.")
    transfer = plan_transfer(
        read_head(source.neutral, source.triangles, source_embedding),
        read_head(bare.neutral, bare.triangles, embedding),
        source_embedding.head_from_rig,
    )
    rig_from_head = np.asarray(embedding.head_from_rig[:3, :3], np.float64).T
    deltas = np.empty((len(source.channels), bare.vertex_count, 3), np.float32)
    for k, (_, delta) in enumerate(transfer_keys(transfer, source, rig_from_head)):
        deltas[k] = delta
        if on_key is not None:
            on_key(k + 1, len(deltas))
    return replace(bare, deltas=deltas, channels=source.channels, ranges=source.ranges.copy())


def symmetrise(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> BlendshapeRig:
    """The rig with left keys the mirror image of right ones, and central keys the same on both sides.

    Raises FacecapError if its mesh is not the same on both sides.
    """
    normal = np.asarray(embedding.head_from_rig[0, :3], np.float64)
    vertices = rig.neutral.astype(np.float64)
    edges = vertices[rig.triangles[:, 0]] - vertices[rig.triangles[:, 1]]
    edge = float(np.median(np.linalg.norm(edges, axis=1)))
    plane = mirror_plane(vertices, edge, normal, float(-embedding.head_from_rig[0, 3]))
    if plane is None:
        raise FacecapError(
            "The mesh is not the same on both sides, so its keys cannot be.", "Turn symmetry off, or mirror the mesh."
        )
    reflected = vertices + np.outer(2 * (plane - vertices @ normal), normal)
    distance, twin = cKDTree(vertices).query(reflected)
    has_twin = distance < _TWIN * edge
    if has_twin.mean() < _TWINS:
        raise FacecapError(
            "The mesh is not the same on both sides, so its keys cannot be.", "Turn symmetry off, or mirror the mesh."
        )
    place = {arkit_name(channel) or channel: k for k, channel in enumerate(rig.channels)}
    deltas = rig.deltas.copy()
    for name, k in place.items():
        other = rig.deltas[place.get(mirror_name(name), k)][twin]
        image = other - 2.0 * np.outer(other @ normal, normal)
        deltas[k] = np.where(has_twin[:, None], 0.5 * (rig.deltas[k] + image), rig.deltas[k])
    return replace(rig, deltas=deltas)
