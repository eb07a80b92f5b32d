"""What each kind of edit does to curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from ...arrays import F32, F64, Bools
from ...errors import FacecapError
from ...rig.channels import match_channels
from ..corrections import CORRECTIONS
from ..filters.apply import apply_filter
from ..filters.take_filter import TENFOLD, keep_closed
from ..merge import RANGE, REFERENCE, SPANS
from ..take import find_runs
from .columns import Columns, Curves, find_columns, find_share
from .contacts import Gaps, keep_contact
from .kinds import (
    Balance,
    Blink,
    Calibration,
    Clamp,
    Edit,
    Filter,
    Gain,
    Hold,
    LidContact,
    LipSeal,
    Mirror,
    Offset,
    Points,
    Remap,
    Retime,
)

_MOST_REST = 0.9
"""A channel that is this strong at rest is stretched no further: what is left of it would be noise."""

_POSE_SIGNS = np.array([1, 1, -1, -1, -1, 1, 1], np.float32)
"""Of a head's pose, wxyz and xyz, in a mirror."""

_OF_FOOTAGE_TIMES = (CORRECTIONS, RANGE, SPANS)
"""What a take says about times of its footage, which are not its own any more once it is retimed."""


def carry_out(edit: Edit, curves: Curves, columns: Columns, gaps: Gaps | None = None) -> Curves:
    """Curves after an edit; those given are left as they are.

    Raises FacecapError where the edit's numbers do not fit.
    """
    if isinstance(edit, Retime) and _is_of_everything(edit):
        return replace(curves, time_s=_map_times(edit, curves.time_s))
    chosen = find_columns(edit, columns)
    share = find_share(edit, curves.time_s)
    if isinstance(edit, (LipSeal, LidContact)):
        return _mix(curves, keep_contact(edit, curves, columns, chosen, gaps), chosen, share)
    moved = _MOVES.get(type(edit))
    if moved is not None:  # what was closed moves along
        values, solve = (moved(edit, curves, columns, one) for one in (curves.values, curves.solve))
        mixed = _mix(curves, values, chosen, share)
        mixed = replace(mixed, solve=_mix(replace(curves, values=curves.solve), solve, chosen, share).values)
        return _mirror_head(edit, mixed) if isinstance(edit, Mirror) and edit.head else mixed
    if not chosen.any():
        return curves
    return _mix(curves, _SHAPES[type(edit)](edit, curves, columns, chosen), chosen, share)


def edit_facts(edit: Edit, facts: dict[str, Any]) -> dict[str, Any]:
    """A take's provenance after an edit: what it says of the head goes with the head, of times with the times."""
    if isinstance(edit, Retime) and _is_of_everything(edit):
        return {name: value for name, value in facts.items() if name not in _OF_FOOTAGE_TIMES}
    if isinstance(edit, Mirror) and edit.head and edit.mode == "swap":
        pose = facts.get(REFERENCE)
        if isinstance(pose, list | tuple) and len(pose) == len(_POSE_SIGNS):
            return {**facts, REFERENCE: (np.asarray(pose, np.float64) * _POSE_SIGNS).tolist()}
    return facts


def _mix(curves: Curves, values: F32, chosen: Bools, share: F32 | None) -> Curves:
    """New values in the columns chosen, as far as the edit counts at each time."""
    out = curves.values.copy()
    if share is None:
        out[:, chosen] = values[:, chosen]
    else:
        rows = np.flatnonzero(share)
        block = np.ix_(rows, chosen)
        out[block] += share[rows, None] * (values[block] - out[block])
    return replace(curves, values=out)


