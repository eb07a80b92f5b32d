"""Where refining did not help, the start is kept: per frame, for the brows, the lids, and mouth with jaw.

Keys of mouth and jaw move the same lips and the same chin: one of them without the other is neither face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64, Bools
from ..landmarks.layout import layout_of
from .energies.landmark_bias import Disagreement
from .energies.landmark_weights import LandmarkWeights
from .state import DeepState

REGIONS = ("brows", "lids", "mouth")
_KEYS = {"brows": ("brows",), "lids": ("eyes",), "mouth": ("mouth", "jaw", "cheeks", "nose")}
_NEAR, _HERE = 0.25, 0.5


@dataclass(frozen=True)
class Guarded:
    """What the guard decided.

    Attributes:
        state: of the rows that were looked at (N,).  kept: (N,) bool per region, frames that got the start's keys.
    """

    state: DeepState
    kept: dict[str, Bools]


def keep_better_regions(
    before: Disagreement,
    after: Disagreement,
    start: DeepState,
    state: DeepState,
    trusted: LandmarkWeights,
    scheme: str,
    key_regions: NDArray[np.str_],
    rows: NDArray[np.intp],
) -> Guarded:
    """The state, with a region's keys as at the start where the network did not come to agree better.

    Whether a region gets its start is a share that neighbouring frames have a say in, so that it does not flicker.

    Args:
        before, after: of N frames, at the start and at the state, without the bias.
        start, state: of these frames.  key_regions: (K,), see `schedule.key_regions`.  rows: (N,) of the take.
    """
    mixed, kept = state.part(slice(None)), {}
    for region in REGIONS:
        keys = np.isin(key_regions, _KEYS[region])
        worse = ~(_error(after, trusted, scheme, region) < _error(before, trusted, scheme, region))
        kept[region] = worse
        share = _smooth(worse.astype(np.float64), rows)[:, None]
        mixed.weights[:, keys] = share * start.weights[:, keys] + (1 - share) * state.weights[:, keys]
    return Guarded(mixed, kept)


def _error(seen: Disagreement, trusted: LandmarkWeights, scheme: str, region: str) -> F64:
    """(N,) mm^2: how far a region's landmarks, and the spans that end there, are from where they are in the footage."""
    layout = layout_of(scheme)
    members = np.zeros(layout.count, bool)
    if region == "brows":
        members[[*layout.brow_right, *layout.brow_left]] = True
    else:
        members = trusted.lids if region == "lids" else trusted.mouth | trusted.jaw
    a, b = trusted.spans.T
    chosen = members[a] | members[b]
    if region != "brows":
        chosen &= ~_brow_spans(layout.brow_right + layout.brow_left, trusted)
    between = ((seen.away_mm[:, :, a[chosen]] - seen.away_mm[:, :, b[chosen]]) ** 2).sum(-1)
    weighed = (between * trusted.span_weight[chosen]).sum(-1) / trusted.span_weight[chosen].sum()
    return np.asarray(weighed.mean(1))


def _brow_spans(brows: tuple[int, ...], trusted: LandmarkWeights) -> Bools:
    return np.isin(trusted.spans, brows).any(1)


def _smooth(share: F64, rows: NDArray[np.intp]) -> F64:
    """Half a frame's own, a quarter of either neighbour's; at the end of a run the frame's own stands for them."""
    out = _HERE * share
    for side in (-1, 1):
        index = np.arange(len(share)) + side
        there = (index >= 0) & (index < len(share))
        neighbour = np.clip(index, 0, len(share) - 1)
        there &= rows[neighbour] - rows == side
        out += _NEAR * np.where(there, share[neighbour], share)
    return out
