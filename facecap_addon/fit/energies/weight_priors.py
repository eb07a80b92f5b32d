"""Priors over the character's own channels, with or without names that mean something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...rig.channels import OPPOSING_PAIRS, WITHIN_PAIRS, arkit_name, columns_by_name, region_of
from ..least_squares.normal_equations import POSE
from .expression_prior import ExpressionPrior

_FREE_SIGMA = 0.35
_FREE_SPARSITY = 0.6
_OPPOSED_WEIGHT, _OPPOSED_TRAINED, _WITHIN_WEIGHT = 8.0, 400.0, 400.0
# How far left and right of a pair may differ beyond what recordings show: eyes wink and brows rise alone at will.
_APART = {"eyes": 0.15, "brows": 0.15}
_APART_ELSEWHERE = 0.07
# Weight of the squared second difference (per 1/30 s): lids are fast, brows and cheeks slow.
_SMOOTH = {"eyes": 3.0, "mouth": 12.0, "jaw": 12.0, "brows": 25.0, "nose": 25.0, "cheeks": 25.0}
_SMOOTH_UNKNOWN = 12.0
_SMOOTH_TURN, _SMOOTH_SHIFT = 2.0e4, 2.0e5


@dataclass(frozen=True)
class ChannelPriors:
    """What is expected of K channels.

    Attributes:
        source: (K,) int, column of the trained prior for each channel, -1 where it has none.
        precision: (K, K) float64.
        variance: (K,) float64, of each weight before a face is looked at.
        sparsity: (K,) float64.
        opposed: (A, 2) int.  opposed_weight: float.  within: (B, 2) int.  within_weight: float.
        smooth: (6 + K,) float64.
    """

    source: NDArray[np.intp]
    precision: F64
    variance: F64
    sparsity: F64
    opposed: NDArray[np.intp]
    opposed_weight: float
    within: NDArray[np.intp]
    within_weight: float
    smooth: F64


def channel_priors(
    channels: tuple[str, ...], trained: ExpressionPrior | None, strength: float, smoothness: float
) -> ChannelPriors:
    """Assemble priors for channels.

    Args:
        channels: K names.  trained: the trained prior, or None.  strength: its weight, 1 as measured.
        smoothness: factor on the smoothing in time, 1 as measured.
    """
    names = [arkit_name(c) for c in channels]
    known = {c: k for k, c in enumerate(trained.channels)} if trained is not None else {}
    source = np.array([known.get(n, -1) if n is not None else -1 for n in names], np.intp)
    count = len(channels)
    covariance = np.eye(count) * _FREE_SIGMA**2
    variance = np.full(count, _FREE_SIGMA**2)
    learned = np.flatnonzero(source >= 0)
    if trained is not None and len(learned):
        variance[learned] = trained.variance[source[learned]]
        spread = trained.covariance + np.eye(len(trained.channels)) * 0.03**2 + _sides_apart(trained.channels)
        covariance[np.ix_(learned, learned)] = spread[np.ix_(source[learned], source[learned])]
        # two keys for one ARKit channel (browInnerUp left and right) are alike, not equal
        covariance[learned, learned] += 0.03**2
    precision = np.linalg.inv(covariance) * max(strength, 1e-3)
    sparsity = np.where(source >= 0, 0.0, _FREE_SPARSITY) * max(strength, 1e-3)
    keys_of = columns_by_name(channels)
    pairs = [(i, j) for a, b in OPPOSING_PAIRS for i in keys_of.get(a, []) for j in keys_of.get(b, []) if i != j]
    inside = [(i, j) for a, b in WITHIN_PAIRS for i in keys_of.get(a, []) for j in keys_of.get(b, [])]
    smooth = [_SMOOTH.get(region_of(n), _SMOOTH_UNKNOWN) if n is not None else _SMOOTH_UNKNOWN for n in names]
    return ChannelPriors(
        source=source,
        precision=precision,
        variance=variance,
        sparsity=sparsity,
        opposed=np.array(pairs, np.intp).reshape(-1, 2),
        opposed_weight=_OPPOSED_WEIGHT if trained is None else _OPPOSED_TRAINED,
        within=np.array(inside, np.intp).reshape(-1, 2),
        within_weight=_WITHIN_WEIGHT,
        smooth=np.concatenate([np.full(3, _SMOOTH_TURN), np.full(POSE - 3, _SMOOTH_SHIFT), smooth]) * smoothness,
    )


def _sides_apart(channels: tuple[str, ...]) -> F64:
    """(K, K) covariance by which left and right of a pair may differ: winks and single brows are rare, not wrong."""
    apart = np.zeros((len(channels), len(channels)))
    for left, channel in enumerate(channels):
        mirrored = channel.replace("Left", "Right")
        if mirrored != channel and mirrored in channels:
            pair = np.array([left, channels.index(mirrored)])
            spread = _APART.get(region_of(channel), _APART_ELSEWHERE)
            apart[np.ix_(pair, pair)] = spread**2 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    return apart


def prior_mean(priors: ChannelPriors, expected: F64 | None, frames: int, low: F64, high: F64) -> F64:
    """(F, K) prior mean: the trained prior's answer where a channel has a name it knows, rest elsewhere.

    Args:
        expected: (F, 52) float64 or None.  low, high: (K,) bounds.
    """
    mean = np.zeros((frames, len(priors.source)))
    if expected is not None:
        known = priors.source >= 0
        mean[:, known] = expected[:, priors.source[known]]
    return np.clip(mean, low, high)
