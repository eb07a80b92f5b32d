"""The part of a picture that a network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..images.resample import resize_part

Box = tuple[float, float, float, float]


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


def cut(picture: NDArray[np.uint8], crop: Box, kind: PictureKind) -> NDArray[np.uint8]:
    """(C, H, W) uint8: the rectangle of an RGB picture (h, w, 3), scaled; beyond the border, the border repeated."""
    height, width = picture.shape[:2]
    left, top, wide, high = crop[0] * width, crop[1] * height, crop[2] * width, crop[3] * height
    box = (left, top, left + wide, top + high)
    out = resize_part(picture, box, (kind.width, kind.height), grey=not kind.colour)
    return np.ascontiguousarray(out.transpose(2, 0, 1) if kind.colour else out[None])
