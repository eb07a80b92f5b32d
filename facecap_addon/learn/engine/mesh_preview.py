"""Small pictures of meshes, to look at while a network learns."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...render.antialias import topology_of
from ...render.renderer import Appearance, render
from ...rig.blendshapes import BlendshapeRig

_GREY, _PAPER = 0.55, 0.96


class MeshPreview:
    """Draws a character's face from the front, in plain grey, or in colours that say something.

    Args:
        rig: it looks along -y, z up, as Blender's characters do.  moving: (M,) vertices that the pictures frame.
        size: height and width, px.  colors: (V, 3) linear albedo; grey without it.
    """

    def __init__(
        self,
        rig: BlendshapeRig,
        moving: NDArray[np.intp],
        size: tuple[int, int] = (160, 120),
        colors: NDArray[np.float32] | None = None,
    ) -> None:
        self._rig, self._moving, self._size = rig, moving, size
        low, high = rig.neutral[moving].min(0), rig.neutral[moving].max(0)
        margin = 0.15 * float((high - low).max())
        self._scale = min(size[1] / (high[0] - low[0] + 2 * margin), size[0] / (high[2] - low[2] + 2 * margin))
        self._middle = 0.5 * (low + high)
        near = (np.abs(rig.neutral - self._middle) < 2 * np.maximum(high - low, margin)).all(1)
        self._topology = topology_of(rig.triangles[near[rig.triangles].all(1)].astype(np.int32), rig.neutral, "cpu")
        light = torch.zeros(9, 3)
        light[0], light[1], light[2] = 2.4, -0.8, -0.6
        albedo = torch.full((rig.vertex_count, 3), _GREY) if colors is None else torch.from_numpy(colors)
        self._look = Appearance(albedo, light)

    def draw(self, positions: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(B, H, W, 3) uint8 of moving vertices (B, 3 M) m; the rest stays at neutral."""
        whole = np.repeat(self._rig.neutral[None], len(positions), 0)
        whole[:, self._moving] = positions.reshape(len(positions), -1, 3)
        away = torch.from_numpy((whole - self._middle).astype(np.float32))
        # Camera axes: x right, y down, z forward.
        points = torch.stack([away[..., 0], -away[..., 2], away[..., 1]], -1)
        centre = torch.tensor([(self._size[1] - 1) / 2, (self._size[0] - 1) / 2])
        places = (points[..., :2] * self._scale + centre + 0.5) * 2 - 0.5
        with torch.no_grad():
            drawn = render(
                points, places, points[..., 2] + 10, self._topology, self._look, torch.full((3,), _PAPER), self._size, 2
            )
        return (drawn.numpy() * 255).round().astype(np.uint8)
