"""The picture as its own energy compares it: between its finest detail and what varies slowly, inside the face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import F32

# Residuals of the band-passed picture: usual, and how many neighbouring pixels count as one.
_PIXEL_ERROR, _PIXEL_CORRELATION = 0.03, 100.0
ROBUST_PIXEL = 3 * (4 * _PIXEL_ERROR) ** 2
"""Squared residuals about this large and larger lose their pull."""
_WIDEST_PX = 31


def weigh_pixels(picture: float) -> float:
    """The weight of a pixel's squared residual, for a factor on the picture's term."""
    return picture / (_PIXEL_ERROR**2 * _PIXEL_CORRELATION)


def compared_pixels(target: Tensor, size: int) -> NDArray[np.bool_]:
    """(S, S) bool: pixels of a crop that the picture's term compares, well inside the outline of the landmarks."""
    mask = np.zeros((size, size), np.uint8)
    points = target.cpu().numpy()
    if np.isfinite(points).all():
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), (1,))
    return cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0


def band_pass(picture: F32, blur_px: float) -> F32:
    """A picture (S, S, C) without its finest detail and without what varies slowly, as light does."""
    fine = cv2.GaussianBlur(picture, (0, 0), blur_px)
    return np.asarray(fine - cv2.blur(picture, (_WIDEST_PX, _WIDEST_PX)), np.float32).reshape(picture.shape)


def band_pass_derivatives(moved: F32, blur_px: float, mask: NDArray[np.bool_]) -> F32:
    """(Q, 3, D): derivatives of a picture (S, S, 3, D), band-passed, at the compared pixels."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros((0, *moved.shape[2:]), np.float32)
    reach = _WIDEST_PX // 2 + 1
    window = (
        slice(max(rows[0] - reach, 0), rows[-1] + reach + 1),
        slice(max(columns[0] - reach, 0), columns[-1] + reach + 1),
    )
    inside, inner = moved[window], mask[window]
    flat = inside.reshape(*inside.shape[:2], -1)
    pieces = range(0, flat.shape[2], 96)
    found = [band_pass(np.ascontiguousarray(flat[..., first : first + 96]), blur_px)[inner] for first in pieces]
    return np.concatenate(found, axis=1).reshape(-1, *moved.shape[2:])
