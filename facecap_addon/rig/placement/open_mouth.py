"""A pose of a character with its lips a little apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...landmarks.layout import Layout
from ..blendshapes import BlendshapeRig
from ..channels import arkit_name
from .cast_landmarks import Placement

# How far the lips are parted, and what a key must be able to do to part them, in distances of the outer eye corners.
_PARTED = 0.11
_LEAST = 0.03


def part_lips(
    rig: BlendshapeRig,
    triangles: NDArray[np.integer],
    placed: Placement,
    layout: Layout,
    *,
    down: NDArray[np.float64],
) -> NDArray[np.float32] | None:
    """Vertices with the mouth opened by `jawOpen`, or by the key that parts the lips most; None if none does.

    Args:
        rig: the character.  triangles: (T, 3) int, the ones that `placed` counts.  placed: landmarks of the neutral.
        layout: of the landmarks.  down: (3,) unit vector, rig space, from the eyes to the chin.
    Returns:
        (V, 3) float32 m, rig space.
    """
    eyes = placed.position[layout.upper_lid_left[0]] - placed.position[layout.upper_lid_right[0]]
    width = float(np.linalg.norm(eyes))
    middle = len(layout.lips_outer_upper) // 2
    pair = np.array([layout.lips_outer_upper[middle], layout.lips_outer_lower[middle]])
    corners = triangles[placed.triangle[pair]]
    moved = np.einsum("lc,klcd->kld", placed.barycentric[pair], rig.deltas[:, corners].astype(np.float64))
    parting = (moved[:, 1] - moved[:, 0]) @ down
    most = rig.usual_ranges[:, 1]
    reach = parting * most
    named = [k for k, channel in enumerate(rig.channels) if arkit_name(channel) == "jawOpen"]
    able = [k for k in named if reach[k] > _LEAST * width]
    best = able[0] if able else int(reach.argmax()) if len(reach) else -1
    if best < 0 or reach[best] <= _LEAST * width:
        return None
    weight = min(_PARTED * width / parting[best], float(most[best]))
    return (rig.neutral + np.float32(weight) * rig.deltas[best]).astype(np.float32)
