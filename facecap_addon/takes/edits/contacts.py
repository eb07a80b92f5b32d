"""Lips and lids that the solve has closed stay closed when a take is edited, and do not pass through each other.

With the character's gaps it is known what closes what; without them ARKit's names say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import F32, F64, I64, Bools
from ...rig.channels import match_halves
from ..filters.take_filter import CLOSED_M, ease_around
from ..take import find_runs
from .columns import Columns, Curves
from .kinds import LidContact, LipSeal

LIPS, RIGHT_LIDS, LEFT_LIDS = 0, 1, 2
_CLOSED_MM = 1000 * CLOSED_M
_OVERLAP_MM = 0.3
"""Landmarks lie beside the rims: surfaces that overlap by less than this touch."""
_ERROR_MM, _SLIT_MM = 0.05, 0.1
_LEAST_SLOPE = 0.3
"""Keys that change a group of gaps by less than this share of what the one that changes it most does have no part."""
_ROUNDS, _CHUNK_FRAMES = 4, 2048
_SHUT, _MOUTH_SHUT = 0.75, 0.05
_OPENERS = ("mouthUpperUp", "mouthLowerDown", "mouthFunnel", "mouthShrug")


@dataclass(frozen=True)
class Gaps:
    """How far a character's lips and lids gape, which is linear in its weights.

    Attributes:
        channels: K names of keys.
        rest_mm: (G,) float64, how far each gap is open at rest beyond closed; slope_mm: (G, K), what each key adds.
        group: (G,) int, LIPS, RIGHT_LIDS or LEFT_LIDS.
        cost_mm2: (K, K) float64, positive definite: how far the face moves, squared, when keys move.
    """

    channels: tuple[str, ...]
    rest_mm: F64
    slope_mm: F64
    group: I64
    cost_mm2: F64

    def of_channels(self, channels: tuple[str, ...]) -> Gaps:
        """The same for other channels; those that the character has no key for move nothing."""
        columns, keys = match_halves(self.channels, channels)
        moves = np.zeros((len(self.channels), len(channels)))  # which of the character's keys a channel moves
        moves[keys, columns] = 1.0
        cost = moves.T @ self.cost_mm2 @ moves
        unknown = np.flatnonzero(~moves.any(0))
        cost[unknown, unknown] = 1.0
        return Gaps(channels, self.rest_mm, self.slope_mm @ moves, self.group, cost)


def keep_contact(edit: LipSeal | LidContact, curves: Curves, columns: Columns, chosen: Bools, gaps: Gaps | None) -> F32:
    """(F, C) values with what the solve has closed closed again.

    Args:
        chosen: (C,) bool, columns that may move.
        gaps: of the take's channels; None: judged by the weights alone.
    """
    groups = (LIPS,) if isinstance(edit, LipSeal) else (RIGHT_LIDS, LEFT_LIDS)
    out = np.clip(curves.values, columns.low, columns.high)
    free = chosen & columns.is_weight
    if gaps is not None:
        for group in groups:
            out = _close_gaps(edit, curves, columns, free, gaps, group, out)
    elif isinstance(edit, LipSeal):
        out = _close_mouth(edit, curves, columns, free, out)
    else:
        out = _shut_eyes(edit, curves, columns, free, out)
    return out


def _close_gaps(
    edit: LipSeal | LidContact,
    curves: Curves,
    columns: Columns,
    free: Bools,
    gaps: Gaps,
    group: int,
    values: F32,
) -> F32:
    """A group's gaps closed where the solve has them closed, and no further through each other than there.

    The face moves as little as it can for it.
    """
    members, count = gaps.group == group, columns.count
    slope, rest = gaps.slope_mm[members], gaps.rest_mm[members]
    # A look takes lids along, and is none of their business.
    looks = np.array([region == "gaze" for region in columns.regions[:count]])
    change = np.where(free[:count] & ~looks, np.abs(slope).mean(0) if members.any() else 0.0, 0.0)
    helps = np.flatnonzero(change >= max(_LEAST_SLOPE * float(change.max(initial=0.0)), 1e-6))
    if not len(helps):
        return values
    open_mm = rest + values[:, :count].astype(np.float64) @ slope.T
    before = rest + curves.solve[:, :count].astype(np.float64) @ slope.T
    closed = np.maximum(before, 0.0).mean(1) <= _CLOSED_MM
    share = edit.strength * _ease(closed, curves.solved)[:, None]
    # All gaps of what opened go back to where they were, not just to touching: that is what keys can do together.
    opened = np.clip((open_mm - np.maximum(before, 0.0)).max(1, keepdims=True) / _SLIT_MM, 0.0, 1.0)
    wanted = share * opened * (before - open_mm)
    if edit.part:
        deepest = np.minimum(before, 0.0) - _OVERLAP_MM
        wanted += edit.strength * np.maximum(deepest - (open_mm + wanted), 0.0)
    rows = np.flatnonzero(curves.solved & (np.abs(wanted).max(1) > _ERROR_MM))
    out = values.copy()
    for first in range(0, len(rows), _CHUNK_FRAMES):
        some = rows[first : first + _CHUNK_FRAMES]
        weights = values[np.ix_(some, helps)].astype(np.float64)
        low, high = (np.broadcast_to(bound[helps], weights.shape) for bound in (columns.low, columns.high))
        cost = gaps.cost_mm2[np.ix_(helps, helps)]
        out[np.ix_(some, helps)] += _find_steps(slope[:, helps], wanted[some], cost, low - weights, high - weights)
    return out


def _find_steps(slope: F64, wanted_mm: F64, cost: F64, low: F64, high: F64) -> F64:
    """Changes of weights (F, N) between low and high (F, N) that change gaps by (F, G) mm and cost the least.

    Args:
        slope: (G, N) mm.  cost: (N, N) mm².
    """
    products = slope.T @ slope / _ERROR_MM**2 + cost
    pull = wanted_mm @ slope / _ERROR_MM**2
    steps, free = np.zeros_like(low), np.ones(low.shape, bool)
    for _ in range(_ROUNDS):
        # Keys that are at an end stay there; the others do what is left.
        matrix = np.where(free[:, :, None], products, np.eye(low.shape[1]))
        steps = np.linalg.solve(matrix, np.where(free, pull, steps)[..., None])[..., 0]
        inside = np.clip(steps, low, high)
        beyond = free & (np.abs(inside - steps) > 1e-9)
        steps = inside
        if not beyond.any():
            break
        free &= ~beyond
    return steps


def _close_mouth(edit: LipSeal, curves: Curves, columns: Columns, free: Bools, values: F32) -> F32:
    """Where `mouthClose` undoes `jawOpen` in the solve it does so again; what parts lips parts them no further."""
    names = columns.names
    if "jawOpen" not in names:
        return values
    out, jaw = values.copy(), names.index("jawOpen")
    close = names.index("mouthClose") if "mouthClose" in names else None

    def gap(of: F32) -> F32:
        return of[:, jaw] - (0.0 if close is None else of[:, close])

    share = edit.strength * _ease(gap(curves.solve) < _MOUTH_SHUT, curves.solved)
    for k in np.flatnonzero(free):
        if names[k].startswith(_OPENERS):
            most = np.maximum(curves.solve[:, k], curves.solve[:, columns.other[k]])
            out[:, k] -= share * np.maximum(out[:, k] - most, 0.0)
    for k, towards in ((close, 1.0), (jaw, -1.0)):
        if k is not None and free[k]:
            excess = share * np.maximum(gap(out) - np.maximum(gap(curves.solve), 0.0), 0.0)
            out[:, k] = np.clip(out[:, k] + towards * excess, columns.low[k], columns.high[k])
    return out


def _shut_eyes(edit: LidContact, curves: Curves, columns: Columns, free: Bools, values: F32) -> F32:
    """A blink that is shut in the solve is as shut as there, and nothing widens the eye more than there."""
    out, names = values.copy(), columns.names
    for side in ("Right", "Left"):
        if f"eyeBlink{side}" not in names:
            continue
        blink = names.index(f"eyeBlink{side}")
        share = edit.strength * _ease(curves.solve[:, blink] >= _SHUT, curves.solved)
        for name, direction in ((f"eyeBlink{side}", 1.0), (f"eyeWide{side}", -1.0)):
            k = names.index(name) if name in names else None
            if k is not None and free[k]:
                missing = np.maximum(direction * (curves.solve[:, k] - out[:, k]), 0.0)
                out[:, k] += direction * share * missing
    return out


def _ease(frames: Bools, solved: Bools) -> F32:
    """(F,) 1 in some frames, easing within a few beside them, never over frames without a face."""
    share = np.zeros(len(frames), np.float32)
    for first, last in find_runs(solved):
        share[first : last + 1] = ease_around(frames[first : last + 1])
    return share
