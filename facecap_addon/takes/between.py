"""Between the rows of a take: what it holds at any time, evenly spaced ones among them.

Keys are linear from one frame with a face to the next, whatever lies between them, and rest at both ends. All that is
exported follows them: point caches, landmarks to retarget, keys on whole frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64
from ..errors import FacecapError
from .take import STATUS_MISSING, Take, usual_step_s

_SAME = 1e-4
"""Nearer than this share of the way to a row, a time is the row's own: rates are rounded, frames are not mixed."""


@dataclass(frozen=True)
class Between:
    """Times between rows that show a face.

    Attributes:
        low, high: (N,) rows on either side; equal before the first, after the last, and where a row lies at the time.
        share: (N,) float64 in 0..1, how far each time is from `low` to `high`.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    share: F64

    @property
    def in_gap(self) -> NDArray[np.bool_]:
        """(N,) bool: times inside a stretch of rows without a face."""
        return self.high - self.low > 1

    def interpolate(self, values: NDArray[np.floating]) -> F64:
        """(N, …) float64 of values (F, …) per row, linear in between."""
        given = np.asarray(values, np.float64)
        share = self.share.reshape(-1, *[1] * (given.ndim - 1))
        return given[self.low] * (1.0 - share) + given[self.high] * share

    def interpolate_quaternions(self, quaternions: NDArray[np.floating]) -> F64:
        """(N, 4) float64 unit quaternions of (F, 4) per row, the shorter way round."""
        given = np.asarray(quaternions, np.float64)
        first, second = given[self.low], given[self.high]
        second = np.where((first * second).sum(axis=1, keepdims=True) < 0, -second, second)
        mixed = first * (1.0 - self.share)[:, None] + second * self.share[:, None]
        return mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)

    def interpolate_meshes(self, of_row: Callable[[int], F32]) -> Iterator[F32]:
        """(V, 3) float32 per time of what a function gives per row; a row is asked for as often as it is needed."""
        for low, high, share in zip(self.low.tolist(), self.high.tolist(), self.share.tolist(), strict=True):
            mesh = of_row(low)
            yield mesh if low == high else mesh * np.float32(1 - share) + of_row(high) * np.float32(share)


def find_between_rows(time_s: F64, solved: NDArray[np.bool_], at_s: F64) -> Between:
    """Where times lie between the rows that show a face.

    Args:
        time_s: (F,) float64 s, ascending.  solved: (F,) bool.  at_s: (N,) float64 s.
    Raises:
        FacecapError: no row shows a face.
    """
    rows = np.flatnonzero(solved)
    if not len(rows):
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    place = np.interp(at_s, time_s[rows], np.arange(len(rows)))
    near = np.round(place)
    place = np.where(np.abs(place - near) < _SAME, near, place)
    low = np.floor(place).astype(np.intp)
    share = np.asarray(place - low, np.float64)
    return Between(rows[low], rows[np.minimum(low + (share > 0), len(rows) - 1)], share)


def frame_rate(take: Take) -> float:
    """Frames per second of a take's footage, as the take says, else as its times do."""
    try:
        given = float(Fraction(str(take.provenance.get("fps"))))
        if 0.1 <= given <= 1000.0:
            return given
    except (ValueError, ZeroDivisionError):
        pass
    apart = usual_step_s(take.time_s)
    return 1.0 / apart if apart > 0 else 25.0


def space_evenly(time_s: F64, fps: float) -> F64:
    """(N,) float64 s: from the first to the last of (F,) times, as many a second as `fps` says."""
    count = round(float(time_s[-1] - time_s[0]) * fps) + 1
    return np.asarray(time_s[0] + np.arange(count) / fps, np.float64)


def resample(take: Take, at_s: F64) -> Take:
    """A take at other times; times inside a stretch without a face have none.

    Args:
        at_s: (N,) float64 s, ascending.
    Raises:
        FacecapError: no frame shows a face.
    """
    at = find_between_rows(take.time_s, take.solved, at_s)
    missing = at.in_gap
    status = np.where(at.share < 0.5, take.status[at.low], take.status[at.high])

    def shown(values: F64) -> F32:
        return np.where(missing.reshape(-1, *[1] * (values.ndim - 1)), 0.0, values).astype(np.float32)

    return replace(
        take,
        time_s=np.asarray(at_s, np.float64),
        weights=shown(at.interpolate(take.weights)),
        head_rotation_wxyz=at.interpolate_quaternions(take.head_rotation_wxyz).astype(np.float32),
        head_translation_m=shown(at.interpolate(take.head_translation_m)),
        gaze_rad=shown(at.interpolate(take.gaze_rad)),
        confidence=shown(at.interpolate(take.confidence)),
        status=np.where(missing, STATUS_MISSING, status).astype(np.int8),
        landmarks_px=at.interpolate(take.landmarks_px).astype(np.float32),
        residual_px=np.where(missing, np.nan, at.interpolate(take.residual_px)).astype(np.float32),
        jaw=shown(at.interpolate(take.jaw)),
        covered=shown(at.interpolate(take.covered)),
    )
