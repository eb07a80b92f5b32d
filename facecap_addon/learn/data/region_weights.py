"""Which vertices people look at: lips and lids count more in a loss than the cheeks around them."""

from __future__ import annotations

import numpy as np

from ...arrays import F32, F64
from ...landmarks.layout import Layout, layout_of
from ...rig.blendshapes import BlendshapeRig
from ...rig.embedding import LandmarkEmbedding

BAND_OF_EYES = 0.07
"""How far the weight reaches beyond lips and lids, of the distance between the outer corners of the eyes."""


def find_edges(layout: Layout) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Landmarks of the facing edges of "lips" and of "lids", upper and lower, corners left out."""
    return {
        "lips": (layout.lips_inner_upper[1:-1], layout.lips_inner_lower[1:-1]),
        "lids": (
            (*layout.upper_lid_right[1:-1], *layout.upper_lid_left[1:-1]),
            (*layout.lower_lid_right[1:-1], *layout.lower_lid_left[1:-1]),
        ),
    }


def place_landmarks(rig: BlendshapeRig, embedding: LandmarkEmbedding, vertices: F32) -> F32:
    """(F, L, 3) m, rig space: landmarks on meshes (F, V, 3) m."""
    corners = vertices[:, rig.triangles[embedding.triangle]]
    return np.einsum("flcx,lc->flx", corners, embedding.barycentric).astype(np.float32)


def measure_reach(rig: BlendshapeRig, at: F32) -> F64:
    """(V,) m of each vertex at rest to the nearest of some points (N, 3) m, rig space."""
    return np.min([np.linalg.norm(rig.neutral - point, axis=1) for point in at.astype(np.float64)], axis=0)


def weigh_vertices(rig: BlendshapeRig, embedding: LandmarkEmbedding, times: float) -> F32:
    """(V,) how much each vertex counts in a loss: `times` on the edges of lips and lids, 1 far from them.

    Laine et al. (section 5.3) miss a loss that is closer to what people look at. Between, the weight falls as a
    Gaussian of the distance at rest.
    """
    layout, at = layout_of(embedding.scheme), place_landmarks(rig, embedding, rig.neutral[None])[0]
    edges = [i for upper, lower in find_edges(layout).values() for i in (*upper, *lower)]
    eyes = float(np.linalg.norm(at[layout.upper_lid_right[0]] - at[layout.upper_lid_left[0]]))
    near = measure_reach(rig, at[edges]) / (BAND_OF_EYES * eyes)
    return (1 + (times - 1) * np.exp(-np.square(near))).astype(np.float32)
