"""Frames whose detection failed, solved by optical flow from the good frames on both sides (Bao et al. section 6).

First forward from the frame before the gap, each frame from the one before it; then backward from the frame after it.
What the two say is then made one: all frames of the gap together, so that the flow of the render agrees with that of
the footage between every two neighbours, both good frames included.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ...arrays import F64, U8, Bools
from ...fit.least_squares.banded import second_difference, solve_in_time
from ...fit.least_squares.levenberg_marquardt import relative_turns
from ...takes.take import find_runs
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
from .rendered_flow import RenderedFlow
from .surface_points import ViewedPoints

ROUNDS = 2
_FIRST_ITERATIONS, _JOINT_ITERATIONS = 3, 3
# A frame of a gap may be this far from where interpolation puts it.
_TURN_RAD, _SHIFT_M, _WEAKER = 0.3, 0.05, 0.1
# Landmarks jump more from frame to frame than heads do: without them motion is smoother by this factor.
_SMOOTHER = 4.0
# One camera sees depth by the face's size alone, and the flow's bias makes it swell and shrink.
_DEPTH, _SMOOTHER_IN_DEPTH = 5, 10.0
# Flow takes 4 MB a pair, pictures 6 MB and more: so many are kept, however long a gap is.
_KEPT_PAIRS, _KEPT_PICTURES = 64, 32


@dataclass(frozen=True)
class FurtherFlow:
    """What a further camera shows of the frames of a gap.

    Attributes:
        viewed: the first camera's surface points, by this one.  footage: its own.
        seen: (F,) bool, rows in which it shows the face.
    """

    viewed: ViewedPoints
    footage: FootageFlow
    seen: Bools


def gaps_of(bad: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last row of every run of bad frames that has a good frame on both sides."""
    return [(first, last) for first, last in find_runs(bad) if first > 0 and last < len(bad) - 1]


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
    *,
    good: Bools | None = None,
    renders: RenderedFlow | None = None,
    further: Sequence[FurtherFlow] = (),
    on_frame: Callable[[], None] | None = None,
) -> DeepState:
    """Solve the frames of a gap.

    Args:
        viewed: by the camera of the footage.  footage: asked from the frame before the gap to the frame after it.
        state: of all frames; the frames before and after the gap are good.  gap: its first and last row.
        time_s: (F,).  precision: (K, K), how far weights may be from interpolation.
        smooth: (6 + K,) weight of the squared second difference in time of each unknown, the frames on both sides
            of the gap included: what flow does not show goes on as it moved.
        good: (F,) frames that hold a result; None: all around the gap.
        further: what other cameras show of the same frames.
        renders: whose flow is compared with the footage's; None: the surface's motion itself is.
        on_frame: called before each frame; it may raise to cancel.
    Returns:
        The state of the gap's frames.
    """
    before, after = gap[0] - 1, gap[1] + 1
    guess = interpolate_gap(state, before, after, time_s)
    held_precision = pose_precision(viewed.mesh, precision * _WEAKER, _TURN_RAD, _SHIFT_M)
    chain = _Chains(_Chain(viewed, footage, before), [(_Chain(f.viewed, f.footage, before), f.seen) for f in further])
    ahead, back = range(before + 1, after), range(after - 1, before, -1)
    forward = _sweep(chain, state, before, guess, held_precision, ahead, on_frame)
    backward = _sweep(chain, state, after, guess, held_precision, back, on_frame)
    found = _blend(forward, backward)
    first, last = (
        row if 0 <= row < len(time_s) and (good is None or good[row]) else end
        for row, end in ((before - 1, before), (after + 1, after))
    )
    around = _Around(
        state.part(slice(first, gap[0])), state.part(slice(after, last + 1)), time_s[first : last + 1], smooth
    )
    for _ in range(ROUNDS):
        found = _solve_jointly(chain, around, found, guess, held_precision, renders, on_frame)
    return found


class _Chain:
    """The frames of a gap and the flow between neighbours: that of the last ones asked for is kept."""

    def __init__(self, viewed: ViewedPoints, footage: FootageFlow, before: int) -> None:
        self.viewed, self.before, self._footage = viewed, before, footage
        self._pairs: OrderedDict[tuple[int, int], FacePair] = OrderedDict()
        self._pictures: OrderedDict[int, U8] = OrderedDict()
        self._read = FootageFlow(footage.flow, self._picture)

    def targets(self, source: int, target: int, state: DeepState) -> Targets:
        """Where the points of a solved frame (one-frame state) are seen in its neighbour, as the footage flows."""
        places, _ = self.viewed.project(state)
        if (source, target) not in self._pairs:
            self._pairs[source, target] = self._read.pair(source, target, places[0])
            if len(self._pairs) > _KEPT_PAIRS:
                self._pairs.popitem(last=False)
        motion, comes_back = self._pairs[source, target].at(places[0])
        return Targets(self.viewed, places[0] + motion, flow_confidence(comes_back, self.viewed.find_visible(state)))

    def _picture(self, row: int) -> U8:
        """A row's picture; going back in a video, some rows before it are read at once, as it is coded forward."""
        if row not in self._pictures:
            back = bool(self._pictures) and row < min(self._pictures)
            for at in range(max(self.before, row - _KEPT_PICTURES + 2) if back else row, row + 1):
                self._pictures[at] = self._footage.picture(at)
            while len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return self._pictures[row]


