"""The performer at rest as zero: what her face shows then is hers, not an expression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F64
from ..geometry.quaternions import HEAD_FRONT_WXYZ, rotation_of, wxyz_of
from .live_frame import LiveFace

_KEPT, _LEAST = 15, 3
_MOST = 0.6
"""A key that is further towards its end than this at rest is an expression after all, or a fault; no more is taken for
zero."""


class Neutral:
    """Takes the rest away from faces, once it is known.

    Args:
        ranges: (K, 2) of the character's keys.
    """

    def __init__(self, ranges: NDArray[np.floating]) -> None:
        self._low = np.minimum(np.asarray(ranges[:, 0], np.float64), 0)
        self._high = np.maximum(np.asarray(ranges[:, 1], np.float64), 0)
        self._recent: list[LiveFace] = []
        self._rest: F64 | None = None
        self._turn = Rotation.identity()

    def set(self, *, weights: bool = True) -> bool:
        """Take the mean of the last half second for rest; False where no face was seen.

        Args:
            weights: whether weights are shifted, too, or the head alone.
        """
        if len(self._recent) < _LEAST:
            return False
        if weights:
            mean = np.mean([f.weights for f in self._recent], axis=0, dtype=np.float64)
            self._rest = np.clip(mean, _MOST * self._low, _MOST * self._high)
        every = rotation_of(np.array([f.head_wxyz for f in self._recent]))
        self._turn = rotation_of(HEAD_FRONT_WXYZ) * every.mean().inv()
        return True

    def apply(self, face: LiveFace) -> LiveFace:
        """A face, seen from its rest: a key goes from 0 at rest to its end, on either side, as before."""
        self._recent = [*self._recent[-_KEPT + 1 :], face]
        weights = face.weights
        if self._rest is not None:
            beyond = weights - self._rest
            end = np.where(beyond > 0, self._high, self._low)
            share = beyond / np.where(end == self._rest, 1, end - self._rest)
            weights = np.where(share > 0, share * end, 0).astype(np.float32)
        return replace(
            face, weights=weights, head_wxyz=wxyz_of(self._turn * rotation_of(face.head_wxyz)).astype(np.float32)
        )
