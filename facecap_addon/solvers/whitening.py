"""What makes pictures zero on average with variance one, the same for all (Laine et al. 2017, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32

if TYPE_CHECKING:
    from torch import Tensor

_Pictures = TypeVar("_Pictures", NDArray[np.floating], "Tensor")


@dataclass(frozen=True)
class Whitening:
    """Mean and standard deviation of the footage's pixels, in 0..1."""

    mean: float
    deviation: float

    def __call__(self, pictures: _Pictures) -> _Pictures:
        """Pictures in 0..1, whitened."""
        return (pictures - self.mean) / self.deviation

    def make_table(self) -> F32:
        """(256,) float32: what bytes become before a network sees them."""
        return self(np.arange(256) / 255).astype(np.float32)
