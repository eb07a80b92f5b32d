"""What sets of sequences have in common, and whether they could be of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from ..arrays import F64
from ..landmarks.layout import layout_of
from ..retarget.rigid_alignment import remove_head_motion, select_on_bone
from .sequence import LandmarkSequence

FEATURES: dict[str, tuple[str, float]] = {
    "strength": ("mm", 0.2),
    "onset speed": ("mm/s", 1.0),
    "offset speed": ("mm/s", 1.0),
    "apex time": ("s", 0.05),
    "apex length": ("s", 0.05),
    "asymmetry": ("mm", 0.05),
    "head turn": ("deg", 0.2),
    "head shift": ("mm", 0.3),
    "corners up": ("mm", 0.2),
    "corners apart": ("mm", 0.2),
    "brows up": ("mm", 0.2),
    "chin down": ("mm", 0.3),
    "lids apart": ("mm", 0.1),
}
"""What is measured of a sequence: its unit, and the least spread that counts as one."""
_AT_APEX = 0.8
_NEIGHBOURS = 3


def measure_features(sequences: Sequence[LandmarkSequence]) -> F64:
    """(N, FEATURES) float64: how strong, how fast, how long, how even each sequence is, and what it moves."""
    return np.stack([_measure(sequence) for sequence in sequences])


def _measure(sequence: LandmarkSequence) -> F64:
    layout = layout_of(sequence.scheme)
    rest = sequence.rest.astype(np.float64)
    face, rotation, _ = remove_head_motion(
        rest, sequence.displacements.astype(np.float64), select_on_bone(sequence.scheme)
    )
    amount = 1000 * np.sqrt((face**2).sum(axis=2).mean(axis=1))
    apex = int(amount.argmax())
    speed = np.diff(amount, prepend=amount[0]) * sequence.fps
    held = np.flatnonzero(amount >= _AT_APEX * amount[apex])
    shape = 1000 * face[apex]
    mirrored = shape[layout.mirror] * (-1.0, 1.0, 1.0)
    turn = np.degrees(Rotation.from_matrix(rotation).magnitude())
    middle = rest[list(layout.nose)].mean(axis=0)
    shift = 1000 * np.linalg.norm((rotation - np.eye(3)) @ middle + _shifts(sequence, rotation, rest), axis=1)
    right, left = layout.lips_outer_upper[0], layout.lips_outer_upper[-1]
    inner = [*layout.brow_right[len(layout.brow_right) // 2 :], *layout.brow_left[len(layout.brow_left) // 2 :]]
    upper = [*layout.upper_lid_right[1:-1], *layout.upper_lid_left[1:-1]]
    lower = [*layout.lower_lid_right[1:-1], *layout.lower_lid_left[1:-1]]
    chin = layout.jaw[len(layout.jaw) // 2]
    return np.array(
        [
            amount[apex],
            speed[: apex + 1].max(),
            -speed[apex:].min(),
            held.mean() / sequence.fps,
            len(held) / sequence.fps,
            np.sqrt(((shape - mirrored) ** 2).sum(axis=1).mean()),
            turn.max(),
            shift.max(),
            shape[[right, left], 2].mean(),
            shape[left, 0] - shape[right, 0],
            shape[inner, 2].mean(),
            -shape[chin, 2],
            shape[upper, 2].mean() - shape[lower, 2].mean(),
        ]
    )


def _shifts(sequence: LandmarkSequence, rotation: F64, rest: F64) -> F64:
    stable = select_on_bone(sequence.scheme)
    moved = (rest + sequence.displacements)[:, stable].mean(axis=1)
    return moved - rotation @ rest[stable].mean(axis=0)


def measure_extrapolation(steps: NDArray[np.floating]) -> tuple[float, float]:
    """Squared error of going on straight, and along a parabola, of steps (N, F, D), over that of no motion."""
    steps = np.asarray(steps, np.float64)
    nothing = np.zeros_like(steps[:, :1])
    wanted = np.concatenate([steps[:, 1:], nothing], axis=1)
    change = np.diff(steps, axis=1, prepend=nothing)
    whole = max(float((wanted**2).sum()), 1e-12)
    straight, curved = (float(((told - wanted) ** 2).sum()) / whole for told in (steps, steps + change))
    return straight, curved


@dataclass(frozen=True)
class Comparison:
    """Two sets of features, of a first kind and a second.

    Attributes:
        distance: energy distance between the two (Székely and Rizzo 2013), in spreads of the second.
        p: how often sets that were shuffled together lie at least as far apart; small: they are not of one kind.
        coverage: share of the second whose neighbourhood holds one of the first (Naeem et al. 2020).
        density: how many of the second's neighbourhoods one of the first lies in, over what is expected.
        apart: (FEATURES,) distance of the means, in spreads of the second.  spread: (FEATURES,) ratio of spreads.
    """

    distance: float
    p: float
    coverage: float
    density: float
    apart: F64
    spread: F64


def compare_features(first: F64, second: F64, *, permutations: int = 499, seed: int = 0) -> Comparison:
    """Whether the first set (N, D) could be of the same kind as the second (M, D)."""
    least = np.array([least for _, least in FEATURES.values()])
    scale = np.maximum(second.std(axis=0), least)
    a, b = (first - second.mean(axis=0)) / scale, (second - second.mean(axis=0)) / scale
    both = np.concatenate([a, b])
    apart = cdist(both, both)
    order = np.arange(len(both))
    found = _measure_energy(apart, order, len(a))
    random = np.random.default_rng(seed)
    shuffled = [_measure_energy(apart, random.permutation(order), len(a)) for _ in range(permutations)]
    p = (1 + sum(one >= found - 1e-12 for one in shuffled)) / (1 + permutations)
    neighbours = max(min(_NEIGHBOURS, len(b) - 1), 1)
    radii = np.sort(apart[len(a) :, len(a) :], axis=1)[:, min(neighbours, len(b) - 1)]
    inside = apart[: len(a), len(a) :] <= radii
    return Comparison(
        distance=found,
        p=p,
        coverage=float(inside.any(axis=0).mean()),
        density=float(inside.sum(axis=1).mean() / neighbours),
        apart=a.mean(axis=0) - b.mean(axis=0),
        spread=np.maximum(first.std(axis=0), least) / scale,
    )


def _measure_energy(apart: F64, order: np.ndarray, count: int) -> float:
    """Energy distance of the first `count` rows in an order from the others, from distances between all."""
    a, b = order[:count], order[count:]
    own = apart[np.ix_(a, a)].sum() / (count * max(count - 1, 1))
    other = apart[np.ix_(b, b)].sum() / (len(b) * max(len(b) - 1, 1))
    return float(2 * apart[np.ix_(a, b)].mean() - own - other)
