"""Whether footage shows the actor as in a mirror: one-sided motion against curves of the same take.

Only channels that everybody names by the face's own side are asked: lids, brows and mouth corners (see `rig.sides`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...arrays import F64
from ...landmarks.face_measures import MEASURES, align_faces, measure_faces, points_of
from ...landmarks.observations import Observations
from ...rig.channels import columns_by_name
from ..take import Take

_MOST_LAG_S, _LAG_STEP_S = 3.0, 0.02
_LEAST_IN_STEP = 0.4
"""Curves that follow the footage less than this at the best shift are taken as they are."""
_LEAST_SPAN = 0.03
_LEAST_FRAMES = 20
_MOST_OF_ONE = 4.0
"""One kind of motion counts no more than so many standard deviations: it may be misread as a whole."""
SURE = 0.95

# What rises where landmarks rise: channels of one side, by how they count, and measures of it without the side.
_ONE_SIDED: Mapping[str, tuple[Mapping[str, float], tuple[str, ...]]] = {
    "lids": ({"eyeBlink": -1.0, "eyeWide": 0.5}, ("eye",)),
    "brows": ({"browOuterUp": 1.0, "browDown": -1.0}, ("brow_in", "brow_out")),
    "mouth corners": ({"mouthSmile": 1.0, "mouthFrown": -0.7}, ("corner",)),
}


@dataclass(frozen=True)
class SideEvidence:
    """What the data say.

    Attributes:
        mirrored: whether left and right are the other way round.
        sure: 0.5 (nothing is known) to 1.
        correlations: of each kind of one-sided motion that there was: left less right, footage against curves.
        lag_s: how much later the curves' times are than the footage's.
    """

    mirrored: bool
    sure: float
    correlations: Mapping[str, float]
    lag_s: float

    @property
    def decided(self) -> bool:
        """Whether it is sure enough to go by."""
        return self.sure >= SURE


def find_sides(observations: Observations, curves: Take) -> SideEvidence:
    """Compare one-sided motion of footage with that of curves of the same take.

    Args:
        observations: F frames of the footage, mediapipe-478.  curves: with ARKit's channels; its clock may be shifted.
    """
    measures = measure_faces(align_faces(points_of(observations)))
    seen = np.isfinite(measures).all(axis=1)
    time_s, measures = observations.time_s[seen], measures[seen]
    if len(time_s) < _LEAST_FRAMES or curves.solved.sum() < _LEAST_FRAMES:
        return SideEvidence(False, 0.5, {}, 0.0)
    of_measure = {name: measures[:, k] for k, name in enumerate(MEASURES)}
    lag_s = _find_lag(time_s, of_measure, curves)
    correlations: dict[str, float] = {}
    deviations: list[float] = []
    for kind, (shares, names) in _ONE_SIDED.items():
        left, right = (sum(of_measure[f"{name}_{side}"] for name in names) for side in "LR")
        told = _at(curves, shares, "Left", time_s + lag_s) - _at(curves, shares, "Right", time_s + lag_s)
        found = _correlate(np.asarray(left - right), told)
        if found is not None:
            correlations[kind], deviation = found
            deviations.append(float(np.clip(deviation, -_MOST_OF_ONE, _MOST_OF_ONE)))
    if not deviations:
        return SideEvidence(False, 0.5, {}, lag_s)
    together = sum(deviations) / math.sqrt(len(deviations))
    return SideEvidence(together < 0, 0.5 * (1 + math.erf(abs(together) / math.sqrt(2))), correlations, lag_s)


def _at(curves: Take, shares: Mapping[str, float], side: str, time_s: F64) -> F64:
    """A mixture of channels of one side at some times; zero where there is none."""
    columns = columns_by_name(curves.channels)
    mixed = np.zeros(curves.frame_count)
    for name, share in shares.items():
        for column in columns.get(name + side, []):
            mixed += share * curves.weights[:, column]
    return np.interp(time_s, curves.time_s[curves.solved], mixed[curves.solved])


def _find_lag(time_s: F64, of_measure: Mapping[str, F64], curves: Take) -> float:
    """How much later the curves' clock is, by what both sides do together: lids and jaw, which no mirror changes."""
    lids = of_measure["eye_L"] + of_measure["eye_R"]
    best, best_lag = _LEAST_IN_STEP, 0.0
    start = float(curves.time_s[0] - time_s[0])
    starts = {0.0, start} if abs(start) > _MOST_LAG_S else {0.0}
    for lag in (first + step for first in starts for step in np.arange(-_MOST_LAG_S, _MOST_LAG_S, _LAG_STEP_S)):
        at = time_s + lag
        blink = sum(_at(curves, {"eyeBlink": -1.0}, side, at) for side in ("Left", "Right"))
        both = [np.corrcoef(lids, blink)[0, 1] if np.ptp(blink) > _LEAST_SPAN else 0.0]
        jaw = _at(curves, {"jawOpen": 1.0}, "", at)
        both.append(np.corrcoef(of_measure["lip_gap"], jaw)[0, 1] if np.ptp(jaw) > _LEAST_SPAN else 0.0)
        mean = float(np.nan_to_num(both).max())
        if mean > best + 1e-9:
            best, best_lag = mean, float(lag)
    return best_lag


def _correlate(seen: F64, told: F64) -> tuple[float, float] | None:
    """Correlation of two curves, and by how many standard deviations it is not chance; None where one stands still."""
    if np.ptp(told) < _LEAST_SPAN or np.ptp(seen) < 1e-3:
        return None
    a, b = ((curve - curve.mean()) / curve.std() for curve in (seen, told))
    r = float(np.clip((a * b).mean(), -0.999, 0.999))
    # Neighbouring frames say nearly the same: fewer count (Bartlett 1935).
    alike = max(0.0, float((a[1:] * a[:-1]).mean() * (b[1:] * b[:-1]).mean()))
    frames = len(a) * (1 - alike) / (1 + alike)
    return r, math.atanh(r) * math.sqrt(max(frames - 3, 0.5))
