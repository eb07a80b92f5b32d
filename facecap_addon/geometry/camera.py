"""Pinhole cameras. Camera space everywhere: metres, x right, y down, z forward (OpenCV's axes).

Pixel coordinates: the centre of the pixel in column i is at x = i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PinholeCamera:
    """A pinhole camera without distortion.

    Attributes:
        width_px, height_px: image size.
        focal_px: focal length in pixels, along x.
        center_px: principal point (x, y) in pixels.
        pixel_aspect: height of a pixel over its width; 1 for square pixels.
    """

    width_px: int
    height_px: int
    focal_px: float
    center_px: tuple[float, float]
    pixel_aspect: float = 1.0

    @property
    def focal_y_px(self) -> float:
        """Focal length in pixels along y."""
        return self.focal_px / self.pixel_aspect


def centered_camera(width_px: int, height_px: int, focal_px: float) -> PinholeCamera:
    """A camera whose principal point is the middle of the picture."""
    return PinholeCamera(width_px, height_px, float(focal_px), ((width_px - 1) / 2.0, (height_px - 1) / 2.0))


def scale_camera(camera: PinholeCamera, width_px: int, height_px: int) -> PinholeCamera:
    """The same camera for its picture resized to another size."""
    across, down = width_px / camera.width_px, height_px / camera.height_px
    center = ((camera.center_px[0] + 0.5) * across - 0.5, (camera.center_px[1] + 0.5) * down - 0.5)
    return PinholeCamera(width_px, height_px, camera.focal_px * across, center, camera.pixel_aspect * across / down)


def focal_px_from_lens(lens_mm: float, sensor_mm: float, width_px: int, height_px: int) -> float:
    """Focal length in pixels of a Blender camera with sensor fit AUTO: the sensor spans the longer side.

    Args:
        lens_mm: focal length, mm.  sensor_mm: sensor width, mm.  width_px, height_px: picture size.
    """
    return lens_mm / sensor_mm * max(width_px, height_px)


def camera_from_blender(
    *,
    lens_mm: float,
    sensor_width_mm: float,
    sensor_height_mm: float,
    sensor_fit: str,
    shift_x: float,
    shift_y: float,
    width_px: int,
    height_px: int,
    pixel_aspect_x: float = 1.0,
    pixel_aspect_y: float = 1.0,
) -> PinholeCamera:
    """The pinhole camera that a Blender camera is, for a picture of a given size.

    Args:
        lens_mm: focal length.  sensor_width_mm, sensor_height_mm: of the sensor; the height counts for fit VERTICAL.
        sensor_fit: AUTO (the sensor's width spans the longer side), HORIZONTAL or VERTICAL.
        shift_x, shift_y: of the lens, in parts of the side that the sensor spans; to the right and up.
        width_px, height_px: of the picture.  pixel_aspect_x, pixel_aspect_y: the render settings' aspect.
    """
    across, down = width_px * pixel_aspect_x, height_px * pixel_aspect_y
    vertical = sensor_fit == "VERTICAL" or (sensor_fit == "AUTO" and across < down)
    sensor_mm = sensor_height_mm if sensor_fit == "VERTICAL" else sensor_width_mm
    spanned = down if vertical else across
    focal = lens_mm / sensor_mm * spanned
    center_x = (width_px - 1) / 2 - shift_x * spanned / pixel_aspect_x
    center_y = (height_px - 1) / 2 + shift_y * spanned / pixel_aspect_y
    return PinholeCamera(
        width_px, height_px, focal / pixel_aspect_x, (center_x, center_y), pixel_aspect_y / pixel_aspect_x
    )


def project(points_m: NDArray[np.float64], camera: PinholeCamera) -> NDArray[np.float64]:
    """Project camera-space points.

    Args:
        points_m: (..., 3) float, metres, camera space, z > 0.
    Returns:
        (..., 2) float, pixels.
    """
    center = np.asarray(camera.center_px)
    return points_m[..., :2] / points_m[..., 2:3] * (camera.focal_px, camera.focal_y_px) + center
