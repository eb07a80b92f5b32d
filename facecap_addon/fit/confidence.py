"""How far each region of a solved frame can be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..takes.take import REGIONS
from .energies.landmark_terms import LandmarkTerms

GOOD_MM = 3.0
"""A region whose landmarks miss by this much on the face is trusted half."""


def region_confidence(
    residual_mm: NDArray[np.float64],
    landmark_confidence: NDArray[np.float32],
    presence: NDArray[np.float32],
    terms: LandmarkTerms,
) -> NDArray[np.float32]:
    """Confidence of each region: the network's own, times how well the fit explains what it saw.

    Args:
        residual_mm: (F, L) distances.  landmark_confidence: (F, L) 0..1.  presence: (F,) 0..1.
    Returns:
        (F, R) float32 in 0..1, in the order of REGIONS.
    """
    out = np.zeros((len(presence), len(REGIONS)), np.float32)
    for r, region in enumerate(REGIONS):
        members = terms.regions[region]
        miss = np.sqrt((residual_mm[:, members] ** 2).mean(1))
        explained = 1.0 / (1.0 + (miss / GOOD_MM) ** 2)
        out[:, r] = presence * landmark_confidence[:, members].mean(1) * explained
    return out
