"""What is expected of a take's weights before looking at renders: the expression prior's answer to its landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...fit.energies.expression_prior import ExpressionPrior, find_expectation
from ...fit.energies.weight_priors import ChannelPriors, prior_mean
from ...landmarks.observations import Observations
from ...takes.take import STATUS_SOLVED, Take


def expected_weights(
    take: Take,
    observations: Observations,
    ranges: NDArray[np.float32],
    trained: ExpressionPrior | None,
    priors: ChannelPriors,
) -> F64:
    """(F, K) float64: what the prior says of each solved frame; the take's own weights where it has nothing to say.

    Args:
        observations: of the take's frames.  ranges: (K, 2) of the keys.
        trained: the trained prior; None leaves it out.  priors: what it says of the take's channels.
    """
    out = take.weights.astype(np.float64)
    rows = np.flatnonzero(take.status == STATUS_SOLVED)
    if trained is None or not len(rows):
        return out
    found = find_expectation(trained, observations.landmarks_px, observations.depth_px, rows, None)
    low, high = ranges.astype(np.float64).T.copy()
    for channel in take.not_observed:
        k = take.channels.index(channel)
        low[k] = high[k] = 0.0
    out[rows] = prior_mean(priors, found.weights, len(rows), low, high)
    return out
