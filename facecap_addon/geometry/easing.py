"""Smooth ways from 0 to 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64


def smoothstep(share: NDArray[np.floating]) -> F64:
    """0 below 0, 1 above 1, and 3s² - 2s³ between, which begins and ends level; any shape."""
    clipped = np.clip(np.asarray(share, np.float64), 0.0, 1.0)
    return clipped * clipped * (3.0 - 2.0 * clipped)
