"""The half of a face that a Mirror modifier adds: what is solved is the whole face that is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .blendshapes import BlendshapeRig, JawWeights

# A half may overlap the plane by this part of its width, as a middle that was moved by hand does.
_OVERLAP = 0.02


@dataclass(frozen=True)
class Reflection:
    """A mirror.

    Attributes:
        linear: (3, 3) float64, and shift: (3,) float64 m: a place p is mirrored to linear p + shift, rig space.
        merge_m: vertices that lie this near to their own image are one with it.
    """

    linear: NDArray[np.float64]
    shift: NDArray[np.float64]
    merge_m: float

    def of(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 3) images of points (..., 3)."""
        return np.asarray(points, np.float64) @ self.linear.T + self.shift


def is_half(vertices: NDArray[np.floating], reflection: Reflection) -> bool:
    """Whether vertices (V, 3) lie on one side of a mirror."""
    across = np.asarray(vertices, np.float64) - reflection.of(vertices)
    towards = across[np.abs(across).sum(axis=1).argmax()]
    side = across @ towards
    return bool(side.min() > -_OVERLAP * side.max())


def with_other_half(rig: BlendshapeRig, reflection: Reflection) -> BlendshapeRig:
    """A half of a face and its mirror image as one rig; the half's own vertices come first, in their order.

    Keys move both sides alike, as they do under the modifier.
    """
    count = rig.vertex_count
    image = reflection.of(rig.neutral)
    doubled = np.linalg.norm(image - rig.neutral, axis=1) > reflection.merge_m
    twin = np.arange(count)
    twin[doubled] = count + np.arange(int(doubled.sum()))
    linear = reflection.linear.astype(np.float32)
    jaw = rig.jaw
    if jaw is not None:
        jaw = JawWeights(np.concatenate([jaw.weights, jaw.weights[doubled]]), jaw.pivot)
    return replace(
        rig,
        neutral=np.concatenate([rig.neutral, image[doubled].astype(np.float32)]),
        # A mirror turns faces inside out: their corners are counted the other way round.
        triangles=np.concatenate([rig.triangles, twin[rig.triangles][:, ::-1]]).astype(np.int32),
        deltas=np.concatenate([rig.deltas, rig.deltas[:, doubled] @ linear.T], axis=1),
        colors=None if rig.colors is None else np.concatenate([rig.colors, rig.colors[doubled]]),
        jaw=jaw,
    )
