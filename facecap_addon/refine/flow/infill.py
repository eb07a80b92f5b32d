"""Frames whose detection failed, solved by optical flow from the good frames on both sides (Bao et al. section 6).

First forward from the frame before the gap, each frame from the one before it; then backward from the frame after it.
What the two say is then made one: all frames of the gap together, so that the flow of the render agrees with that of
the footage between every two neighbours, both good frames included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ...arrays import F64
from ...fit.banded import second_difference
from ...fit.levenberg_marquardt import relative_turns
from ..state import DeepState
from .flow_tracking import (
    StatePrior,
    Targets,
    fit_to_targets,
    flow_confidence,
    measure_offsets,
    pose_precision,
    robust_weights,
)
from .optical_flow import FacePair, FootageFlow
from .surface_points import ViewedPoints

ROUNDS = 2
_FIRST_ITERATIONS, _JOINT_ITERATIONS = 3, 3
# A frame of a gap may be this far from where interpolation puts it.
_TURN_RAD, _SHIFT_M, _WEAKER = 0.3, 0.05, 0.1
# Landmarks jump more from frame to frame than heads do: without them motion is smoother by this factor.
_SMOOTHER = 4.0


def gaps_of(bad: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last row of every run of bad frames that has a good frame on both sides."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
    runs = [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [(first, last) for first, last in runs if first > 0 and last < len(bad) - 1]


def interpolate_gap(state: DeepState, before: int, after: int, time_s: F64) -> DeepState:
    """Frames between two good ones: weights and translation linearly, rotation spherically.

    Args:
        state: of all frames.  before, after: rows of the good ones.  time_s: (F,).
    Returns:
        The state of rows before + 1 to after - 1.
    """
    inner = np.arange(before + 1, after)
    share = ((time_s[inner] - time_s[before]) / (time_s[after] - time_s[before]))[:, None]
    turn = Slerp([0.0, 1.0], Rotation.from_matrix(state.rotation[[before, after]]))(share[:, 0]).as_matrix()

    def between(values: F64) -> F64:
        return values[before] * (1 - share) + values[after] * share

    return DeepState(turn, between(state.translation), between(state.weights), between(state.jaw))


def infill(
    viewed: ViewedPoints,
    footage: FootageFlow,
    state: DeepState,
    gap: tuple[int, int],
    time_s: F64,
    precision: F64,
    smooth: F64,
    on_frame: Callable[[], None] | None = None,
) -> DeepState:
    """Solve the frames of a gap.

    Args:
        viewed: by the camera of the footage.  footage: asked from the frame before the gap to the frame after it.
        state: of all frames; the frames before and after the gap are good.  gap: its first and last row.
        time_s: (F,).  precision: (K, K), how far weights may be from interpolation.
        smooth: (6 + K,) weight of the squared second difference in time of each unknown, the frames on both sides
            of the gap included: what flow does not show goes on as it moved.
        on_frame: called before each frame; it may raise to cancel.
    Returns:
        The state of the gap's frames.
    """
    before, after = gap[0] - 1, gap[1] + 1
    guess = interpolate_gap(state, before, after, time_s)
    held_precision = pose_precision(viewed.mesh, precision * _WEAKER, _TURN_RAD, _SHIFT_M)
    chain = _Chain(viewed, footage, before)
    ahead, back = range(before + 1, after), range(after - 1, before, -1)
    forward = _sweep(chain, state, before, guess, held_precision, ahead, on_frame)
    backward = _sweep(chain, state, after, guess, held_precision, back, on_frame)
    found = _blend(forward, backward)
    ends = [state.part(np.array([row])) for row in (before, after)]
    bend = _Bend(state, before, after, time_s, smooth)
    for _ in range(ROUNDS):
        found = _solve_jointly(chain, ends, found, guess, held_precision, bend, on_frame)
    return found


class _Chain:
    """The frames of a gap and the flow between neighbours, found when first asked for."""

    def __init__(self, viewed: ViewedPoints, footage: FootageFlow, before: int) -> None:
        self.viewed, self.before, self._footage = viewed, before, footage
        self._pairs: dict[tuple[int, int], FacePair] = {}

    def targets(self, source: int, target: int, state: DeepState) -> Targets:
        """Where the points of a solved frame (one-frame state) are seen in its neighbour, as the footage flows."""
        places, _ = self.viewed.project(state)
        if (source, target) not in self._pairs:
            self._pairs[source, target] = self._footage.pair(source, target, places[0])
        motion, comes_back = self._pairs[source, target].at(places[0])
        return Targets(places[0] + motion, flow_confidence(comes_back, self.viewed.find_visible(state)))


def _sweep(
    chain: _Chain,
    state: DeepState,
    anchor: int,
    guess: DeepState,
    precision: F64,
    rows: Sequence[int],
    on_frame: Callable[[], None] | None,
) -> list[DeepState]:
    """Each frame from its neighbour, in the order of `rows`, from a good frame on; returns them in that order."""
    present, last, out = state.part(np.array([anchor])), anchor, []
    for row in rows:
        if on_frame is not None:
            on_frame()
        prior = StatePrior(guess.part(np.array([row - chain.before - 1])), precision)
        targets = chain.targets(last, row, present)
        present = fit_to_targets(chain.viewed, present, [targets], prior, _FIRST_ITERATIONS)
        out.append(present)
        last = row
    return out


def _blend(forward: list[DeepState], backward: list[DeepState]) -> DeepState:
    """Each frame between what came from before and what came from after, by its distance from either."""
    count = len(forward)
    share = (np.arange(count) + 1) / (count + 1)
    backward = backward[::-1]
    a, b = (_concatenate(part) for part in (forward, backward))
    turn = Rotation.from_matrix(b.rotation @ a.rotation.transpose(0, 2, 1)).as_rotvec()
    rotation = Rotation.from_rotvec(turn * share[:, None]).as_matrix() @ a.rotation

    def between(x: F64, y: F64) -> F64:
        return x * (1 - share[:, None]) + y * share[:, None]

    return DeepState(
        rotation, between(a.translation, b.translation), between(a.weights, b.weights), between(a.jaw, b.jaw)
    )


def _concatenate(parts: Sequence[DeepState]) -> DeepState:
    names = ("rotation", "translation", "weights", "jaw")
    return DeepState(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class _Bend:
    """Second differences in time of a gap's unknowns and of the good frames on both sides."""

    def __init__(self, state: DeepState, before: int, after: int, time_s: F64, smooth: F64) -> None:
        first, last = max(before - 1, 0), min(after + 1, len(time_s) - 1)
        self._ends = state.part(np.arange(first, before + 1)), state.part(np.arange(after, last + 1))
        rows = second_difference(time_s[first : last + 1])
        self._table = np.zeros((len(rows), last - first + 1))
        for i, row in enumerate(rows):
            self._table[i, i : i + 3] = row
        self._gap = slice(before + 1 - first, after - first)
        self._smooth = _SMOOTHER * smooth

    def add(self, matrix: F64, gradient: F64, found: DeepState) -> None:
        """Add to the normal equations of all frames of the gap, frame after frame."""
        whole = _concatenate([self._ends[0], found, self._ends[1]])
        values = np.concatenate([relative_turns(whole.rotation), whole.translation, whole.weights], 1)
        inner = self._table[:, self._gap]
        count, many = inner.shape[1], values.shape[1]
        size = len(gradient) // count
        pull = inner.T @ (self._table @ values) * self._smooth
        stiff = inner.T @ inner
        for u in range(many):
            at = np.arange(count) * size + u
            matrix[np.ix_(at, at)] += self._smooth[u] * stiff
            gradient[at] += pull[:, u]


