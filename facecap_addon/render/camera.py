"""From points in space to pixels of a picture, or of a crop of it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry.camera import PinholeCamera


def intrinsics_of(camera: PinholeCamera, dtype: torch.dtype = torch.float32) -> Tensor:
    """(4,) focal lengths along x and y and the principal point, pixels."""
    return torch.tensor([camera.focal_px, camera.focal_y_px, *camera.center_px], dtype=dtype)


def project(points: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
    """Where points are seen.

    Args:
        points: (N, V, 3) m, camera space: x right, y down, z forward.  intrinsics: (4,) or (N, 4) px.
    Returns:
        (N, V, 2) px, the centre of the pixel in column i at x = i; (N, V) m, depth.
    """
    depth = points[..., 2]
    focal, centre = intrinsics[..., None, :2], intrinsics[..., None, 2:]
    # A point at the camera's own plane has no place: infinite, and the rasteriser leaves its triangles out.
    return points[..., :2] / depth[..., None] * focal + centre, depth


def into_crop(points_px: Tensor, image_from_crop: Tensor) -> Tensor:
    """Pixels of a picture to pixels of a crop of it.

    Args:
        points_px: (N, V, 2).  image_from_crop: (N, 2, 3) affine maps, as `landmarks.regions.image_from_crop`.
    """
    turn, shift = image_from_crop[:, :, :2], image_from_crop[:, :, 2]
    return (points_px - shift[:, None]) @ torch.linalg.inv(turn).transpose(1, 2)