def _calibrate(edit: Calibration, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    if edit.levels:
        (at, levels), _ = match_channels([name for name, _ in edit.levels], columns.own)
        rest = np.zeros(len(columns.own))
        rest[at] = np.array([level for _, level in edit.levels])[levels]
    else:
        rest = curves.at(edit.neutral_s, curves.values)
    taken = (edit.strength * rest).astype(np.float32)
    out = curves.values - taken
    if edit.keep_full:
        stretched = columns.is_weight & (taken > 0)
        out *= np.where(stretched, 1 / (1 - np.clip(taken, 0, _MOST_REST)), 1).astype(np.float32)
    return out


def _gain(edit: Gain, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    return curves.values * np.float32(edit.factor)


def _offset(edit: Offset, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    return curves.values + edit.amount * columns.is_weight.astype(np.float32)


def _clamp(edit: Clamp, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    if edit.high < edit.low:
        raise FacecapError("A clamp's largest weight is below its smallest.", "Exchange them.")
    return np.where(columns.is_weight, np.clip(curves.values, edit.low, edit.high), curves.values)


def _balance(edit: Balance, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    """Sides come together by their mean; of a pair of directions each goes, since together they cancel out."""
    values = curves.values
    paired = (columns.other != np.arange(len(columns.names))) & columns.is_weight
    mean = 0.5 * (values + values[:, columns.other])
    alike = np.where(columns.bipolar, values * np.float32(1 - edit.symmetry), values + edit.symmetry * (mean - values))
    side = np.array([{"left": 1.0, "right": -1.0}.get(side, 0.0) for side in columns.sides])
    factor = np.where(columns.bipolar, 1.0, 1.0 + edit.balance * side).astype(np.float32)
    return np.where(paired, alike * factor, values).astype(np.float32)


def _filter(edit: Filter, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    at = np.flatnonzero(chosen)
    scale = np.where(columns.is_weight | (np.array(columns.regions) == "gaze"), 1.0, TENFOLD)[at]
    out = curves.values.astype(np.float64)
    for first, last in find_runs(curves.solved):
        rows = slice(first, last + 1)
        out[rows, at] = apply_filter(edit.choice(), curves.time_s[rows], out[rows, at] * scale) / scale
    weights = at[columns.is_weight[at]]
    names = tuple(columns.names[k] for k in weights)
    before = curves.values[:, weights].astype(np.float64)
    inside = np.clip(out[:, weights], np.minimum(before.min(0), 0), np.maximum(before.max(0), 1))
    out[:, weights] = keep_closed(names, before, inside, curves.solved, None)
    return out.astype(np.float32)


def _blink(edit: Blink, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    """Weaker in proportion; stronger so that open stays open and shut stays shut: 1 − (1 − w)^strength."""
    blinks = np.array([name.startswith("eyeBlink") for name in columns.names])
    values = curves.values[:, blinks]
    if edit.strength <= 1:
        stronger = values * np.float32(edit.strength)
    else:
        inside = np.clip(values, 0, 1)
        stronger = values + (1 - (1 - inside) ** np.float32(edit.strength)) - inside
    out = curves.values.copy()
    out[:, blinks] = stronger
    return out


def _remap(edit: Remap, curves: Curves, columns: Columns, chosen: Bools) -> F32:
    out = curves.values.copy()
    at = np.flatnonzero(chosen & columns.is_weight)
    out[:, at] = _follow_curve(edit.points, curves.values[:, at], smooth=edit.smooth)
    return out


def _hold(edit: Hold, curves: Curves, columns: Columns, values: F32) -> F32:
    return np.broadcast_to(curves.at(edit.at_s, values).astype(np.float32), values.shape)


def _mirror(edit: Mirror, curves: Curves, columns: Columns, values: F32) -> F32:
    mirrored = values[:, columns.other] * columns.sign
    if edit.mode == "swap":
        return mirrored
    goal = "right" if edit.mode == "left to right" else "left"
    there = np.array([side == goal for side in columns.sides])
    if edit.region != "gaze" and not edit.channels:  # eyes that copy each other squint
        there &= np.array([region != "gaze" for region in columns.regions])
    return np.where(there, mirrored, values)


def _retime_part(edit: Retime, curves: Curves, columns: Columns, values: F32) -> F32:
    """What a part of the face does at other times, at the frames there are."""
    return curves.at(_map_back(edit, curves.time_s), values).astype(np.float32)


def _mirror_head(edit: Mirror, curves: Curves) -> Curves:
    if edit.mode != "swap":
        return curves
    if edit.channels or edit.region != "all" or edit.start_s is not None or edit.end_s is not None:
        raise FacecapError(
            "The head's motion can only be mirrored as a whole.", "Mirror everything at all times, or not the head."
        )
    return replace(
        curves,
        rotation_wxyz=curves.rotation_wxyz * _POSE_SIGNS[:4],
        translation_m=curves.translation_m * _POSE_SIGNS[4:],
    )


def _is_of_everything(edit: Retime) -> bool:
    """Whether the take as a whole is retimed; blends count only at the ends of a range."""
    always = edit.start_s is None and edit.end_s is None
    return always and not edit.channels and edit.region == "all" and edit.side == "both"


def _map_times(edit: Retime, time_s: F64) -> F64:
    """When what happens at some times happens afterwards."""
    if edit.points:
        before, after = _ascending(edit)
        return _follow(before, after, time_s) + edit.offset_s
    return time_s[0] + (time_s - time_s[0]) / edit.speed + edit.offset_s


def _map_back(edit: Retime, time_s: F64) -> F64:
    """When what happens at some times happened before."""
    if edit.points:
        before, after = _ascending(edit)
        return _follow(after, before, time_s - edit.offset_s)
    return time_s[0] + (time_s - edit.offset_s - time_s[0]) * edit.speed


def _follow(given: F64, wanted: F64, at: F64) -> F64:
    """Linear between points, with the steepness of its ends beyond them; of one point, a shift."""
    if len(given) == 1:
        return at + (wanted[0] - given[0])
    steep = np.diff(wanted) / np.diff(given)
    before, beyond = np.minimum(at - given[0], 0) * steep[0], np.maximum(at - given[-1], 0) * steep[-1]
    return np.interp(at, given, wanted) + before + beyond


def _ascending(edit: Retime) -> tuple[F64, F64]:
    before, after = np.array(edit.points, np.float64).T
    if (np.diff(before) <= 0).any() or (np.diff(after) <= 0).any():
        raise FacecapError(
            "The times of a retime are not in order.", "Give each pair later times than the one before it."
        )
    return before, after


def _follow_curve(points: Points, values: F32, *, smooth: bool) -> F64:
    """Values on a curve through points, level beyond them; a smooth one goes no further than its points do."""
    weights, wanted = np.array(points, np.float64).reshape(-1, 2).T
    if not len(weights) or (np.diff(weights) <= 0).any():
        raise FacecapError("The points of a remap curve are not in order.", "Give points with ascending weights.")
    if smooth and len(weights) > 1:
        curve = PchipInterpolator(weights, wanted)
        return np.asarray(curve(np.clip(values, weights[0], weights[-1])), np.float64)
    return np.interp(values, weights, wanted)


_SHAPES: dict[type[Edit], Callable[[Any, Curves, Columns, Bools], F32]] = {
    Calibration: _calibrate,
    Gain: _gain,
    Offset: _offset,
    Clamp: _clamp,
    Balance: _balance,
    Filter: _filter,
    Blink: _blink,
    Remap: _remap,
}
"""Kinds that change how far channels go."""
_MOVES: dict[type[Edit], Callable[[Any, Curves, Columns, F32], F32]] = {
    Hold: _hold,
    Mirror: _mirror,
    Retime: _retime_part,
}
"""Kinds that put one moment's or side's values elsewhere."""
