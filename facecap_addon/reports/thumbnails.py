"""Thumbnails of the footage with its landmarks drawn, for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.draw import draw_dots
from ..images.encode import encode_jpeg
from ..images.resample import average_blocks, warp_affine
from ..takes.take import Take

THUMBNAIL_PX = 224
_FACE_MARGIN = 1.6
_JPEG_QUALITY = 82
_DOT_COLOR = (64, 224, 208)
_SHADOW_COLOR = (10, 30, 40)
_PAPER_COLOR = (24, 24, 26)


@dataclass(frozen=True)
class Thumbnail:
    """A square picture of one frame.

    Attributes:
        jpeg: the encoded picture.
        time_s: when, in seconds from the start of the footage.
        frame: frame number in the footage.
        has_face: whether landmarks are drawn on it.
    """

    jpeg: bytes
    time_s: float
    frame: int
    has_face: bool


def choose_thumbnail_rows(frame_count: int, count: int = 12) -> list[int]:
    """Rows of a take to show: `count` of them, evenly spread from the first to the last."""
    if frame_count <= 0:
        return []
    return sorted({int(row) for row in np.linspace(0, frame_count - 1, min(count, frame_count)).round()})


def make_thumbnail(
    image: NDArray[np.uint8], landmarks_px: NDArray[np.floating] | None, *, time_s: float, frame: int
) -> Thumbnail:
    """Cut the face out of a frame and draw its landmarks.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks_px: (L, 2) pixels of `image`; None or NaN where no face was found, which shows the middle.
        time_s, frame: what to write under it.
    """
    has_face = landmarks_px is not None and landmarks_px.size > 0 and bool(np.isfinite(landmarks_px).all())
    picture = cut_face(image, landmarks_px if has_face else None, THUMBNAIL_PX, dots=True)
    return Thumbnail(encode_jpeg(picture, _JPEG_QUALITY), float(time_s), int(frame), has_face)


def cut_face(
    image: NDArray[np.uint8], landmarks_px: NDArray[np.floating] | None, size_px: int, *, dots: bool = False
) -> NDArray[np.uint8]:
    """The square around a face, or the middle of the picture where there is none.

    Args:
        image: (H, W, 3) uint8 RGB.  landmarks_px: (L, 2) pixels of `image`, finite; None without a face.
        size_px: side of the result.  dots: draw the landmarks.
    Returns:
        (size_px, size_px, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    if landmarks_px is not None:
        low, high = landmarks_px.min(axis=0), landmarks_px.max(axis=0)
        center, side = (low + high) / 2, float((high - low).max()) * _FACE_MARGIN
    else:
        center, side = np.array([width - 1, height - 1]) / 2, float(min(width, height))
    scale = max(side, 1.0) / size_px
    # Pixel centres are whole numbers on both sides of the crop.
    corner = center - (size_px - 1) / 2 * scale
    # Averaging first keeps a strong reduction free of aliasing.
    block = max(1, min(int(scale), min(height, width) // 32))
    shrunk = average_blocks(image, block) if block > 1 else image
    x, y = (corner - (block - 1) / 2) / block
    placed = np.array([[scale / block, 0.0, x], [0.0, scale / block, y]])
    crop = warp_affine(shrunk, placed, (size_px, size_px), border=_PAPER_COLOR)
    if dots and landmarks_px is not None:
        draw_landmarks(crop, (landmarks_px - corner) / scale, radius_px=1.3)
    return crop


def draw_landmarks(image: NDArray[np.uint8], landmarks_px: NDArray[np.floating], radius_px: float = 1.5) -> None:
    """Draw landmarks into a picture as dots with a dark rim.

    Args:
        image: (H, W, 3) uint8 RGB, changed in place.
        landmarks_px: (L, 2) pixels; those that are NaN or far outside are left out.
    """
    height, width = image.shape[:2]
    inside = np.isfinite(landmarks_px).all(axis=1)
    inside[inside] &= (np.abs(landmarks_px[inside] - (width / 2, height / 2)) < (width, height)).all(axis=1)
    draw_dots(image, landmarks_px[inside], radius_px + 0.5, _SHADOW_COLOR)
    draw_dots(image, landmarks_px[inside], radius_px, _DOT_COLOR)


def thumbnail_of(take: Take, row: int, image: NDArray[np.uint8], frame: int | None = None) -> Thumbnail:
    """The thumbnail of a take's row from its picture, (H, W, 3) uint8 RGB; `frame` is its number, if not the row."""
    landmarks = take.landmarks_px[row] if take.status[row] and take.landmarks_px.shape[1] else None
    return make_thumbnail(image, landmarks, time_s=float(take.time_s[row]), frame=row if frame is None else frame)
