"""Which keys of an action FaceCap wrote: all others were made by hand, and are kept.

An action remembers the keys that were written into it, for each of its slots, in a custom property: an `.npz` with an
array for every curve, as text, since Blender cuts bytes off at a zero. A key that is there no more, or elsewhere, or of
another kind, was changed by hand; so was the stretch around it, as far as the nearest keys that are still as written,
and no new key goes in there.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ....arrays import F32, F64
from .curves import BEZIER, LINEAR, SLOTTED, Animated, curves_in, write_keys

KEYS = "facecap_keys"
_SAME = 1e-4
"""Frames and values this near are one: Blender may round what it keeps in single precision."""
_SAME_VALUE = 1e-5
"""Curves whose values are this near are not written again."""
_NEAR = 0.5
"""Frames around a key of unknown origin in which no other is put."""
_EDGE = 1e-3
_COLUMNS = 7
Record = dict[str, F32]
"""Written keys by curve, "path[index]", as `key_rows` gives them; handles that do not matter are not numbers."""


@dataclass(frozen=True)
class HandMade:
    """What was made by hand in a curve.

    Attributes:
        keys: (N,) bool, of its keys.
        low, high: (S,) scene frames, ascending: stretches in which new keys would spoil it.
    """

    keys: NDArray[np.bool_]
    low: F64
    high: F64

    def leaves(self, frames: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(F,) bool: which frames lie in none of the stretches."""
        if not len(self.low):
            return np.ones(len(frames), bool)
        before = np.searchsorted(self.low + _EDGE, frames) - 1
        return (before < 0) | (frames >= self.high[before] - _EDGE)


def record_of(datablock: Animated) -> Record | None:
    """What FaceCap wrote into a datablock's present action; None where it wrote nothing that it would remember."""
    animation = datablock.animation_data
    action = None if animation is None else animation.action
    if animation is None or action is None:
        return None
    return record_in(action, animation.action_slot if SLOTTED else None)


def record_in(action: bpy.types.Action, slot: bpy.types.ActionSlot | None) -> Record | None:
    """What FaceCap wrote into a slot of an action; None as in `record_of`."""
    return _read(action, _key(slot.handle if slot else 0))


def remember(datablock: Animated, record: Record) -> None:
    """Write down, on a datablock's present action, which of its keys are FaceCap's."""
    animation = datablock.animation_data
    if animation is not None and animation.action is not None:
        remember_in(animation.action, animation.action_slot if SLOTTED else None, record)


def remember_in(action: bpy.types.Action, slot: bpy.types.ActionSlot | None, record: Record) -> None:
    """Write down which keys of a slot of an action are FaceCap's."""
    stream = io.BytesIO()
    names = list(record)
    rows = {f"k{number}": _packed(record[name]) for number, name in enumerate(names)}
    np.savez(stream, names=np.array(names, np.str_), **rows)
    action[_key(slot.handle if slot else 0)] = base64.b64encode(stream.getvalue()).decode()


def lay_keys(
    curve: bpy.types.FCurve,
    frames: F64,
    values: F64,
    record: Record | None,
    *,
    whole: bool,
    keep: bool,
    is_ours: bool = False,
) -> F32:
    """Write keys into a curve.

    Args:
        frames: (F,) ascending.  values: (F,).
        record: of the curve's action.
        whole: the keys replace all that FaceCap wrote; else all keys that lie in their range.
        keep: keys made by hand stay inside the range, too.
        is_ours: whether the action is one of an earlier FaceCap, that wrote straight lines and remembered nothing.
    Returns:
        those of the curve's keys that are FaceCap's now, for the record.
    """
    rows = key_rows(curve)
    hand = find_hand_made(
        rows, None if record is None else record.get(name_of(curve)), is_ours=is_ours and record is None
    )
    made = hand.keys
    if not whole and _end_at(curve, rows, made, frames):
        kept, rows = rows[made, 0], key_rows(curve)
        made = _nearest(kept, rows[:, 0])[1]
    outside = (rows[:, 0] < frames[0] - _EDGE) | (rows[:, 0] > frames[-1] + _EDGE)
    stays = made if whole else outside | (made & keep)
    fresh = hand.leaves(frames) if keep else np.ones(len(frames), bool)
    write_keys(curve, frames[fresh], values[fresh], kept=stays)
    if not stays.any():
        return _unpacked(np.stack([frames[fresh], values[fresh]], 1).astype(np.float32))
    now = key_rows(curve)
    ours = np.concatenate([frames[fresh].astype(np.float32), rows[stays & ~made, 0]])
    return now[_nearest(ours, now[:, 0])[1]]


def _end_at(curve: bpy.types.FCurve, rows: F32, made: NDArray[np.bool_], frames: F64) -> bool:
    """Put a key beside a range where a reduced stretch of FaceCap's own reaches into it, so that what lies outside
    keeps its shape; returns whether any was put."""
    put = False
    step = float(frames[-1] - frames[0]) / (len(frames) - 1) if len(frames) > 1 else 1.0
    for beside in (float(frames[0]) - step, float(frames[-1]) + step):
        after = int(np.searchsorted(rows[:, 0], beside))
        if not 0 < after < len(rows) or made[after - 1] or made[after] or rows[after - 1, 6] != BEZIER:
            continue
        if min(beside - rows[after - 1, 0], rows[after, 0] - beside) > _EDGE:
            curve.keyframe_points.insert(beside, curve.evaluate(beside))
            put = True
    return put


