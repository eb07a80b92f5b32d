"""Pinhole cameras. Camera space everywhere: metres, x right, y down, z forward (OpenCV's axes).

Pixel coordinates: the centre of the pixel in column i is at x = i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PinholeCamera:
    """A pinhole camera with square pixels and no distortion.

    Attributes:
        width_px, height_px: image size.
        focal_px: focal length in pixels.
        center_px: principal point (x, y) in pixels.
    """

    width_px: int
    height_px: int
    focal_px: float
    center_px: tuple[float, float]


def centered_camera(width_px: int, height_px: int, focal_px: float) -> PinholeCamera:
    """A camera whose principal point is the middle of the picture."""
    return PinholeCamera(width_px, height_px, float(focal_px), ((width_px - 1) / 2.0, (height_px - 1) / 2.0))


def focal_px_from_lens(lens_mm: float, sensor_mm: float, width_px: int, height_px: int) -> float:
    """Focal length in pixels of a Blender camera with sensor fit AUTO: the sensor spans the longer side.

    Args:
        lens_mm: focal length, mm.  sensor_mm: sensor width, mm.  width_px, height_px: picture size.
    """
    return lens_mm / sensor_mm * max(width_px, height_px)


def project(points_m: NDArray[np.float64], camera: PinholeCamera) -> NDArray[np.float64]:
    """Project camera-space points.

    Args:
        points_m: (..., 3) float, metres, camera space, z > 0.
    Returns:
        (..., 2) float, pixels.
    """
    center = np.asarray(camera.center_px)
    return points_m[..., :2] / points_m[..., 2:3] * camera.focal_px + center
