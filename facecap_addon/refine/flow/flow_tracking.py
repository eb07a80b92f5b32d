"""Solve frames so that points of the face move in the render as they move in the footage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ..render_mesh import RenderMesh
from ..state import DeepState, find_fixed_weights, measure_offsets
from .surface_points import ViewedPoints

# Error of a point's flow on the face, how many neighbours err together, and from where on a point is an outlier.
_ERROR_MM, _CORRELATION, _ROBUST_MM = 0.5, 25.0, 2.0
_COMES_BACK_PX = 1.5


@dataclass(frozen=True)
class Targets:
    """Where surface points of one frame should be seen.

    Attributes:
        viewed: the points, by a camera.  places: (P, 2) px.  confidence: (P,) 0..1.
    """

    viewed: ViewedPoints
    places: F64
    confidence: F64


@dataclass(frozen=True)
class StatePrior:
    """What a frame is held to besides flow.

    Attributes:
        state: of one frame.
        precision: (U, U) of pose (rad, m), weights and jaw about that state.
    """

    state: DeepState
    precision: F64


def flow_confidence(comes_back_px: F64, seen: NDArray[np.bool_]) -> F64:
    """(P,) 0..1: surface points that are seen, and whose flow leads there and back."""
    return seen / (1 + (comes_back_px / _COMES_BACK_PX) ** 2) ** 2


def fit_to_targets(
    mesh: RenderMesh, state: DeepState, targets: list[Targets], prior: StatePrior, iterations: int
) -> DeepState:
    """One frame's unknowns such that its surface points are seen at their targets: robust Gauss-Newton.

    Args:
        state: of one frame, the start.  targets: one set per neighbour and camera.  prior: what else holds it.
    """
    for _ in range(iterations):
        matrix, gradient = flow_equations(state, targets, mesh.unknowns)
        off = measure_offsets(state, prior.state, mesh)[0]
        matrix += prior.precision
        gradient += prior.precision @ off
        state = state.with_step(solve_bounded_step(matrix, gradient, state, mesh)[None], mesh)
    return state


def flow_equations(state: DeepState, targets: list[Targets], unknowns: int) -> tuple[F64, F64]:
    """JᵀWJ (U, U) and JᵀWr (U,) of one frame's surface points against their targets, in millimetres at the face."""
    matrix, gradient = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
    for viewed in {id(target.viewed): target.viewed for target in targets}.values():
        places, depth = viewed.project(state)
        mm = float(np.median(depth)) / viewed.view.camera.focal_px * 1000
        by_unknown = viewed.differentiate(state) * mm
        for target in targets:
            if target.viewed is not viewed:
                continue
            away = (places[0] - target.places) * mm
            weight = target.confidence * robust_weights(away)
            weighted = (by_unknown * weight[:, None, None]).reshape(-1, unknowns)
            matrix += weighted.T @ by_unknown.reshape(-1, unknowns)
            gradient += weighted.T @ away.reshape(-1)
    return matrix, gradient


def robust_weights(away_mm: F64) -> F64:
    """(P,) 1/mm²: weights of flow residuals (P, 2), Geman and McClure's."""
    return 1 / (_ERROR_MM**2 * _CORRELATION) / (1 + (away_mm**2).sum(-1) / _ROBUST_MM**2) ** 2


def solve_bounded_step(matrix: F64, gradient: F64, state: DeepState, mesh: RenderMesh) -> F64:
    """(U,) Newton step of one frame; weights that press against a bound are fixed."""
    free = np.flatnonzero(~find_fixed_weights(state, gradient[None], mesh)[0])
    step = np.zeros(len(gradient))
    step[free] = np.linalg.solve(matrix[np.ix_(free, free)] + 1e-9 * np.eye(len(free)), -gradient[free])
    return step


def pose_precision(mesh: RenderMesh, keys: F64, turn_rad: float, shift_m: float, jaw: float = 1e6) -> F64:
    """(U, U): a prior of pose within `turn_rad` and `shift_m`, of weights with precision `keys` (K, K)."""
    count = len(mesh.channels)
    out = np.zeros((mesh.unknowns, mesh.unknowns))
    out[[0, 1, 2], [0, 1, 2]] = 1 / turn_rad**2
    out[[3, 4, 5], [3, 4, 5]] = 1 / shift_m**2
    out[6 : 6 + count, 6 : 6 + count] = keys
    rest = np.arange(6 + count, mesh.unknowns)
    out[rest, rest] = jaw
    return out