def take_back(curve: bpy.types.FCurve, written: F32) -> bool:
    """Take FaceCap's keys out of a curve; returns whether any key is left."""
    hand = find_hand_made(key_rows(curve), written)
    write_keys(curve, np.empty(0), np.empty(0), kept=hand.keys)
    return bool(hand.keys.any())


def is_there(curve: bpy.types.FCurve, frames: F64, values: F64) -> bool:
    """Whether a curve's keys are these."""
    points = curve.keyframe_points
    if len(points) != len(frames):
        return False
    flat = np.empty(2 * len(points), np.float32)
    points.foreach_get("co", flat)
    there = flat.reshape(-1, 2)
    return bool((np.abs(there[:, 0] - frames) < _EDGE).all() and (np.abs(there[:, 1] - values) < _SAME_VALUE).all())


def name_of(curve: bpy.types.FCurve) -> str:
    """What a record calls a curve."""
    return f"{curve.data_path}[{curve.array_index}]"


def key_rows(curve: bpy.types.FCurve) -> F32:
    """(N, 7): frame, value, left handle, right handle and interpolation of every key.

    A handle that shapes nothing is not a number: a left one after a straight stretch, a right one before it.
    """
    points = curve.keyframe_points
    count = len(points)
    rows = np.full((count, _COLUMNS), np.nan, np.float32)
    for first, name in ((0, "co"), (2, "handle_left"), (4, "handle_right")):
        flat = np.empty(2 * count, np.float32)
        points.foreach_get(name, flat)
        rows[:, first : first + 2] = flat.reshape(count, 2)
    kinds = np.empty(count, np.int32)
    points.foreach_get("interpolation", kinds)
    rows[:, 6] = kinds
    smooth = kinds == BEZIER
    rows[~smooth, 4:6] = np.nan
    rows[~np.concatenate([[False], smooth[:-1]])[:count], 2:4] = np.nan
    return rows


def find_hand_made(rows: F32, written: F32 | None, *, is_ours: bool = False) -> HandMade:
    """What of a curve's keys FaceCap did not write, or not so.

    Args:
        rows: (N, 7) of the curve.  written: (M, 7) of the record; None: of this curve it has nothing.
        is_ours: with no record, straight keys are FaceCap's, as earlier versions wrote them.
    """
    frames = rows[:, 0].astype(np.float64)
    if written is None:
        keys = (rows[:, 6] != LINEAR) if is_ours else np.ones(len(rows), bool)
    else:
        at, found = _nearest(written[:, 0], rows[:, 0])
        same = found.copy()
        if len(written):
            before = written[at]
            near = np.isnan(before) | (np.abs(rows - before) <= _SAME * np.maximum(1.0, np.abs(before)))
            same &= near.all(1)
        keys = ~same
    made, ours = frames[keys], frames[~keys]
    if not len(made):
        return HandMade(keys, np.empty(0), np.empty(0))
    place = np.searchsorted(ours, made)
    low, high = made - _NEAR, made + _NEAR
    if len(ours):
        low = np.where(place > 0, ours[np.maximum(place - 1, 0)], low)
        high = np.where(place < len(ours), ours[np.minimum(place, len(ours) - 1)], high)
    return HandMade(keys, low, np.maximum.accumulate(high))


def has_hand_made(action: bpy.types.Action) -> bool:
    """Whether an action that FaceCap remembers has keys that it did not write."""
    for handle, curves in _curves_by_slot(action):
        record = _read(action, _key(handle))
        for curve in curves:
            written = None if record is None else record.get(name_of(curve))
            if find_hand_made(key_rows(curve), written).keys.any():
                return True
    return False


def _curves_by_slot(action: bpy.types.Action) -> Iterator[tuple[int, list[bpy.types.FCurve]]]:
    for slot in action.slots if SLOTTED else (None,):
        yield (slot.handle if slot else 0), list(curves_in(action, slot))


def _nearest(known: NDArray[np.float32], frames: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each of (N,) frames the place of the nearest known one, and whether it is the same."""
    if not len(known):
        return np.zeros(len(frames), np.intp), np.zeros(len(frames), bool)
    order = np.argsort(known, kind="stable")
    sorted_ = known[order]
    right = np.clip(np.searchsorted(sorted_, frames), 0, len(known) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(np.abs(sorted_[left] - frames) < np.abs(sorted_[right] - frames), left, right)
    return order[nearer], np.abs(sorted_[nearer] - frames) <= _EDGE


def _read(action: bpy.types.Action, key: str) -> Record | None:
    stored = action.get(key)
    if not isinstance(stored, str):
        return None
    with np.load(io.BytesIO(base64.b64decode(stored)), allow_pickle=False) as data:
        return {str(name): _unpacked(data[f"k{number}"]) for number, name in enumerate(data["names"])}


def _packed(rows: F32) -> F32:
    """Rows as they are stored: of straight keys, of which there are many, only where they are."""
    plain = np.isnan(rows[:, 2:6]).all() and (rows[:, 6] == LINEAR).all()
    return rows[:, :2] if plain else rows


def _unpacked(stored: F32) -> F32:
    if stored.shape[1] == _COLUMNS:
        return stored
    rows = np.full((len(stored), _COLUMNS), np.nan, np.float32)
    rows[:, :2], rows[:, 6] = stored, LINEAR
    return rows


def _key(handle: int) -> str:
    return f"{KEYS}:{handle}"
