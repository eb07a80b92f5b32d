"""Calibrated cameras, and what each of them sees of some frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays import F64
from ..geometry.camera import PinholeCamera
from ..render.camera import into_crop, intrinsics_of, project

Floats = NDArray[Any]


@dataclass(frozen=True)
class View:
    """One calibrated camera.

    Attributes:
        camera: its pinhole.
        from_first: (4, 4) float64 m, this camera's space from the first camera's; the identity for the first.
    """

    camera: PinholeCamera
    from_first: F64

    def scale(self, factor: float) -> View:
        """The same cameras, so many times as far from each other."""
        matrix = self.from_first.copy()
        matrix[:3, 3] *= factor
        return View(self.camera, matrix)


def first_view(camera: PinholeCamera) -> View:
    """The camera that everything is measured from."""
    return View(camera, np.eye(4))


@dataclass(frozen=True)
class Plates:
    """N frames of footage as one camera saw them, cut to the face.

    Attributes:
        fine: (N, 2S, 2S, 3) float32 sRGB in 0..1.
        image_from_fine: (N, 2, 3) float64, picture pixels from the crops'.
        target: (N, L, 2) float32, what the network sees, its own crop's pixels.
        seen: (N,) bool, whether this camera shows the face; what it shows otherwise does not count.
    """

    fine: Tensor
    image_from_fine: F64
    target: Tensor
    seen: NDArray[np.bool_]

    def part(self, frames: NDArray[np.intp]) -> Plates:
        """Those of some frames."""
        index = torch.from_numpy(frames)
        return Plates(self.fine[index], self.image_from_fine[frames], self.target[index], self.seen[frames])

    def pixel_mm(self, view: View, depth_m: F64, fine_per_pixel: int) -> F64:
        """(N,) millimetres at the face that a pixel of the network's crop spans; depth (N,) m."""
        side = np.linalg.norm(self.image_from_fine[:, :, 0], axis=1) * fine_per_pixel
        return side * depth_m / view.camera.focal_px * 1000.0


def project_to_crop(points: Tensor, view: View, image_from_fine: F64) -> tuple[Tensor, Tensor, Tensor]:
    """Where a surface is seen in crops.

    Args:
        points: (N, V, 3) m, the first camera's space.
    Returns:
        (N, V, 3) m in this camera's space; (N, V, 2) px of the fine crops; (N, V) m depth.
    """
    placed = to_view(points, view)
    places, depth = project(placed, intrinsics_of(view.camera).to(points.device))
    crop = torch.tensor(image_from_fine, dtype=torch.float32, device=points.device)
    return placed, into_crop(places, crop), depth


def differentiate_projection(points: Floats, moved: Floats, view: View) -> Floats:
    """(S, 2, D) px: how places in a camera's picture change when points (S, 3) m move along (S, 3, D) m."""
    inverse = 1 / points[:, 2:]
    slope = points[:, :2] * inverse
    focal = np.array([view.camera.focal_px, view.camera.focal_y_px], points.dtype)
    return (moved[:, :2] - slope[:, :, None] * moved[:, 2:]) * (focal * inverse)[:, :, None]


def to_view(points: Tensor, view: View) -> Tensor:
    """(N, V, 3) m in a camera's space from the first camera's."""
    if np.array_equal(view.from_first, np.eye(4)):
        return points
    matrix = torch.tensor(view.from_first, dtype=torch.float32, device=points.device)
    return points @ matrix[:3, :3].T + matrix[:3, 3]
