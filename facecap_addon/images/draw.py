"""Text, lines and dots drawn into pictures, without jagged edges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..arrays import U8

Color = tuple[int, int, int]

# Lines are drawn this many times as large and averaged.
_FINER = 4


def draw_text(image: U8, place: tuple[float, float], text: str, size_px: float, color: Color) -> None:
    """Write a line of text into a picture.

    Args:
        image: (H, W, 3) uint8 RGB, changed in place.
        place: (x, y) px of its left end, on the line that the letters stand on.
        size_px: height of the font.
    """
    mask = Image.new("L", (image.shape[1], image.shape[0]))
    ImageDraw.Draw(mask).text(place, text, fill=255, font=_font(size_px), anchor="ls")
    _blend(image, mask, color)


def text_width(text: str, size_px: float) -> float:
    """How wide a line of text is, px."""
    return float(_font(size_px).getlength(text))


def draw_polyline(
    image: U8, points: NDArray[np.floating], color: Color, *, closed: bool = False, width_px: float = 1.0
) -> None:
    """Draw a line through points.

    Args:
        image: (H, W, 3) uint8 RGB, changed in place.
        points: (N, 2) px, pixel centres being whole numbers.  closed: back to the first.  width_px: of the line.
    """
    path = (np.concatenate([points, points[:1]]) if closed else np.asarray(points)) * _FINER + (_FINER - 1) / 2
    mask = Image.new("L", (image.shape[1] * _FINER, image.shape[0] * _FINER))
    corners = [(float(x), float(y)) for x, y in path]
    ImageDraw.Draw(mask).line(corners, fill=255, width=max(1, round(width_px * _FINER)), joint="curve")
    _blend(image, mask.reduce(_FINER), color)


def draw_dots(image: U8, centers: NDArray[np.floating], radius_px: float, color: Color) -> None:
    """Draw filled circles; a pixel at the rim is covered as far as it lies within.

    Args:
        image: (H, W, 3) uint8 RGB, changed in place.
        centers: (N, 2) px, pixel centres being whole numbers; those outside of the picture are left out.
    """
    height, width = image.shape[:2]
    reach = int(np.ceil(radius_px + 0.5))
    around = np.arange(-reach, reach + 1)
    middle = np.round(centers).astype(int)
    x, y = np.broadcast_arrays(middle[:, :1, None] + around, middle[:, 1:, None] + around[:, None])
    away = np.hypot(x - centers[:, :1, None], y - centers[:, 1:, None])
    cover = np.clip(radius_px + 0.5 - away, 0.0, 1.0).astype(np.float32)
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (cover > 0)
    mask = np.zeros((height, width), np.float32)
    np.maximum.at(mask, (y[seen], x[seen]), cover[seen])
    _blend(image, mask, color)


def _blend(image: U8, mask: Image.Image | NDArray[np.float32], color: Color) -> None:
    """Put a color over a picture where a mask covers it (0..255, or 0..1)."""
    share = mask if isinstance(mask, np.ndarray) else np.asarray(mask, np.float32) / 255
    rows, columns = np.nonzero(share)
    before, part = image[rows, columns].astype(np.float32), share[rows, columns, None]
    image[rows, columns] = np.round(before + part * (np.array(color, np.float32) - before)).astype(np.uint8)


@lru_cache(maxsize=16)
def _font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
