"""Projected Levenberg-Marquardt: every frame for itself, then all frames of a stretch together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.spatial.transform import Rotation

from ...arrays import F64
from .banded import second_difference, second_differences_of, solve_in_time
from .normal_equations import POSE, Geometry, NormalEquations, State, normal_equations, residuals_mm

Frames = slice | NDArray[np.intp]

_CHUNK = 64
"""Frames linearised at once: their planes stay in the processor's cache."""
THREADS = 2
_NEAREST_M = 0.02
_FAST_TURN, _FAST_IN_NOISE = np.radians(0.5), 2.0
"""What counts as a fast turn: rad per (1/30 s)^2, and in multiples of what noise does."""
_FIRST_DAMPING, _MOST_DAMPING = 1e-3, 1e6


@dataclass(frozen=True)
class Terms:
    """Everything that is minimised besides the geometry.

    Attributes:
        observed: (F, L, 2) float64, normalised image coordinates.
        weight: (F, L + G) float64, 1/mm^2, before the robust factor.
        shut: (F, G) float64 in 0..1, how surely lids are seen shut: those gaps want the character's own shut eye.
        robust_mm: residuals well above this lose their pull (Geman-McClure).
        prior_mean: (F, K) float64, the weights expected before looking at the landmarks.
        prior_precision: (K, K) float64, inverse covariance of that expectation.
        seen_mean, seen_precision: (F, K) float64, weights as pixels show them, and the inverse variance of that.
        sparsity: (K,) float64, linear cost of each weight: what is not needed stays at zero.
        opposed: (A, 2) int, channels that should not act together; their product is penalised.
        opposed_weight: weight of the squared product.
        within: (B, 2) int, channels that go no further than another does; the excess is penalised.
        within_weight: weight of the squared excess.
        low, high: (K,) float64, bounds.
        time_s: (F,) float64.
        smooth: (6 + K,) float64, weight of the squared second difference.
        held: (F, 6 + K) bool, unknowns that stay as they are.
    """

    observed: F64
    weight: F64
    shut: F64
    robust_mm: float
    prior_mean: F64
    prior_precision: F64
    seen_mean: F64
    seen_precision: F64
    sparsity: F64
    opposed: NDArray[np.intp]
    opposed_weight: float
    within: NDArray[np.intp]
    within_weight: float
    low: F64
    high: F64
    time_s: F64
    smooth: F64
    held: NDArray[np.bool_]

    def part(self, frames: Frames) -> Terms:
        """Terms of some frames."""
        return replace(
            self,
            observed=self.observed[frames],
            weight=self.weight[frames],
            shut=self.shut[frames],
            prior_mean=self.prior_mean[frames],
            seen_mean=self.seen_mean[frames],
            seen_precision=self.seen_precision[frames],
            time_s=self.time_s[frames],
            held=self.held[frames],
        )


def minimise_frames(
    geometry: Geometry, state: State, terms: Terms, iterations: int, on_iteration: Callable[[], None] | None = None
) -> tuple[State, NormalEquations]:
    """Minimise the energy of every frame for itself: smoothing in time is left out.

    Bounds are kept by an active set: a weight at its bound whose gradient points outward is fixed for the step
    (Bertsekas' projected Newton); steps are clipped to the bounds. Each frame has its own damping, raised whenever a
    step did not lower its energy, and the step is then taken back.

    Args:
        geometry: the character's landmarks.  state: the start, F frames.  terms: the energy.
        iterations: Gauss-Newton steps.  on_iteration: called before each step; it may raise to cancel.
    Returns:
        The state with the lowest energy found, and the normal equations there.
    """
    frames = len(state.weights)
    state = state.part(slice(None))
    equations = _empty_equations(frames, POSE + geometry.channel_count)

    def work(rows: slice) -> None:
        best, found = _minimise_chunk(geometry, state.part(rows), terms.part(rows), iterations, on_iteration)
        state.put(rows, best)
        equations.put(rows, found)

    _for_chunks(frames, work)
    return state, equations


def _minimise_chunk(
    geometry: Geometry, state: State, terms: Terms, iterations: int, on_iteration: Callable[[], None] | None
) -> tuple[State, NormalEquations]:
    best = _linearise_chunk(geometry, state, terms)
    damping = np.full(len(state.weights), _FIRST_DAMPING)
    diagonal = np.arange(best.matrix.shape[1])
    for _ in range(iterations):
        if on_iteration is not None:
            on_iteration()
        free = _free(best.gradient, state, terms)
        system = best.matrix * (free[:, :, None] & free[:, None, :])
        system[:, diagonal, diagonal] = np.where(
            free, best.matrix[:, diagonal, diagonal] * (1 + damping[:, None]) + 1e-9, 1.0
        )
        step = np.linalg.solve(system, np.where(free, -best.gradient, 0.0)[..., None])[..., 0]
        candidate = state.with_step(step, terms.low, terms.high)
        found = _linearise_chunk(geometry, candidate, terms)
        better = np.isfinite(found.energy) & (found.energy <= best.energy) & (candidate.translation[:, 2] > _NEAREST_M)
        damping = np.where(better, np.maximum(damping * 0.2, 1e-6), np.minimum(damping * 10, _MOST_DAMPING))
        if better.all():
            state, best = candidate, found
        else:
            state.put(better, candidate.part(better))
            best.put(better, found.part(better))
    return state, best


