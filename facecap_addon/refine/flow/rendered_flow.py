"""What optical flow gets wrong on a face: its answer on two renders, whose true motion geometry knows.

Bao et al. section 6 compare the flow of two renders with the flow of two pictures of the footage, both by the same
network, so that what it gets wrong on either it gets wrong on both. Here the surface points' motion has a derivative of
its own; what the flow of the renders says besides it is taken away from the flow of the footage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...arrays import F64, U8
from ...landmarks.regions import Region, image_from_crop
from ...render.renderer import Appearance, render
from ..state import DeepState, camera_points
from ..views import project_to_crop
from .optical_flow import SIZE, OpticalFlow, face_square, sample_flow
from .surface_points import ViewedPoints

# What is further off than this is no habit of the flow's, but a place that one of the renders hides.
_MOST_PX = 4.0
_BACKGROUND = (0.35, 0.35, 0.35)


@dataclass(frozen=True)
class RenderedFlow:
    """Optical flow of renders of a character.

    Attributes:
        flow: the one that looks at the footage.  viewed: by the footage's camera.  look: skin and light.
    """

    flow: OpticalFlow
    viewed: ViewedPoints
    look: Appearance

    def measure_error(self, first: DeepState, second: DeepState) -> F64:
        """(P, 2) px by which the flow from one frame's render to another's differs from the surface points' motion."""
        places, _ = self.viewed.project(first)
        true = self.viewed.project(second)[0][0] - places[0]
        region = face_square(places[0])
        image = image_from_crop(region, SIZE)
        pictures = [self._draw(state, region) for state in (first, second)]
        in_crop = (places[0] - image[:, 2]) @ np.linalg.inv(image[:, :2]).T
        found = sample_flow(self.flow(pictures[0], pictures[1]), in_crop) @ image[:, :2].T
        away = found - true
        scale = float(np.sqrt(abs(np.linalg.det(image[:, :2]))))
        return np.where(np.linalg.norm(away, axis=1, keepdims=True) < _MOST_PX * scale, away, 0.0)

    def _draw(self, state: DeepState, region: Region) -> U8:
        mesh = self.viewed.mesh
        with torch.no_grad():
            points, places, depth = project_to_crop(
                camera_points(mesh, state), self.viewed.view, image_from_crop(region, SIZE)[None]
            )
            background = torch.tensor(_BACKGROUND, device=points.device)
            drawn = render(points, places, depth, mesh.topology, self.look, background, (SIZE, SIZE))[0]
        return (drawn.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