@dataclass(frozen=True)
class _Chains:
    """What all cameras show of a gap: the first one, and the further ones where they see the face, (F,) bool."""

    first: _Chain
    further: list[tuple[_Chain, Bools]]

    def targets(self, source: int, target: int, state: DeepState) -> list[Targets]:
        """As `_Chain.targets`, of each camera that shows the face in both frames."""
        chains = [self.first, *(chain for chain, seen in self.further if seen[source] and seen[target])]
        return [chain.targets(source, target, state) for chain in chains]


def _sweep(
    chain: _Chains,
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
        prior = StatePrior(guess.part(np.array([row - chain.first.before - 1])), precision)
        targets = chain.targets(last, row, present)
        present = fit_to_targets(chain.first.viewed.mesh, present, targets, prior, _FIRST_ITERATIONS)
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


@dataclass(frozen=True)
class _Around:
    """What a gap lies between.

    Attributes:
        before, after: the good frame beside the gap and, where there is one, the next one, in order of time.
        time_s: of these, with the gap's between them.  smooth: (6 + K,), see `infill`.
    """

    before: DeepState
    after: DeepState
    time_s: F64
    smooth: F64


def _solve_jointly(
    chain: _Chains,
    around: _Around,
    found: DeepState,
    guess: DeepState,
    precision: F64,
    renders: RenderedFlow | None,
    on_frame: Callable[[], None] | None,
) -> DeepState:
    """Gauss-Newton over all frames of the gap, banded: a frame meets its neighbours, and bends with two of them."""
    mesh = chain.first.viewed.mesh
    count, size = len(found.weights), mesh.unknowns
    begins = len(around.before.weights)
    motions: list[list[_Moved]] = []  # of each neighbouring pair, at the present places
    for i in range(count + 1):
        if on_frame is not None:
            on_frame()
        source = around.before.part(slice(-1, None)) if i == 0 else found.part(np.array([i - 1]))
        row = chain.first.before + i
        moved = [
            _Moved(t.viewed, t.places - t.viewed.project(source)[0][0], t.confidence)
            for t in chain.targets(row, row + 1, source)
        ]
        if renders is not None:
            here = around.after.part(slice(0, 1)) if i == count else found.part(np.array([i]))
            moved[0].displacement[:] -= renders.measure_error(source, here)
        motions.append(moved)
    difference, smooth = second_difference(around.time_s), np.zeros(size)
    smooth[: len(around.smooth)] = _SMOOTHER * around.smooth
    smooth[_DEPTH] *= _SMOOTHER_IN_DEPTH
    free = np.zeros((len(around.time_s), size), bool)
    free[begins : begins + count] = True
    for _ in range(_JOINT_ITERATIONS):
        everyone = _concatenate([around.before, found, around.after])
        matrix, coupling = np.zeros((len(free), size, size)), np.zeros((len(free) - 1, size, size))
        gradient = np.zeros((len(free), size))
        inner = slice(begins, begins + count)
        matrix[inner] = precision + 1e-9 * np.eye(size)
        gradient[inner] = measure_offsets(found, guess, mesh) @ precision
        seen: dict[int, _Seen] = {}  # of each camera, in the frame before
        for at, moved in enumerate(motions, begins):
            before, seen = seen, {}
            for one in moved:
                last = before.get(id(one.viewed)) or _see(one.viewed, everyone, at - 1)
                here = seen[id(one.viewed)] = _see(one.viewed, everyone, at)
                away = (here.places - last.places - one.displacement) * here.mm
                weight = (one.confidence * robust_weights(away))[:, None, None]
                onward, back = (of.by_unknown.reshape(-1, size) * here.mm for of in (here, last))
                ahead, behind = ((of.by_unknown * (here.mm * weight)).reshape(-1, size) for of in (here, last))
                gradient[at] += ahead.T @ away.reshape(-1)
                gradient[at - 1] -= behind.T @ away.reshape(-1)
                matrix[at] += ahead.T @ onward
                matrix[at - 1] += behind.T @ back
                coupling[at - 1] -= ahead.T @ back
        values = np.concatenate([relative_turns(everyone.rotation), everyone.translation, everyone.weights], 1)
        values = np.concatenate([values, np.zeros((len(values), size - values.shape[1]))], 1)
        step = solve_in_time(matrix, gradient, difference, smooth, values, free, coupling)
        found = found.with_step(step[inner], mesh)
    return found


@dataclass(frozen=True)
class _Moved:
    """How surface points move in a camera's footage from one frame to the next.

    Attributes:
        viewed: the points.  displacement: (P, 2) px.  confidence: (P,) 0..1.
    """

    viewed: ViewedPoints
    displacement: F64
    confidence: F64


@dataclass(frozen=True)
class _Seen:
    """One frame's surface points.

    Attributes:
        places: (P, 2) px.  mm: millimetres at the face per px.  by_unknown: (P, 2, U) px.
    """

    places: F64
    mm: float
    by_unknown: F64


def _see(viewed: ViewedPoints, state: DeepState, frame: int) -> _Seen:
    one = state.part(np.array([frame]))
    places, depth = viewed.project(one)
    mm = float(np.median(depth)) / viewed.view.camera.focal_px * 1000
    return _Seen(places[0], mm, viewed.differentiate(one))
