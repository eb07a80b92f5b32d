"""Which channels footage settles, and which are inferred from what usually goes with the others."""

from __future__ import annotations

import numpy as np

from ..arrays import F64
from .least_squares.levenberg_marquardt import Terms, linearise
from .least_squares.normal_equations import POSE, Geometry, State

SEEN = 0.5
"""A channel is seen where the footage takes at least this share of the variance that its weight has among people."""


def share_settled(geometry: Geometry, state: State, terms: Terms, variance: F64) -> F64:
    """(K,) how much of each weight's variance the footage takes away, in the mean over frames.

    What is left is the posterior's variance, the inverse of the normal equations at the solution.

    Args:
        geometry: K channels, then error modes.  state, terms: of some solved frames.
        variance: (K,) of the weights before a face is looked at.
    """
    posterior = np.linalg.inv(linearise(geometry, state, terms).matrix)
    left = np.diagonal(posterior, axis1=1, axis2=2)[:, POSE : POSE + len(variance)].mean(0)
    return 1 - left / np.maximum(variance, 1e-6)
