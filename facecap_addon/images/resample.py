"""Pictures resampled: bilinear affine warps, averaging reductions, grey."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..arrays import U8, U64

# Bilinear weights are whole numbers of this many bits; with 8 bits of a channel they fill a lane of 21, so that the
# three channels of a pixel are weighted and added as one 64-bit number.
_WEIGHT_BITS, _LANE_BITS = 13, 21


def warp_affine(
    image: U8, image_from_out: NDArray[np.floating], size: tuple[int, int], *, border: tuple[int, ...] | None = None
) -> U8:
    """Resample a picture bilinearly under an affine map.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        image_from_out: (2, 3), the place in `image` of a pixel (x, y) of the result; pixel centres are whole numbers.
        size: (width, height) px of the result.
        border: what lies around the picture, a value for each channel; None: its border, repeated.
    Returns:
        (height, width) or (height, width, 3) uint8, rounded to nearest.
    """
    matrix = np.asarray(image_from_out, np.float64).copy()
    left, top, right, bottom = source_window(matrix, size, image.shape[1], image.shape[0])
    window = image[top:bottom, left:right]
    matrix[:, 2] -= (left, top)
    if border is not None:
        window, matrix[:, 2] = _framed(window, border), matrix[:, 2] + 1
    packed = _pack(window)
    height, width = packed.shape
    (xx, xy, x0), (yx, yy, y0) = matrix.astype(np.float32)
    across, down = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    x = np.clip(xx * across + (xy * down + x0), 0, width - 1)
    y = np.clip(yx * across + (yy * down + y0), 0, height - 1)
    column, row = x.astype(np.int32), y.astype(np.int32)
    first = row * width + column
    # On the last column or row the neighbour weighs nothing; it only has to exist.
    right_of, below = (column < width - 1).astype(np.int32), (row < height - 1) * np.int32(width)
    one = np.float32(1 << _WEIGHT_BITS)
    x -= column.astype(np.float32)
    y -= row.astype(np.float32)
    y *= one
    lower_right = (x * y + np.float32(0.5)).astype(np.int32)
    lower_left = (y + np.float32(0.5)).astype(np.int32) - lower_right
    upper_right = (x * one + np.float32(0.5)).astype(np.int32) - lower_right
    upper_left = np.int32(1 << _WEIGHT_BITS) - lower_right - lower_left - upper_right
    total = upper_left.astype(np.uint64) * packed.take(first)
    total += upper_right.astype(np.uint64) * packed.take(first + right_of)
    first += below
    total += lower_left.astype(np.uint64) * packed.take(first)
    total += lower_right.astype(np.uint64) * packed.take(first + right_of)
    return _unpack(total, image.ndim)


def resize(image: U8, size: tuple[int, int]) -> U8:
    """Resize a picture: shrinking averages areas, enlarging interpolates bilinearly.

    Args:
        image: (H, W), (H, W, 3) or (H, W, 4) uint8.  size: (width, height) px.
    Returns:
        (height, width[, C]) uint8.
    """
    if image.shape[1::-1] == size:
        return np.ascontiguousarray(image)
    shrinks = size[0] <= image.shape[1] and size[1] <= image.shape[0]
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize(size, how))


def resize_part(image: U8, box: tuple[float, float, float, float], size: tuple[int, int], *, grey: bool = False) -> U8:
    """A rectangle of a picture, resized; shrinking averages, so that fine texture does not flicker.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        box: left, top, right, bottom in px, edges of pixels being whole numbers; beyond the picture its border is
            repeated.
        size: (width, height) px of the result.
        grey: give the luma of an RGB picture.
    Returns:
        (height, width[, 3]) uint8.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = box
    # What the filter's support reaches beyond the rectangle, and what the rectangle reaches beyond the picture.
    margin_x, margin_y = (2 + math.ceil((b - a) / n) for a, b, n in ((left, right, size[0]), (top, bottom, size[1])))
    x0, x1 = math.floor(left) - margin_x, math.ceil(right) + margin_x
    y0, y1 = math.floor(top) - margin_y, math.ceil(bottom) + margin_y
    columns, rows = np.clip(np.arange(x0, x1), 0, width - 1), np.clip(np.arange(y0, y1), 0, height - 1)
    inside = x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height
    window = image[y0:y1, x0:x1] if inside else image[rows[:, None], columns]
    moved = (left - x0, top - y0, right - x0, bottom - y0)
    part = Image.fromarray(window)
    return np.asarray((part.convert("L") if grey else part).resize(size, Image.Resampling.BILINEAR, box=moved))


def average_blocks(image: U8, block: int) -> U8:
    """(H // block, W // block, 3) uint8: means over whole blocks of pixels of (H, W, 3); what is left over is cut."""
    rows, columns = image.shape[0] // block, image.shape[1] // block
    return np.asarray(Image.fromarray(image[: rows * block, : columns * block]).reduce(block))


def to_grey(image: U8) -> U8:
    """(H, W) uint8: the luma (ITU-R BT.601) of an (H, W, 3) uint8 RGB picture."""
    return np.asarray(Image.fromarray(image).convert("L"))


def source_window(
    matrix: NDArray[np.float64], size: tuple[int, int], width: int, height: int
) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the pixels that a warp can read: never empty, inside the picture."""
    corners = np.array([(x, y, 1.0) for x in (0, size[0] - 1) for y in (0, size[1] - 1)]) @ matrix.T
    (x_low, y_low), (x_high, y_high) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    left = min(max(math.floor(x_low) - 1, 0), width - 1)
    top = min(max(math.floor(y_low) - 1, 0), height - 1)
    right = min(max(math.ceil(x_high) + 2, left + 1), width)
    bottom = min(max(math.ceil(y_high) + 2, top + 1), height)
    return left, top, right, bottom


def _framed(window: U8, border: tuple[int, ...]) -> U8:
    """The window with one pixel of border around it."""
    framed = np.empty((window.shape[0] + 2, window.shape[1] + 2, *window.shape[2:]), np.uint8)
    framed[:] = border if window.ndim == 3 else border[0]
    framed[1:-1, 1:-1] = window
    return framed


def _pack(window: U8) -> U64:
    """(H, W) uint64: a pixel's channels in lanes of their own."""
    if window.ndim == 2:
        return window.astype(np.uint64)
    packed = window[..., 2].astype(np.uint64)
    for channel in (1, 0):
        packed <<= np.uint64(_LANE_BITS)
        packed |= window[..., channel]
    return packed


def _unpack(total: U64, dimensions: int) -> U8:
    """The channels of weighted sums, rounded; (H, W) or (H, W, 3)."""
    half, bits = 1 << (_WEIGHT_BITS - 1), np.uint64(_WEIGHT_BITS)
    if dimensions == 2:
        return ((total + np.uint64(half)) >> bits).astype(np.uint8)
    total += np.uint64(half * (1 + (1 << _LANE_BITS) + (1 << 2 * _LANE_BITS)))
    out = np.empty((*total.shape, 3), np.uint8)
    for channel in range(3):
        # Cutting to 8 bits leaves the lanes above out.
        out[..., channel] = (total >> np.uint64(_WEIGHT_BITS + channel * _LANE_BITS)).astype(np.uint8)
    return out
