"""What is expected of a take's weights before looking at renders: the expression prior's answer to its landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...landmarks.observations import Observations
from ...takes.take import STATUS_SOLVED, Take
from ..channel_priors import channel_priors, prior_mean
from ..prior import find_expectation, load_prior

F64 = NDArray[np.float64]


def expected_weights(take: Take, observations: Observations, ranges: NDArray[np.float32], trust: float) -> F64:
    """(F, K) float64: what the prior says of each solved frame; the take's own weights where it has nothing to say.

    Args:
        observations: of the take's frames.  ranges: (K, 2) of the keys.  trust: in the prior; 0 leaves it out.
    """
    out = take.weights.astype(np.float64)
    rows = np.flatnonzero(take.status == STATUS_SOLVED)
    if trust <= 0 or observations.scheme != "mediapipe-478" or not len(rows):
        return out
    trained = load_prior()
    found = find_expectation(trained, observations.landmarks_px, observations.depth_px, rows, None)
    low, high = ranges.astype(np.float64).T.copy()
    for channel in take.not_observed:
        k = take.channels.index(channel)
        low[k] = high[k] = 0.0
    priors = channel_priors(take.channels, trained, trust, 1.0)
    out[rows] = prior_mean(priors, found.weights, len(rows), low, high)
    return out