def minimise(
    geometry: Geometry,
    state: State,
    terms: Terms,
    iterations: int,
    *,
    start: NormalEquations | None = None,
    on_iteration: Callable[[], None] | None = None,
) -> State:
    """Minimise the energy of all frames together, smoothing in time included.

    Args: as `minimise_frames`.
        start: the normal equations at the start, if they are known.
    Returns:
        The state with the lowest energy found.
    """
    difference = second_difference(terms.time_s)
    smooth = spare_fast_turns(terms.smooth, second_differences_of(difference, _values(state)))
    damping = _FIRST_DAMPING
    here = linearise(geometry, state, terms) if start is None else start
    energy = float(here.energy.sum()) + _bend(difference, smooth, state)
    diagonal = np.arange(here.matrix.shape[1])
    for left in range(iterations - 1, -1, -1):
        if on_iteration is not None:
            on_iteration()
        free = _free(here.gradient, state, terms)
        matrix = here.matrix.copy()
        matrix[:, diagonal, diagonal] *= 1 + damping
        matrix[:, diagonal, diagonal] += 1e-9
        step = solve_in_time(matrix, here.gradient, difference, smooth, _values(state), free)
        candidate = state.with_step(step, terms.low, terms.high)
        found = linearise(geometry, candidate, terms) if left else None
        each = found.energy if found is not None else energies(geometry, candidate, terms)
        after = float(each.sum()) + _bend(difference, smooth, candidate)
        if not np.isfinite(after) or after > energy:
            damping *= 10
            continue
        small = energy - after < 1e-4 * max(energy, 1e-12)
        state, energy = candidate, after
        if small or found is None:
            break
        here = found
        damping = max(damping * 0.1, 1e-6)
    return state


def robust_factor(residual: F64, scale_mm: float) -> F64:
    """Geman-McClure weights (F, P) of residuals (F, P, 2), mm: 1 at zero, a quarter at `scale_mm`."""
    return 1.0 / (1.0 + (residual**2).sum(-1) / scale_mm**2) ** 2


def robust_loss(weight: F64, squared: F64, scale_mm: float) -> F64:
    """Geman-McClure's loss of squared residuals (F, P), mm^2, times their weights (F, P)."""
    return weight * squared / (1.0 + squared / scale_mm**2)


def linearise(geometry: Geometry, state: State, terms: Terms) -> NormalEquations:
    """Normal equations of every term but smoothing, at a state of F frames."""
    equations = _empty_equations(len(state.weights), POSE + geometry.channel_count)

    def work(rows: slice) -> None:
        equations.put(rows, _linearise_chunk(geometry, state.part(rows), terms.part(rows)))

    _for_chunks(len(state.weights), work)
    return equations


def energies(geometry: Geometry, state: State, terms: Terms) -> F64:
    """(F,) energy of every frame, smoothing left out."""
    residual = residuals_mm(geometry, state, terms.observed, _depth(state), terms.shut)
    loss = robust_loss(terms.weight, (residual**2).sum(-1), terms.robust_mm).sum(1)
    return 0.5 * loss + _prior_energies(state.weights, terms.prior_mean, terms)


def _linearise_chunk(geometry: Geometry, state: State, terms: Terms) -> NormalEquations:
    found = normal_equations(
        geometry, state, terms.observed, terms.weight, _depth(state), terms.robust_mm, shut=terms.shut
    )
    _add_priors(found, state.weights, terms.prior_mean, terms)
    return found


def _depth(state: State) -> F64:
    return np.maximum(state.translation[:, 2], _NEAREST_M)


def _empty_equations(frames: int, size: int) -> NormalEquations:
    return NormalEquations(np.empty((frames, size, size)), np.empty((frames, size)), np.empty(frames))


def _for_chunks(frames: int, work: Callable[[slice], None]) -> None:
    """Call `work` with slices of frames, a few at a time on threads (NumPy lets go of Python's lock in long loops)."""
    chunks = [slice(start, min(start + _CHUNK, frames)) for start in range(0, frames, _CHUNK)]
    if len(chunks) == 1:
        work(chunks[0])
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, chunks):
            pass


