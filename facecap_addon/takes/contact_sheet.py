"""Thumbnails of the footage with its landmarks drawn, for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .take import Take

THUMBNAIL_PX = 224
_FACE_MARGIN = 1.6
_JPEG_QUALITY = 82
_DOT_COLOR = (64, 224, 208)
_SHADOW_COLOR = (10, 30, 40)


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


def thumbnail_rows(frame_count: int, count: int = 12) -> list[int]:
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
    height, width = image.shape[:2]
    has_face = landmarks_px is not None and landmarks_px.size > 0 and bool(np.isfinite(landmarks_px).all())
    if has_face and landmarks_px is not None:
        low, high = landmarks_px.min(axis=0), landmarks_px.max(axis=0)
        center, side = (low + high) / 2, float((high - low).max()) * _FACE_MARGIN
    else:
        center, side = np.array([width - 1, height - 1]) / 2, float(min(width, height))
    scale = THUMBNAIL_PX / max(side, 1.0)
    # Pixel centres are whole numbers on both sides of the crop.
    offset = (THUMBNAIL_PX - 1) / 2 - center * scale
    transform = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    shrink = image
    while scale < 0.5 and min(shrink.shape[:2]) > 64:
        # Halving first keeps a strong reduction free of aliasing.
        shrink = cv2.resize(shrink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scale *= 2
    factor_x, factor_y = width / shrink.shape[1], height / shrink.shape[0]
    to_shrunk = np.array([[factor_x, 0, (factor_x - 1) / 2], [0, factor_y, (factor_y - 1) / 2], [0, 0, 1]])
    crop = cv2.warpAffine(
        shrink,
        np.asarray((transform @ to_shrunk)[:2], dtype=np.float64),
        (THUMBNAIL_PX, THUMBNAIL_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(24, 24, 26),
    )
    if has_face and landmarks_px is not None:
        draw_landmarks(
            cast("NDArray[np.uint8]", crop), landmarks_px @ transform[:, :2].T + transform[:, 2], radius_px=0.9
        )
    ok, encoded = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert ok
    return Thumbnail(encoded.tobytes(), float(time_s), int(frame), has_face)


def draw_landmarks(image: NDArray[np.uint8], landmarks_px: NDArray[np.floating], radius_px: float = 1.2) -> None:
    """Draw landmarks into a picture as dots with a dark rim.

    Args:
        image: (H, W, 3) uint8 RGB, changed in place.
        landmarks_px: (L, 2) pixels; those that are NaN or far outside are left out.
    """
    height, width = image.shape[:2]
    inside = np.isfinite(landmarks_px).all(axis=1)
    inside[inside] &= (np.abs(landmarks_px[inside] - (width / 2, height / 2)) < (width, height)).all(axis=1)
    sixteenths = np.round(landmarks_px[inside] * 16).astype(np.int32)
    radius = max(1, round(radius_px * 16))
    for x, y in sixteenths.tolist():
        cv2.circle(image, (x, y), radius + 8, _SHADOW_COLOR, cv2.FILLED, cv2.LINE_8, 4)
    for x, y in sixteenths.tolist():
        cv2.circle(image, (x, y), radius, _DOT_COLOR, cv2.FILLED, cv2.LINE_AA, 4)


def thumbnail_of(take: Take, row: int, image: NDArray[np.uint8], frame: int | None = None) -> Thumbnail:
    """The thumbnail of a take's row from its picture, (H, W, 3) uint8 RGB; `frame` is its number, if not the row."""
    landmarks = take.landmarks_px[row] if take.status[row] and take.landmarks_px.shape[1] else None
    return make_thumbnail(image, landmarks, time_s=float(take.time_s[row]), frame=row if frame is None else frame)
