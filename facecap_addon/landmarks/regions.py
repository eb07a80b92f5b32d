"""Square regions of a picture that a landmark network looks at: cutting them out and mapping points back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.resample import average_blocks, source_window, warp_affine

# The bilinear step after block averaging still shrinks by at least this much: it must not see single blocks as pixels.
_LEFT_TO_THE_WARP = 1.5


@dataclass(frozen=True)
class Region:
    """A turned square in a picture.

    Attributes:
        center_px: (x, y) of its middle, pixels of the picture (the centre of column i is at x = i).
        side_px: length of its side, pixels.
        rotation_rad: angle from the picture's x axis to the region's, positive turns x towards y (clockwise as seen).
        mirrored: its x axis runs the other way, so that the network sees the face in a mirror.
    """

    center_px: tuple[float, float]
    side_px: float
    rotation_rad: float
    mirrored: bool = False


def image_from_crop(region: Region, size: int) -> NDArray[np.float64]:
    """The affine map from crop pixels to picture pixels: p = center + R(rotation)·((u / size − ½)·side).

    Args:
        region: where the crop lies.  size: side of the crop in its own pixels.
    Returns:
        (2, 3) float64.
    """
    scale = region.side_px / size
    cosine, sine = scale * math.cos(region.rotation_rad), scale * math.sin(region.rotation_rad)
    flip = -1.0 if region.mirrored else 1.0
    x, y = region.center_px
    half = size / 2
    return np.array(
        [
            [cosine * flip, -sine, x - (cosine * flip - sine) * half],
            [sine * flip, cosine, y - (sine * flip + cosine) * half],
        ]
    )


def crop(rgb: NDArray[np.uint8], region: Region, size: int) -> NDArray[np.uint8]:
    """Cut a region out of a picture, resampled bilinearly; outside the picture its border is repeated.

    A region at least three times as large as the crop is first averaged over blocks of whole pixels, against aliasing
    (below that it steadies nothing).

    Args:
        rgb: (H, W, 3) uint8.  region: what to cut.  size: side of the result, pixels.
    Returns:
        (size, size, 3) uint8.
    """
    matrix = image_from_crop(region, size)
    block = max(1, int(region.side_px / size / _LEFT_TO_THE_WARP))
    if block > 1:
        left, top, right, bottom = source_window(matrix, (size, size), rgb.shape[1], rgb.shape[0])
        block = min(block, right - left, bottom - top)
        # Whole blocks only: a block of 1.5 pixels would shift the picture.
        rgb = average_blocks(rgb[top:bottom, left:right], block)
        matrix[:, 2] -= (left + (block - 1) / 2, top + (block - 1) / 2)
        matrix /= block
    return warp_affine(rgb, matrix, (size, size))


def to_image(points: NDArray[np.floating], region: Region, size: int) -> NDArray[np.float64]:
    """Map points from a crop back to the picture.

    Args:
        points: (..., 2) float, crop pixels.  region: where the crop was taken.  size: the crop's side, pixels.
    Returns:
        (..., 2) float64, picture pixels.
    """
    matrix = image_from_crop(region, size)
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]


def to_crop(points: NDArray[np.floating], region: Region, size: int) -> NDArray[np.float64]:
    """Map points from the picture to a crop: the inverse of `to_image`.

    Args:
        points: (..., 2) float, picture pixels.  region: where the crop lies.  size: the crop's side, pixels.
    Returns:
        (..., 2) float64, crop pixels.
    """
    matrix = image_from_crop(region, size)
    shifted = np.asarray(points, dtype=np.float64) - matrix[:, 2]
    return np.linalg.solve(matrix[:, :2], shifted.reshape(-1, 2).T).T.reshape(shifted.shape)


def region_around(points: NDArray[np.floating], axis: NDArray[np.floating], scale: float) -> Region:
    """The square around the upright bounding box of some points, turned along an axis.

    Args:
        points: (L, 2) float, picture pixels.
        axis: (2,) float, picture pixels: the direction that becomes the region's x axis.
        scale: side of the region over the longer side of the bounding box.
    """
    left, top, right, bottom = find_bounds(points)
    side = max(right - left, bottom - top) * scale
    return Region(((left + right) / 2, (top + bottom) / 2), side, math.atan2(axis[1], axis[0]))


def find_bounds(points: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of points (L, 2)."""
    # Row by row: numpy is several times slower along the first axis of a thin array.
    rows = points.T.copy()
    (left, top), (right, bottom) = rows.min(axis=1).tolist(), rows.max(axis=1).tolist()
    return left, top, right, bottom