def _free(gradient: F64, state: State, terms: Terms) -> NDArray[np.bool_]:
    """(F, 6 + K) variables that may move: all but weights that press against a bound, and those that are held."""
    pull = gradient[:, POSE:]
    outward = ((state.weights <= terms.low) & (pull > 0)) | ((state.weights >= terms.high) & (pull < 0))
    outward |= terms.low == terms.high
    return np.concatenate([np.ones((len(outward), POSE), bool), ~outward], axis=1) & ~terms.held


def _values(state: State) -> F64:
    """What the smoothness sees: rotation vectors (unwrapped in time), translations, weights; (F, 6 + K)."""
    return np.concatenate([relative_turns(state.rotation), state.translation, state.weights], axis=1)


def relative_turns(rotation: F64) -> F64:
    """Rotation vectors in camera axes that accumulate the turn from frame to frame, (F, 3) rad.

    Their second differences are those of the rotation, wherever the head points, with no wrap at half a turn.
    """
    turns = np.zeros((rotation.shape[0], 3))
    if rotation.shape[0] > 1:
        between = Rotation.from_matrix(rotation[1:] @ rotation[:-1].transpose(0, 2, 1)).as_rotvec()
        turns[1:] = np.cumsum(between, axis=0)
    return turns


def spare_fast_turns(smooth: F64, bend: F64) -> F64:
    """(F - 2, 6 + K) weights of squared second differences, small where the head truly turns fast.

    A nod and noise of the landmarks both bend the head's path; but what noise bends one way it bends back at once:
    little of it is left in a mean over three frames, and the rest tells how much noise there is.

    Args:
        smooth: (6 + K,) float64, the weights for calm motion.
        bend: (F - 2, 6 + K) float64, second differences of the frames solved each for itself.
    """
    weights = np.tile(smooth, (len(bend), 1))
    if len(bend):
        turns = bend[:, :3]
        lasting = uniform_filter1d(turns, 3, axis=0, mode="nearest")
        noise = float(np.median(np.linalg.norm(turns - lasting, axis=1)))
        fast = max(_FAST_IN_NOISE * noise, _FAST_TURN)
        weights[:, :3] /= (1.0 + (lasting**2).sum(1, keepdims=True) / fast**2) ** 2
    return weights


def _bend(difference: F64, smooth: F64, state: State) -> float:
    return 0.5 * float((second_differences_of(difference, _values(state)) ** 2 * smooth).sum())


def _add_priors(found: NormalEquations, weights: F64, mean: F64, terms: Terms) -> None:
    """Add the prior, weights seen in pixels, sparsity and pairs of channels to data terms (in place)."""
    matrix, gradient = found.matrix, found.gradient
    matrix[:, POSE:, POSE:] += terms.prior_precision
    gradient[:, POSE:] += (weights - mean) @ terms.prior_precision + terms.sparsity
    diagonal = np.arange(POSE, matrix.shape[1])
    matrix[:, diagonal, diagonal] += terms.seen_precision
    gradient[:, POSE:] += (weights - terms.seen_mean) * terms.seen_precision
    found.energy += _prior_energies(weights, mean, terms)
    for a, b in terms.within:
        i, j, excess = a + POSE, b + POSE, np.maximum(weights[:, a] - weights[:, b], 0.0)
        pull, stiffness = terms.within_weight * excess, terms.within_weight * (excess > 0)
        gradient[:, i] += pull
        gradient[:, j] -= pull
        for row, column, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            matrix[:, row, column] += sign * stiffness
    if terms.opposed_weight == 0 or len(terms.opposed) == 0:
        return
    scale = terms.opposed_weight
    # a channel may stand in several pairs: accumulate pair by pair
    for a, b in terms.opposed:
        i, j, wa, wb = a + POSE, b + POSE, weights[:, a], weights[:, b]
        product = wa * wb
        gradient[:, i] += scale * product * wb
        gradient[:, j] += scale * product * wa
        matrix[:, i, i] += scale * wb**2
        matrix[:, j, j] += scale * wa**2
        matrix[:, i, j] += scale * product
        matrix[:, j, i] += scale * product


def _prior_energies(weights: F64, mean: F64, terms: Terms) -> F64:
    """(F,) energy of the prior, weights seen in pixels, sparsity and pairs of channels."""
    off = weights - mean
    energy = 0.5 * (off * (off @ terms.prior_precision)).sum(1) + weights @ terms.sparsity
    energy += 0.5 * (terms.seen_precision * (weights - terms.seen_mean) ** 2).sum(1)
    inner, outer = terms.within.T
    excess = np.maximum(weights[:, inner] - weights[:, outer], 0.0)
    energy += 0.5 * terms.within_weight * (excess**2).sum(1)
    a, b = terms.opposed.T
    return energy + 0.5 * terms.opposed_weight * ((weights[:, a] * weights[:, b]) ** 2).sum(1)