def _solve_jointly(
    chain: _Chain,
    ends: list[DeepState],
    found: DeepState,
    guess: DeepState,
    precision: F64,
    bend: _Bend,
    on_frame: Callable[[], None] | None,
) -> DeepState:
    """Gauss-Newton over all frames of the gap: block-tridiagonal, as a frame meets its two neighbours only."""
    viewed, mesh = chain.viewed, chain.viewed.mesh
    count, size = len(found.weights), mesh.unknowns
    motions = []  # of each neighbouring pair: displacement and confidence, at the present places
    for i in range(count + 1):
        if on_frame is not None:
            on_frame()
        source = ends[0] if i == 0 else found.part(np.array([i - 1]))
        row = chain.before + i
        targets = chain.targets(row, row + 1, source)
        motions.append((targets.places - viewed.project(source)[0][0], targets.confidence))
    for _ in range(_JOINT_ITERATIONS):
        everyone = _concatenate([ends[0], found, ends[1]])
        places, depth = viewed.project(everyone)
        mm = float(np.median(depth)) / viewed.view.camera.focal_px * 1000
        by_unknown = [viewed.differentiate(found.part(np.array([i]))) * mm for i in range(count)]
        matrix, gradient = np.zeros((count * size, count * size)), np.zeros(count * size)
        off = measure_offsets(found, guess, mesh)
        for i in range(count):
            at = slice(i * size, (i + 1) * size)
            matrix[at, at] += precision
            gradient[at] += precision @ off[i]
        bend.add(matrix, gradient, found)
        for i, (motion, confidence) in enumerate(motions):
            away = (places[i + 1] - places[i] - motion) * mm
            weight = (confidence * robust_weights(away))[:, None, None]
            neighbours = [(j, sign) for j, sign in ((i - 1, -1.0), (i, 1.0)) if 0 <= j < count]
            for j, sign in neighbours:
                a = slice(j * size, (j + 1) * size)
                gradient[a] += sign * ((by_unknown[j] * weight).reshape(-1, size).T @ away.reshape(-1))
                for k, other in neighbours:
                    b = slice(k * size, (k + 1) * size)
                    matrix[a, b] += (
                        sign * other * (by_unknown[j] * weight).reshape(-1, size).T @ by_unknown[k].reshape(-1, size)
                    )
        step = np.linalg.solve(matrix + 1e-9 * np.eye(len(matrix)), -gradient).reshape(count, size)
        found = found.with_step(step, mesh)
    return found
