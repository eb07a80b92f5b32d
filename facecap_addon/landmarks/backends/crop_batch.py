"""Cuts the regions of one picture into the batch that a landmark network is fed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..regions import Region, crop


def cut(rgb: NDArray[np.uint8], regions: Sequence[Region], size: int) -> NDArray[np.uint8]:
    """Cut regions out of a picture.

    Args:
        rgb: (H, W, 3) uint8.  regions: at least one.  size: side of the crops, pixels.
    Returns:
        (N, size, size, 3) uint8 RGB.
    """
    return np.stack([crop(rgb, region, size) for region in regions])
