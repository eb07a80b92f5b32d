"""Projected Levenberg-Marquardt on the deep energies, all frames of a chunk side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64, Bools
from .energies.deep_energy import Comparison, DeepEnergy, EnergyWeights
from .state import DeepState, find_fixed_weights

_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-2, 1e-4, 1e4
_TRIALS = 2
_NEAREST_M = 0.02


@dataclass
class Minimised:
    """Where a stage ended.

    Attributes:
        state: with the lowest energy found.  compared: there.
        matrix, gradient: (N, U, U), (N, U): the last normal equations.
    """

    state: DeepState
    compared: Comparison
    matrix: F64
    gradient: F64


def minimise(
    energy: DeepEnergy,
    state: DeepState,
    parts: EnergyWeights,
    free: Bools,
    iterations: int,
    on_step: Callable[[], None] | None = None,
) -> Minimised:
    """Lower the energy of every frame.

    Bounds are kept by an active set: a weight at its bound whose gradient points outward is fixed for the step; steps
    are clipped to the bounds. Each frame has its own damping; a step that does not lower its energy is taken back and
    tried shorter, with the same derivatives, which cost most.

    Args:
        energy: of N frames.  state: the start.  parts: what is minimised.  free: (U,) unknowns that may move.
        iterations: most linearisations.  on_step: called before each; it may raise to cancel.
    """
    count, unknowns = len(state.weights), energy.mesh.unknowns
    state = state.part(slice(None))
    compared = energy.compare(state, parts)
    damping = np.full(count, _FIRST_DAMPING)
    matrix, gradient = np.zeros((count, unknowns, unknowns)), np.zeros((count, unknowns))
    active = np.arange(count)
    for _ in range(iterations):
        if on_step is not None:
            on_step()
        whole = len(active) == count
        some = energy if whole else energy.part(active)
        matrix[active], gradient[active] = some.normal_equations(state.part(active), compared.part(active), parts, free)
        waiting = active
        improved = np.zeros(count, bool)
        for _ in range(_TRIALS):
            step = _solve_steps(energy, state, matrix, gradient, damping, free, waiting)
            candidate = state.part(waiting).with_step(step, energy.mesh)
            part = energy if len(waiting) == count else energy.part(waiting)
            found = part.compare(candidate, parts)
            better = (found.energy < compared.energy[waiting]) & (candidate.translation[:, 2] > _NEAREST_M)
            rows = waiting[better]
            state.put(rows, candidate.part(better))
            _put(compared, rows, found.part(np.flatnonzero(better)))
            damping[rows] = np.maximum(damping[rows] * 0.2, _LEAST_DAMPING)
            improved[rows] = True
            waiting = waiting[~better]
            damping[waiting] = np.minimum(damping[waiting] * 8, _MOST_DAMPING)
            if not len(waiting):
                break
        # A frame that no step improved has arrived, as far as these derivatives can tell.
        active = active[improved[active]]
        if not len(active):
            break
    return Minimised(state, compared, matrix, gradient)


def _solve_steps(
    energy: DeepEnergy,
    state: DeepState,
    matrix: F64,
    gradient: F64,
    damping: F64,
    free: Bools,
    frames: NDArray[np.intp],
) -> F64:
    """(n, U) damped Gauss-Newton steps of some frames."""
    fixed = find_fixed_weights(state.part(frames), gradient[frames], energy.mesh) | ~free
    system = matrix[frames] * (~fixed[:, :, None] & ~fixed[:, None, :])
    at = np.arange(system.shape[1])
    diagonal = matrix[frames][:, at, at] * (1 + damping[frames, None]) + 1e-9
    system[:, at, at] = np.where(fixed, 1.0, diagonal)
    return np.linalg.solve(system, np.where(fixed, 0.0, -gradient[frames])[..., None])[..., 0]


def _put(compared: Comparison, rows: NDArray[np.intp], found: Comparison) -> None:
    compared.energy[rows], compared.landmark_mm[rows] = found.energy, found.landmark_mm
    for row, picture in zip(rows, found.picture, strict=True):
        compared.picture[row] = picture
