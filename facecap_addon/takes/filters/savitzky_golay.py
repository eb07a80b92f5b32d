"""Savitzky-Golay: each value replaced by that of a polynomial through its neighbours (FACEGOOD 2021, equations 5 to 8).

The fit uses the frames' real times, so that it is right where they do not follow each other evenly; on even ones it is
the classical filter.
"""

from __future__ import annotations

import numpy as np

from ...arrays import F64


def savitzky_golay(time_s: F64, values: F64, radius: int, order: int) -> F64:
    """Curves through polynomials of windows of 2 radius + 1 frames; at both ends the window stays inside.

    Args:
        time_s: (F,).  values: (F, D).  radius: frames on each side.  order: of the polynomial, below the window.
    Returns:
        (F, D).
    """
    window = min(2 * radius + 1, len(values))
    if radius < 1 or window <= order:
        return values.astype(np.float64)
    first = np.clip(np.arange(len(values)) - window // 2, 0, len(values) - window)
    rows = first[:, None] + np.arange(window)
    weights = fit_weights(time_s[rows] - time_s[:, None], order)
    return np.einsum("fw,fwd->fd", weights, values[rows])


def fit_weights(offset_s: F64, order: int) -> F64:
    """What each neighbour contributes to the polynomial's value at offset 0.

    Args:
        offset_s: (F, W) times of neighbours from where the value is wanted.
    Returns:
        (F, W); the first row of (HᵀH)⁻¹Hᵀ, H with powers of the offset (equation 7).
    """
    scale = np.abs(offset_s).max(1, keepdims=True)
    design = (offset_s / np.where(scale > 0, scale, 1))[..., None] ** np.arange(order + 1)
    products = design.transpose(0, 2, 1) @ design
    first = np.zeros((*products.shape[:2], 1))
    first[:, 0] = 1.0
    return (design @ np.linalg.solve(products, first))[..., 0]
