"""Projected Levenberg-Marquardt over all frames of a stretch together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .banded import second_difference, second_differences_of, solve_in_time
from .model import POSE, Geometry, State, normal_equations, residuals_mm

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """Everything that is minimised besides the geometry.

    Attributes:
        observed: (F, L, 2) float64, normalised image coordinates.
        weight: (F, L + G) float64, 1/mm^2, before the robust factor.
        robust_mm: residuals well above this lose their pull (Geman-McClure).
        prior_mean: (F, K) float64, the weights expected before looking at the landmarks.
        prior_precision: (K, K) float64, inverse covariance of that expectation.
        sparsity: (K,) float64, linear cost of each weight: what is not needed stays at zero.
        opposed: (A, 2) int, channels that should not act together; their product is penalised.
        opposed_weight: weight of the squared product.
        low, high: (K,) float64, bounds.
        time_s: (F,) float64.
        smooth: (6 + K,) float64, weight of the squared second difference.
    """

    observed: F64
    weight: F64
    robust_mm: float
    prior_mean: F64
    prior_precision: F64
    sparsity: F64
    opposed: NDArray[np.intp]
    opposed_weight: float
    low: F64
    high: F64
    time_s: F64
    smooth: F64


def minimise(
    geometry: Geometry, state: State, terms: Terms, iterations: int, on_iteration: Callable[[], None] | None = None
) -> State:
    """Minimise the fit's energy from a start.

    Bounds are kept by an active set: a weight at its bound whose gradient points outward is held for the step
    (Bertsekas' projected Newton); steps are clipped to the bounds and damped until the energy falls.

    Args:
        geometry: the character's landmarks.  state: the start, F frames.  terms: the energy.
        iterations: most Gauss-Newton steps.  on_iteration: called before each step; it may raise to cancel.
    Returns:
        The state with the lowest energy found.
    """
    difference = second_difference(terms.time_s)
    damping = 1e-3
    for _ in range(iterations):
        if on_iteration is not None:
            on_iteration()
        depth = np.maximum(state.translation[:, 2], 0.05)
        robust = terms.weight * robust_factor(residuals_mm(geometry, state, terms.observed, depth), terms.robust_mm)
        equations = normal_equations(geometry, state, terms.observed, robust, depth)
        matrix, gradient = equations.matrix, equations.gradient
        _add_priors(matrix, gradient, state.weights, terms)
        before = _energy(geometry, state, terms, robust, depth, difference)
        outward = ((state.weights <= terms.low) & (gradient[:, POSE:] > 0)) | (
            (state.weights >= terms.high) & (gradient[:, POSE:] < 0)
        )
        free = np.concatenate([np.ones((len(outward), POSE), bool), ~outward], axis=1)
        values = _values(state)
        diagonal = np.arange(matrix.shape[1])
        plain = matrix[:, diagonal, diagonal].copy()
        improved = False
        for _attempt in range(5):
            matrix[:, diagonal, diagonal] = plain * (1 + damping) + 1e-9
            step = solve_in_time(matrix, gradient, difference, terms.smooth, values, free)
            candidate = state.moved(step, terms.low, terms.high)
            after = _energy(geometry, candidate, terms, robust, depth, difference)
            if np.isfinite(after) and after <= before:
                improved = True
                break
            damping *= 10
        if not improved:
            return state
        state = candidate
        damping = max(damping * 0.1, 1e-6)
        if before - after < 1e-4 * max(before, 1e-12):
            break
    return state


def robust_factor(residual: F64, scale_mm: float) -> F64:
    """Geman-McClure weights (F, P) of residuals (F, P, 2), mm: 1 at zero, a quarter at `scale_mm`."""
    return 1.0 / (1.0 + (residual**2).sum(-1) / scale_mm**2) ** 2


def _values(state: State) -> F64:
    """What the smoothness sees: rotation vectors (unwrapped in time), translations, weights; (F, 6 + K)."""
    return np.concatenate([relative_turns(state.rotation), state.translation, state.weights], axis=1)


def relative_turns(rotation: F64) -> F64:
    """Rotation vectors in camera axes that accumulate the turn from frame to frame, (F, 3) rad.

    Their second differences are those of the rotation, wherever the head points, with no wrap at half a turn.
    """
    turns = np.zeros((rotation.shape[0], 3))
    if rotation.shape[0] > 1:
        from scipy.spatial.transform import Rotation

        between = Rotation.from_matrix(rotation[1:] @ rotation[:-1].transpose(0, 2, 1)).as_rotvec()
        turns[1:] = np.cumsum(between, axis=0)
    return turns


def _add_priors(matrix: F64, gradient: F64, weights: F64, terms: Terms) -> None:
    matrix[:, POSE:, POSE:] += terms.prior_precision
    gradient[:, POSE:] += (weights - terms.prior_mean) @ terms.prior_precision + terms.sparsity
    if len(terms.opposed):
        a, b = terms.opposed.T
        wa, wb, scale = weights[:, a], weights[:, b], terms.opposed_weight
        # a channel may stand in several pairs: accumulate pair by pair
        for pair, (i, j) in enumerate(terms.opposed + POSE):
            product = wa[:, pair] * wb[:, pair]
            gradient[:, i] += scale * product * wb[:, pair]
            gradient[:, j] += scale * product * wa[:, pair]
            matrix[:, i, i] += scale * wb[:, pair] ** 2
            matrix[:, j, j] += scale * wa[:, pair] ** 2
            matrix[:, i, j] += scale * product
            matrix[:, j, i] += scale * product


def _energy(geometry: Geometry, state: State, terms: Terms, robust: F64, depth: F64, difference: F64) -> float:
    residual = residuals_mm(geometry, state, terms.observed, depth)
    data = 0.5 * float((robust[..., None] * residual**2).sum())
    off = state.weights - terms.prior_mean
    prior = 0.5 * float(((off @ terms.prior_precision) * off).sum()) + float((state.weights @ terms.sparsity).sum())
    opposed = 0.0
    if len(terms.opposed):
        products = state.weights[:, terms.opposed[:, 0]] * state.weights[:, terms.opposed[:, 1]]
        opposed = 0.5 * terms.opposed_weight * float((products**2).sum())
    bend = second_differences_of(difference, _values(state))
    return data + prior + opposed + 0.5 * float(((bend**2) @ terms.smooth).sum())
