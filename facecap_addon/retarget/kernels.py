"""Radial basis functions: how the pull of a landmark fades with distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import F64


def _gaussian(squared: F64, sigma: float) -> F64:
    return np.exp(squared * (-0.5 / sigma**2))


def _gaussian_printed(squared: F64, sigma: float) -> F64:
    return np.exp(np.sqrt(squared) * (-0.5 / sigma**2))


def _thin_plate(squared: F64, sigma: float) -> F64:
    # r² log r = ½ r² log r²; zero at zero. Its scale only adds to what the polynomial takes up.
    return 0.5 * squared * np.log(np.maximum(squared, 1e-300))


def _multiquadric(squared: F64, sigma: float) -> F64:
    return -np.sqrt(1.0 + squared * (0.5 / sigma**2))


_FUNCTIONS: dict[str, Callable[[F64, float], F64]] = {
    "gaussian": _gaussian,
    "gaussian-printed": _gaussian_printed,
    "thin-plate": _thin_plate,
    "multiquadric": _multiquadric,
}


def kernel_values(kernel: str, squared: F64, sigma: float) -> F64:
    """φ at given distances.

    "gaussian" is exp(−r²/2σ²), "gaussian-printed" exp(−r/2σ²) as Seo and Luo print it under equation 4, "thin-plate"
    r² log r, "multiquadric" −√(1 + r²/2σ²). The printed form is the exponential kernel; its σ is the root of a length,
    so it depends on the unit, which `fit_rbf` fixes to the spread of the landmarks. On the sample head's own keys it
    comes nearest to the truth, and never sends a vertex much further than its landmarks.

    Args:
        kernel: one of KERNELS.  squared: float64, squared distances, unit²; may be overwritten.
        sigma: σ, in the same unit; "thin-plate" has none.
    Returns:
        float64 of the same shape.
    """
    return _FUNCTIONS[kernel](squared, sigma)


def squared_distances(points: F64, centres: F64) -> F64:
    """(V, C) float64 squared distances of points (V, D) from centres (C, D), unit²."""
    out = points @ (-2.0 * centres.T)
    out += np.einsum("vd,vd->v", points, points)[:, None]
    out += np.einsum("cd,cd->c", centres, centres)
    return np.maximum(out, 0.0, out=out)
