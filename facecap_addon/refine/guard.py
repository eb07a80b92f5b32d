"""How much of a refinement is taken over: for the brows, the lids, and mouth with jaw, as it helped around each moment.

What the network sees of start and refinement says how far to go from one towards the other until it sees as little
difference to the footage as possible: a line search without another look, as landmarks move almost in proportion.
Single frames err, so the answer is a mean over part of a second, and does not switch from frame to frame.

Keys of mouth and jaw move the same lips and the same chin: one of them without the other is neither face.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64, Bools
from ..landmarks.layout import layout_of
from .energies.landmark_bias import Disagreement
from .energies.landmark_weights import LandmarkWeights
from .flow.temporal import mean_in_time
from .state import DeepState

REGIONS = ("brows", "lids", "mouth")
_KEYS = {"brows": ("brows",), "lids": ("eyes",), "mouth": ("mouth", "jaw", "cheeks", "nose")}
_AROUND_S, _FADE_S = 0.16, 0.08
# The whole clip has a say, too: so much as the moment's own.
_WHOLE = 0.25


@dataclass(frozen=True)
class Guarded:
    """What the guard decided.

    Attributes:
        state: of the rows that were looked at (N,).
        share: (N,) per region, 0..1, how much of the refinement its keys got; the rest is the start.
    """

    state: DeepState
    share: dict[str, F64]


def take_what_helped(
    before: Disagreement,
    after: Disagreement,
    start: DeepState,
    state: DeepState,
    trusted: LandmarkWeights,
    scheme: str,
    key_regions: NDArray[np.str_],
    time_s: F64,
) -> Guarded:
    """The state, with every region's keys between start and state where the network agrees best with the footage.

    Args:
        before, after: of N frames, at the start and at the state, without the bias.
        start, state: of these frames.  key_regions: (K,), see `schedule.key_regions`.  time_s: (N,).
    """
    mixed, shares = state.part(slice(None)), {}
    for region in REGIONS:
        keys = np.isin(key_regions, _KEYS[region])
        share = _find_share(*_spans(before, after, trusted, scheme, region), time_s)
        mixed.weights[:, keys] += (share[:, None] - 1) * (state.weights - start.weights)[:, keys]
        shares[region] = share
    return Guarded(mixed, shares)


def _find_share(before: F64, after: F64, time_s: F64) -> F64:
    """(N,) how far to go from before to after, both (N, D), for the least sum of squares around every moment."""
    way = before - after
    both = np.stack([(before * way).sum(1), (way**2).sum(1)], axis=1)
    pull, length = (mean_in_time(both, time_s, _AROUND_S) + _WHOLE * both.mean(0)).T
    share = np.clip(pull / np.maximum(length, 1e-9), 0.0, 1.0)
    return mean_in_time(share[:, None], time_s, _FADE_S)[:, 0]


def _spans(
    before: Disagreement, after: Disagreement, trusted: LandmarkWeights, scheme: str, region: str
) -> tuple[F64, F64]:
    """(N, D) each: how far spans that end in a region are from their median difference to the footage's, weighed."""
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
    found = []
    for seen in (before, after):
        between = seen.away_mm[:, :, a[chosen]] - seen.away_mm[:, :, b[chosen]]
        hidden = ~seen.seen[:, :, None, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a camera that never shows the face has no median
            usual = np.nanmedian(np.where(hidden, np.nan, between), axis=0)
        between = np.where(hidden, 0.0, between - usual)
        weighed = between * np.sqrt(trusted.span_weight[chosen])[:, None]
        found.append(weighed.reshape(len(between), -1))
    return found[0], found[1]


def _brow_spans(brows: tuple[int, ...], trusted: LandmarkWeights) -> Bools:
    return np.isin(trusted.spans, brows).any(1)
