"""The part of a picture that a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.resample import resize_part

Box = tuple[float, float, float, float]
Size = tuple[int, int]
_SAME_ASPECT = 0.02
_MOST_PIXELS = 1 << 20
_FEWEST_PX = 1e-6


@dataclass(frozen=True)
class PictureKind:
    """What a network wants to see.

    Attributes:
        height, width: px.  colour: RGB, or grey.
    """

    height: int
    width: int
    colour: bool = False

    @property
    def channels(self) -> int:
        return 3 if self.colour else 1

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.width / self.height


@dataclass(frozen=True)
class Framing:
    """What the footage that a network learned from looked like.

    Attributes:
        size_px: width and height of its pictures.  rate_fps: frames per second.
        face: left, top, right, bottom of the face where it usually is, in parts of the crop.
        side_size_px: of the second camera's pictures, or None.
    """

    size_px: Size
    rate_fps: float
    face: Box
    side_size_px: Size | None = None


def read_size(values: Any) -> Size:
    """(width, height) px as a JSON file gives them. Raises ValueError or TypeError where they are none."""
    width, height = (int(value) for value in values)
    if not (0 < width < _MOST_PIXELS and 0 < height < _MOST_PIXELS):
        raise ValueError("absurd size")
    return width, height


def is_same_shape(one: Size, other: Size) -> bool:
    """Whether pictures of two sizes have the same aspect, so that parts of one are parts of the other."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < _SAME_ASPECT


def widen_to_aspect(crop: Box, size: Size, aspect: float) -> Box:
    """The smallest rectangle about a crop's middle that holds it and is as wide by its height, in pixels."""
    left, top, wide, high = crop
    width, height = size
    now = wide * width / (high * height)
    grown = (wide * max(1.0, aspect / now), high * max(1.0, now / aspect))
    return left - (grown[0] - wide) / 2, top - (grown[1] - high) / 2, *grown


def place_crop(face: Box, aspect: float, boxes: NDArray[np.floating], size: Size) -> Box | None:
    """A crop of a given aspect, in pixels, in which the face lies as it does in another: fixed, for all frames.

    Args:
        face: left, top, right, bottom in parts of that other crop.  aspect: its width by height in pixels.
        boxes: (F, 4) of the face in parts of the pictures, see `extract_face_keypoints`; NaN is left out.
        size: (width, height) px of the pictures.
    Returns:
        left, top, width, height in parts of the picture; None where no face is seen.
    """
    seen = boxes[np.isfinite(boxes).all(1)].astype(np.float64)
    if not len(seen):
        return None
    left, top, right, bottom = np.median(seen, axis=0) * (*size, *size)
    area = max((right - left) * (bottom - top), _FEWEST_PX)
    high = float(np.sqrt(area / ((face[2] - face[0]) * aspect * (face[3] - face[1]))))
    wide = high * aspect
    x = (left + right) / 2 - wide * (face[0] + face[2]) / 2
    y = (top + bottom) / 2 - high * (face[1] + face[3]) / 2
    return float(x / size[0]), float(y / size[1]), wide / size[0], high / size[1]


def cut(picture: NDArray[np.uint8], crop: Box, kind: PictureKind) -> NDArray[np.uint8]:
    """(C, H, W) uint8: the rectangle of an RGB picture (h, w, 3), scaled; beyond the border, the border repeated."""
    height, width = picture.shape[:2]
    left, top, wide, high = crop[0] * width, crop[1] * height, crop[2] * width, crop[3] * height
    box = (left, top, left + wide, top + high)
    out = resize_part(picture, box, (kind.width, kind.height), grey=not kind.colour)
    return np.ascontiguousarray(out.transpose(2, 0, 1) if kind.colour else out[None])
