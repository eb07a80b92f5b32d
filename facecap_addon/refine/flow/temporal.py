"""Temporal refinement: neighbouring frames made consistent (Bao et al. section 7 and appendix A).

plate flow   the render flows from frame to frame as the footage does;
self flow    the render flows from this frame to the next as it did from the last one to this;
averaging    three frames weighted ¼, ½, ¼, rotations by Markley's mean;
hybrid       averaging, then plate flow: consistent, and true to the footage.

A step of any of them takes every frame from its neighbours' values before the step (Jacobi), so frames are independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from threadpoolctl import threadpool_limits

from ...arrays import F64
from ..parallel import run_parallel
from ..render_mesh import RenderMesh
from ..state import DeepState, measure_offsets
from .flow_tracking import StatePrior, Targets, fit_to_targets, pose_precision
from .surface_points import ViewedPoints

METHODS = ("hybrid", "plate flow", "self flow", "averaging", "none")
_STEPS = 2
# How far a step may take a frame from where it is.
_TURN_RAD, _SHIFT_M = 0.01, 0.002
_LONGEST_STEP_S = 0.25
# What refining adds to a solve is averaged over about so long (a Gaussian's sigma).
_FAST_S, _SLOW_S, _HEAD_S = 0.04, 0.1, 0.16
_LEAST_SHARE = 1e-3
_ITERATIONS = 2
_CHUNK_FRAMES = 32


@dataclass(frozen=True)
class Motion:
    """How surface points move in the footage from each frame to the next.

    Attributes:
        displacement: (F - 1, P, 2) px, from where the render of the frame shows them.
        confidence: (F - 1, P) 0..1; all 0 where the next frame is not the next in time.
    """

    displacement: NDArray[np.float32]
    confidence: NDArray[np.float32]


def refine_in_time(
    viewed: ViewedPoints,
    state: DeepState,
    motion: Motion,
    good: NDArray[np.bool_],
    time_s: F64,
    precision: F64,
    *,
    method: str = "hybrid",
    smoothness: float = 1.0,
    workers: int | None = None,
    further: Sequence[tuple[ViewedPoints, Motion]] = (),
    on_frame: Callable[[int], None] | None = None,
) -> DeepState:
    """Make frames consistent with their neighbours.

    Args:
        viewed: by the camera of the footage.  state: of all F frames.  motion: of the footage.
        good: (F,) bool, frames that hold a result.  time_s: (F,).
        precision: (K, K), how far a step may take the weights.  method: one of METHODS.
        smoothness: how much neighbours count, 1 as measured, 0 not at all.  workers: see `run_parallel`.
        further: the same points by further cameras, and their motion there.
        on_frame: called with frames done; it may raise to cancel.
    """
    joined = _find_joined(good, time_s)
    if method == "none" or smoothness == 0 or len(time_s) < 3:
        return state
    if method in ("averaging", "hybrid"):
        state = average_neighbours(state, joined, smoothness)
    if method == "averaging":
        return state
    held_precision = pose_precision(viewed.mesh, precision, _TURN_RAD, _SHIFT_M) / smoothness
    for _ in range(_STEPS):
        sources = [(by, moved, _project_in_parts(by, state)) for by, moved in ((viewed, motion), *further)]
        after = state.part(slice(None))
        rows = np.flatnonzero(joined)

        def stepped(row: int, _poll: object, state: DeepState = state, sources: list[_Source] = sources) -> DeepState:
            one = state.part(np.array([row]))
            make = _make_self_targets if method == "self flow" else _make_footage_targets
            targets = [target for source in sources for target in make(*source, row)]
            return fit_to_targets(viewed.mesh, one, targets, StatePrior(one, held_precision), _ITERATIONS)

        with threadpool_limits(1, user_api="blas"):
            for done, (row, found) in enumerate(run_parallel(stepped, rows.tolist(), workers=workers)):
                if on_frame is not None:
                    on_frame(done)
                after.put(np.array([row]), found)
        state = after
    return state


def average_neighbours(state: DeepState, joined: NDArray[np.bool_], smoothness: float = 1.0) -> DeepState:
    """Every joined frame as the mean of three, itself counting half; rotations by Markley's mean.

    Args:
        smoothness: how much the other two count, 1 as said, 0 not at all, at most as much as the frame itself.
    """
    out = state.part(slice(None))
    rows = np.flatnonzero(joined)
    triple = np.stack([rows - 1, rows, rows + 1])
    middle = max(1 / (1 + smoothness), 1 / 3)
    shares = np.array([(1 - middle) / 2, middle, (1 - middle) / 2])
    out.rotation[rows] = average_rotations(state.rotation[triple], shares)
    for name in ("translation", "weights", "jaw"):
        getattr(out, name)[rows] = np.einsum("s,sfk->fk", shares, getattr(state, name)[triple])
    return out


def smooth_corrections(
    mesh: RenderMesh,
    start: DeepState,
    state: DeepState,
    good: NDArray[np.bool_],
    time_s: F64,
    slow: NDArray[np.bool_],
    smoothness: float = 1.0,
) -> DeepState:
    """The state with what it differs by from its start smoothed in time, head and brows more than lips and lids.

    A solve is smooth in time already, and what is fast in it, a blink or a plosive, stays as fast as it was. What a
    network sees differently from one frame to the next is mostly its noise.

    Args:
        start, state: of all F frames.  good: (F,) bool, frames that hold a result.  time_s: (F,).
        slow: (K,) bool, keys that move slowly, see `schedule.moves_slowly`.
        smoothness: as a factor on the weight of bends, as in a solve: its fourth root lengthens the mean.
    """
    if smoothness == 0:
        return state
    rows = np.flatnonzero(good)
    step = measure_offsets(state.part(rows), start.part(rows), mesh)
    sigma_s = np.full(step.shape[1], _FAST_S)
    sigma_s[:6] = _HEAD_S
    sigma_s[6 : 6 + len(slow)][slow] = _SLOW_S
    sigma_s *= smoothness**0.25
    mean = np.empty_like(step)
    for one in np.unique(sigma_s):
        mean[:, sigma_s == one] = mean_in_time(step[:, sigma_s == one], time_s[rows], one)
    out = state.part(slice(None))
    out.put(rows, start.part(rows).with_step(mean, mesh))
    return out


def mean_in_time(values: F64, time_s: F64, sigma_s: float) -> F64:
    """(N, D) means of values (N, D) at times (N,), ascending, under a Gaussian in time; none reaches across a hole."""
    count = len(time_s)
    piece = np.concatenate([[0], np.cumsum(np.diff(time_s) > _LONGEST_STEP_S)]) if count else np.zeros(0)
    total, weight = np.zeros_like(values), np.zeros(count)
    for offset in range(count):
        there = np.arange(count - offset)
        apart_s = time_s[offset:] - time_s[: count - offset]
        share = np.where(piece[offset:] == piece[: count - offset], np.exp(-0.5 * (apart_s / sigma_s) ** 2), 0.0)
        if share.max() < _LEAST_SHARE:
            break
        for mine, other in {(0, offset), (offset, 0)}:
            total[there + mine] += share[:, None] * values[there + other]
            weight[there + mine] += share
    return total / weight[:, None]


def average_rotations(rotations: F64, shares: F64) -> F64:
    """The weighted mean of rotations: the eigenvector of Σ s q qᵀ with the largest eigenvalue.

    Markley, Cheng, Crassidis and Oshman, "Averaging Quaternions", 2007.

    Args:
        rotations: (S, F, 3, 3).  shares: (S,).
    Returns:
        (F, 3, 3).
    """
    count, frames = rotations.shape[:2]
    if not frames:
        return rotations[0]
    quaternion = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat().reshape(count, frames, 4)
    moment = np.einsum("s,sfi,sfj->fij", shares, quaternion, quaternion)
    return Rotation.from_quat(np.linalg.eigh(moment)[1][..., -1]).as_matrix()


def _project_in_parts(viewed: ViewedPoints, state: DeepState) -> F64:
    """(F, P, 2) px, a few frames at a time."""
    firsts = range(0, len(state.weights), _CHUNK_FRAMES)
    return np.concatenate([viewed.project(state.part(slice(first, first + _CHUNK_FRAMES)))[0] for first in firsts])


def _find_joined(good: NDArray[np.bool_], time_s: F64) -> NDArray[np.bool_]:
    """(F,) frames that have a good frame close before and close after them."""
    out = np.zeros(len(good), bool)
    near = np.diff(time_s) <= _LONGEST_STEP_S
    out[1:-1] = good[1:-1] & good[:-2] & good[2:] & near[:-1] & near[1:]
    return out


_Source = tuple[ViewedPoints, Motion, F64]


def _make_footage_targets(viewed: ViewedPoints, motion: Motion, places: F64, row: int) -> list[Targets]:
    before, after = motion.displacement[row - 1], motion.displacement[row]
    return [
        Targets(viewed, places[row - 1] + before, motion.confidence[row - 1].astype(np.float64)),
        Targets(viewed, places[row + 1] - after, motion.confidence[row].astype(np.float64)),
    ]


def _make_self_targets(viewed: ViewedPoints, _motion: Motion, places: F64, row: int) -> list[Targets]:
    return [Targets(viewed, 0.5 * (places[row - 1] + places[row + 1]), np.full(places.shape[1], 2.0))]
