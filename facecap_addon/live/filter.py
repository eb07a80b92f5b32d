"""A live filter on faces: weights, head and gaze as curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..geometry.quaternions import HEAD_FRONT_WXYZ, rotation_of, wxyz_of
from ..takes.filters.apply import OnlineFilter, make_online_filter
from ..takes.filters.options import FilterChoice
from ..takes.filters.take_filter import TENFOLD
from .live_frame import LiveFace

_AGAIN_S = 0.5
_FRONT = rotation_of(HEAD_FRONT_WXYZ)


class SmoothFace:
    """Filters faces; after a gap it starts afresh.

    Args:
        choice: of the filter.  ranges: (K, 2) of the character's keys, which the filter does not leave.
    """

    def __init__(self, choice: FilterChoice, ranges: NDArray[np.floating]) -> None:
        self._choice, self._ranges = choice, ranges
        self._answer: LiveFace | None = None
        self._filter: OnlineFilter = make_online_filter(choice)
        self._last_s: float | None = None

    def step(self, face: LiveFace) -> LiveFace:
        """The next face, filtered; with a delay, an earlier one."""
        if self._choice.kind == "none":
            return face
        if self._last_s is not None and face.time_s - self._last_s > _AGAIN_S:
            self._filter = make_online_filter(self._choice)
        elif self._last_s is not None and self._answer is not None and face.time_s <= self._last_s:
            return self._answer
        self._last_s = face.time_s
        turned = (_FRONT.inv() * rotation_of(face.head_wxyz)).as_rotvec()
        joined = np.concatenate([face.weights, turned, face.head_m * TENFOLD, face.gaze_rad.ravel()]).astype(np.float64)
        time_s, found = self._filter.step(face.time_s, joined)
        k = len(face.weights)
        self._answer = replace(
            face,
            time_s=time_s,
            weights=np.clip(found[:k], self._ranges[:, 0], self._ranges[:, 1]).astype(np.float32),
            head_wxyz=wxyz_of(_FRONT * Rotation.from_rotvec(found[k : k + 3])).astype(np.float32),
            head_m=(found[k + 3 : k + 6] / TENFOLD).astype(np.float32),
            gaze_rad=found[k + 6 :].reshape(2, 2).astype(np.float32),
        )
        return self._answer
