"""The energy of a solve, put together from what was seen, the character's channels and what is expected of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name, region_of
from .channel_priors import ChannelPriors, prior_mean
from .frames import SeenFrames
from .minimise import Terms
from .model import MM
from .prior import Expectation

ROBUST_MM = 6.0
OBSERVED_MM = 0.4
"""A key that moves no landmark of a life-size head by this much cannot be seen in the landmarks."""
_HABIT_LIMIT, _HABIT_SMOOTH = 4.0, 1.0


def channels_not_observed(channels: tuple[str, ...], deltas: NDArray[np.float32]) -> tuple[str, ...]:
    """Channels that the landmarks cannot show: those that move none of them, and the tongue.

    Args:
        channels: K names.  deltas: (K, L, 3) float32 m, head space, life size.
    """
    reach = np.linalg.norm(deltas, axis=2).max(1) * MM
    return tuple(
        c
        for c, r in zip(channels, reach, strict=True)
        if r < OBSERVED_MM or (arkit_name(c) is not None and region_of(str(arkit_name(c))) == "tongue")
    )


def energy_of(
    rig: BlendshapeRig,
    priors: ChannelPriors,
    seen: SeenFrames,
    expectation: Expectation | None,
    not_observed: tuple[str, ...],
) -> Terms:
    """Terms of all seen frames; `observed` in pixels from the principal point.

    Args:
        expectation: what the expression prior says, or None.  not_observed: channels held at rest.
    """
    low, high = rig.ranges.astype(np.float64).T.copy()
    for channel in not_observed:
        k = rig.channels.index(channel)
        low[k] = high[k] = 0.0
    expected = expectation.weights if expectation is not None else None
    return Terms(
        observed=seen.centred_px,
        weight=seen.weight,
        robust_mm=ROBUST_MM,
        prior_mean=prior_mean(priors, expected, len(seen.rows), low, high),
        prior_precision=priors.precision,
        sparsity=priors.sparsity,
        opposed=priors.opposed,
        opposed_weight=priors.opposed_weight,
        low=low,
        high=high,
        time_s=seen.time_s,
        smooth=priors.smooth,
    )


def with_habits(terms: Terms, count: int) -> Terms:
    """Terms with `count` more unknowns per frame: how far the network errs along each of its habits, in deviations."""
    if count == 0:
        return terms
    known = len(terms.low)
    precision = np.eye(known + count)
    precision[:known, :known] = terms.prior_precision
    return replace(
        terms,
        prior_mean=np.pad(terms.prior_mean, ((0, 0), (0, count))),
        prior_precision=precision,
        sparsity=np.pad(terms.sparsity, (0, count)),
        low=np.pad(terms.low, (0, count), constant_values=-_HABIT_LIMIT),
        high=np.pad(terms.high, (0, count), constant_values=_HABIT_LIMIT),
        smooth=np.pad(terms.smooth, (0, count), constant_values=_HABIT_SMOOTH),
    )
