"""Styles: what sets one way of showing an expression apart from another."""

from __future__ import annotations

import numpy as np

from ...arrays import F32

_MIXED, _EVENNESS = 3, 0.5


def draw_style(styles: F32, random: np.random.Generator, variation: float = 1.0) -> F32:
    """A new style among those learned: mixed of three of them, mostly of one.

    Args:
        styles: (N, S) float32, those learned.
        variation: how far from their mean it goes; 1: as far as the mixture.
    Returns:
        (S,) float32.
    """
    chosen = styles[random.integers(len(styles), size=_MIXED)]
    shares = random.dirichlet(np.full(_MIXED, _EVENNESS))
    mean = styles.mean(axis=0)
    return (mean + variation * (shares @ chosen - mean)).astype(np.float32)
