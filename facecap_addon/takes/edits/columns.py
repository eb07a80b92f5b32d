"""What stands in the columns that edits work on: a take's weights, its gaze, its jaw bone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...arrays import F32, F64, Bools, Rows
from ...errors import FacecapError
from ...geometry.easing import smoothstep
from ...rig.channels import arkit_name, match_channels, mirror_name, pair_side, region_of
from ..take import Take
from .kinds import Edit

DIRECTIONS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Pairs that name where something goes, not whose side it is."""
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
_SIDE_AT_END = re.compile(r"(?<![A-Za-z])(left|right|l|r)$|(?<=[a-z])(Left|Right|L|R)$", re.IGNORECASE)
# Gaze is (right eye, left eye) × (yaw to the left, pitch); the jaw a rotation vector and a translation, x to the left.
_GAZE_SIGNS, _JAW_SIGNS = (-1.0, 1.0, -1.0, 1.0), (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Columns:
    """Of C columns: K weights, then 4 of gaze (rad), then 6 of the jaw bone (rad, m).

    Attributes:
        names: ARKit's name of each, else its own.  regions, sides: of each, "" where it has none.
        is_weight: (C,) bool.  editable: (C,) bool, all but channels that the footage does not show.
        low, high: (C,) float32, the least and the most that each may be.
        other: (C,) int, the column that does the same on the other side, itself where there is none.
        sign: (C,) float32, what its value is multiplied by in a mirror.
        bipolar: (C,) bool, one of a pair of directions.
    """

    names: tuple[str, ...]
    own: tuple[str, ...]
    regions: tuple[str, ...]
    sides: tuple[str, ...]
    is_weight: Bools
    editable: Bools
    low: F32
    high: F32
    other: Rows
    sign: F32
    bipolar: Bools

    @property
    def count(self) -> int:
        """K, how many are weights."""
        return int(self.is_weight.sum())


@dataclass(frozen=True)
class Curves:
    """A take while it is edited; arrays are never written to, so that each stage can be kept.

    Attributes:
        time_s: (F,) float64.  solved: (F,) bool.
        values: (F, C) float32, as edited so far.
        solve: (F, C) float32, as solved, but mirrored, held and retimed as `values` are: what was closed then.
        rotation_wxyz, translation_m: (F, 4), (F, 3) float32, the head.
    """

    time_s: F64
    solved: Bools
    values: F32
    solve: F32
    rotation_wxyz: F32
    translation_m: F32

    def at(self, time_s: float | F64, values: F32) -> F64:
        """Values (F, C) at one time or at (N,), linear between frames with a face, at rest before and after."""
        rows = np.flatnonzero(self.solved)
        place = np.interp(time_s, self.time_s[rows], np.arange(len(rows)))
        low = np.floor(place).astype(np.intp)
        share = np.asarray(place - low)[..., None]
        return values[rows[low]] * (1 - share) + values[rows[np.minimum(low + 1, len(rows) - 1)]] * share


def columns_of(take: Take, limits: F32 | None = None) -> Columns:
    """The columns of a take.

    Args:
        limits: (K, 2) least and largest weights of the character's keys; None: 0 and 1. What the solve itself exceeds
            them by is left to it.
    """
    names = tuple(arkit_name(channel) or channel for channel in take.channels)
    halves = [pair_side(channel) or "" for channel in take.channels]
    sides = [half or _side_of(name) for name, half in zip(names, halves, strict=True)]
    other = [_find_other(k, names, halves) for k in range(len(names))]
    given = np.tile(np.array([0, 1], np.float32), (len(names), 1)) if limits is None else np.asarray(limits, np.float32)
    low = np.minimum(given[:, 0], take.weights.min(0, initial=np.inf))
    high = np.maximum(given[:, 1], take.weights.max(0, initial=-np.inf))
    beside = len(_GAZE_SIGNS) + len(_JAW_SIGNS)
    first = len(names)
    gaze = [f"gaze{eye}{axis}" for eye in ("Right", "Left") for axis in ("Yaw", "Pitch")]
    jaw = [f"jawBone{axis}" for axis in ("TurnX", "TurnY", "TurnZ", "X", "Y", "Z")]
    endless = np.full(beside, np.inf, np.float32)
    return Columns(
        names=(*names, *gaze, *jaw),
        own=(*take.channels, *gaze, *jaw),
        regions=(*map(_region_of, names), *["gaze"] * 4, *["jaw"] * 6),
        sides=(*sides, "right", "right", "left", "left", *[""] * 6),
        is_weight=np.arange(first + beside) < first,
        editable=np.array([*(channel not in take.not_observed for channel in take.channels), *[True] * beside]),
        low=np.concatenate([low, -endless]),
        high=np.concatenate([high, endless]),
        other=np.array([*other, *(first + np.array([2, 3, 0, 1])), *(first + 4 + np.arange(6))], np.intp),
        sign=np.array([*[1.0] * first, *_GAZE_SIGNS, *_JAW_SIGNS], np.float32),
        bipolar=np.array([*(name in DIRECTIONS for name in names), *[False] * beside]),
    )


def curves_of(take: Take) -> Curves:
    """A take that nothing was done to yet."""
    parts = [take.weights, take.gaze_rad.reshape(take.frame_count, 4), take.jaw]
    values = np.concatenate(parts, axis=1).astype(np.float32)
    return Curves(take.time_s, take.solved, values, values, take.head_rotation_wxyz, take.head_translation_m)


def take_of(take: Take, curves: Curves, columns: Columns) -> Take:
    """The take with edited curves; frames without a face are as they were, weights inside their limits."""
    frames, count = take.frame_count, columns.count
    shown = np.clip(curves.values, columns.low, columns.high)
    rows = curves.solved[:, None]
    return replace(
        take,
        time_s=curves.time_s,
        weights=np.where(rows, shown[:, :count], take.weights),
        gaze_rad=np.where(rows, shown[:, count : count + 4], take.gaze_rad.reshape(frames, 4)).reshape(frames, 2, 2),
        jaw=np.where(rows, shown[:, count + 4 :], take.jaw),
        head_rotation_wxyz=curves.rotation_wxyz,
        head_translation_m=curves.translation_m,
    )


def find_columns(edit: Edit, columns: Columns) -> Bools:
    """(C,) bool: what an edit works on: the channels it names, else its region but for what it spares."""
    if edit.channels:
        chosen = np.zeros(len(columns.own), bool)
        chosen[match_channels(edit.channels, columns.own)[0][0]] = True
    elif edit.region == "all":
        chosen = np.array(
            [_group_of(name, columns.regions[c]) not in edit.spared for c, name in enumerate(columns.names)]
        )
    else:
        chosen = np.array([region == edit.region for region in columns.regions])
    if edit.side != "both":
        chosen &= np.array([side == edit.side for side in columns.sides])
    return chosen & columns.editable


def find_share(edit: Edit, time_s: F64) -> F32 | None:
    """(F,) float32 0..1, how far an edit counts at times (F,); None where it does everywhere.

    Raises FacecapError if its range ends before it begins.
    """
    if edit.start_s is None and edit.end_s is None:
        return None
    start = -np.inf if edit.start_s is None else edit.start_s
    end = np.inf if edit.end_s is None else edit.end_s
    if end < start:
        raise FacecapError(
            f"The range of the edit “{edit.name or edit.label}” ends before it begins.", "Exchange its two ends."
        )
    # Times are of finite precision: the frame at an end belongs to the range.
    share = ((time_s >= start - 1e-4) & (time_s <= end + 1e-4)).astype(np.float64)
    if np.isfinite(start) and edit.blend_in_s > 0:
        share *= smoothstep((time_s - start) / edit.blend_in_s)
    if np.isfinite(end) and edit.blend_out_s > 0:
        share *= smoothstep((end - time_s) / edit.blend_out_s)
    return share.astype(np.float32)


def _region_of(name: str) -> str:
    if name.startswith("eyeLook"):
        return "gaze"
    return region_of(name) if arkit_name(name) == name else ""


def _group_of(name: str, region: str) -> str:
    return "blinks" if name.startswith("eyeBlink") else region


def _side_of(name: str) -> str:
    if name in DIRECTIONS:
        return ""
    found = _SIDE_AT_END.search(name)
    return "" if found is None else "left" if found[0].lower().startswith("l") else "right"


def _find_other(k: int, names: Sequence[str], halves: Sequence[str]) -> int:
    """The column that does on the other side what column `k` does."""
    name, half = names[k], halves[k]
    wanted = mirror_name(name) if arkit_name(name) == name else _SIDE_AT_END.sub(_write_other, name)
    wanted_half = _OTHER_SIDE.get(half, "")
    both = zip(names, halves, strict=True)
    return next((c for c, one in enumerate(both) if one == (wanted, wanted_half)), k)


def _write_other(found: re.Match[str]) -> str:
    other = _OTHER_SIDE[found[0].lower()]
    if found[0].isupper():
        return other.upper()
    return other.capitalize() if found[0][0].isupper() else other
