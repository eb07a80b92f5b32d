"""An average face in space: what a face's size, turn and likeness are measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...geometry.quaternions import FRONT
from ...landmarks.layout import Layout

_MEAN_MM = np.array(
    [
        (-45.0, 9.3, 30.7), (-17.5, 7.4, 27.8), (17.5, 7.4, 27.8), (45.0, 9.3, 30.7),  # corners of the eyes
        (-36.9, 5.6, 51.5), (36.9, 5.6, 51.5),  # brows
        (0.0, -5.2, 34.2), (0.0, -25.6, -13.2),  # bridge and tip of the nose
        (-26.2, 0.3, -40.0), (26.2, 0.3, -40.0), (0.0, -6.3, -34.9), (0.0, -4.9, -44.4),  # corners and lips
        (0.0, -3.3, -81.7),  # chin
    ]
)  # fmt: skip
"""The sample head's own, head axes (x the character's left, y towards the back, z up): it says what straight ahead is.
Another face's nod differs from it by about a degree."""
_MEAN = _MEAN_MM / 1000.0


@dataclass(frozen=True)
class FacePose:
    """How a face stands.

    Attributes:
        rotation: (3, 3) float64, rows are the axes of a camera that looks it in the face (right, down, forward).
        scale: its size in life sizes.
        misfit_mm: how far it is from the average face, root mean square, life-size millimetres: 4 for people's, 9 and
            more for what a network imagines on the back or the side of a head.
    """

    rotation: F64
    scale: float
    misfit_mm: float


def find_anchors(positions: NDArray[np.floating], layout: Layout) -> F64:
    """(13, 3) places that every layout knows: corners of the eyes, brows, nose, mouth and chin.

    Args:
        positions: (L, 3) landmarks.
    """
    groups = (
        layout.upper_lid_right[:1], layout.upper_lid_right[-1:], layout.upper_lid_left[-1:], layout.upper_lid_left[:1],
        layout.brow_right, layout.brow_left,
        layout.nose[:1], layout.keypoints[2],
        layout.lips_outer_upper[:1], layout.lips_outer_upper[-1:], layout.lips_outer_upper, layout.lips_outer_lower,
        (layout.jaw[len(layout.jaw) // 2],),
    )  # fmt: skip
    return np.array([np.asarray(positions, np.float64)[list(group)].mean(axis=0) for group in groups])


def find_face_pose(positions: NDArray[np.floating], layout: Layout) -> FacePose:
    """The pose in which the average face, turned and scaled, comes nearest to landmarks (L, 3), any unit."""
    ours = find_anchors(positions, layout)
    ours, mean = ours - ours.mean(axis=0), _MEAN - _MEAN.mean(axis=0)
    u, stretch, v = np.linalg.svd(ours.T @ mean)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    rotation = (u * signs) @ v
    scale = max(float(stretch @ signs) / float((mean**2).sum()), 1e-12)
    left = ours / scale - mean @ rotation.T
    return FacePose(FRONT @ rotation.T, scale, 1000.0 * float(np.sqrt((left**2).sum(axis=1).mean())))
