"""Fewer keys on curves that FaceCap wrote, the same motion; what was made by hand stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ....takes.reduce_keys import ReducedCurve, reduce_curves
from ....takes.take import find_runs
from ..head.character import metres_per_unit
from .curves import BEZIER, LINEAR, SLOTTED, Animated, curves_in, read_keys, set_keys
from .written_keys import find_hand_made, key_rows, name_of, record_in, remember_in

_FREE, _ALIGNED = 0, 3
_FEWEST = 3
"""Keys without which there is nothing to take away."""
_SHARES = {"rotation_quaternion": 4.0, "rotation_euler": 3.0, "rotation_axis_angle": 7.0, "location": 3.0**0.5}
"""How far a turn or a place can be off when each of its channels is off by one, each by the worst of the others."""


@dataclass(frozen=True)
class KeyTolerance:
    """How far curves may be off.

    Attributes:
        value: of shape keys.  turn_rad: of the head's rotation.  place: of its location, Blender's units.
    """

    value: float = 0.005
    turn_rad: float = 0.002
    place: float = 0.001

    def of(self, path: str) -> float:
        """How far the curve of a data path may be off, in its own unit."""
        name = path.rpartition(".")[2]
        if name == "value":
            return self.value
        return (self.place if name == "location" else self.turn_rad) / _SHARES.get(name, 1.0)


@dataclass
class KeyCount:
    """Keys before and after."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class _Run:
    """Keys of a curve, from first to last, that FaceCap wrote with straight lines between them."""

    curve: bpy.types.FCurve
    first: int
    last: int
    frames: NDArray[np.float32]
    values: NDArray[np.float32]


def reduce_keys(datablocks: Iterable[Animated], tolerance: KeyTolerance, *, linear: bool = False) -> KeyCount:
    """Take away keys that FaceCap wrote into actions of datablocks, in strips or not, where the others say the same.

    Keys made by hand stay, and the keys beside them; so do locked curves. Keys that were reduced before stay so: baked
    again, they are all there.

    Args:
        linear: straight lines between the keys that stay, instead of Bézier curves.
    """
    count = KeyCount()
    for action, slot in _find_actions(datablocks):
        record = record_in(action, slot)
        if not record:
            continue
        curves = [curve for curve in curves_in(action, slot) if name_of(curve) in record and not curve.lock]
        count.before += sum(len(curve.keyframe_points) for curve in curves)
        runs = [run for curve in curves for run in _find_runs(curve, record[name_of(curve)])]
        reduced = _reduce_runs(runs, tolerance, linear=linear)
        for curve in curves:
            parts = [(run, fewer) for run, fewer in zip(runs, reduced, strict=True) if run.curve == curve]
            record[name_of(curve)] = _write(curve, record[name_of(curve)], parts)
        remember_in(action, slot, record)
        count.after += sum(len(curve.keyframe_points) for curve in curves)
    return count


def _find_actions(
    datablocks: Iterable[Animated],
) -> list[tuple[bpy.types.Action, bpy.types.ActionSlot | None]]:
    """The actions that datablocks play, each with the slot; linked ones cannot be changed."""
    found: dict[tuple[str, int], tuple[bpy.types.Action, bpy.types.ActionSlot | None]] = {}
    for datablock in datablocks:
        animation = datablock.animation_data
        if animation is None or animation.use_tweak_mode:
            continue
        for player in (animation, *(strip for track in animation.nla_tracks for strip in track.strips)):
            slot = player.action_slot if SLOTTED else None
            if player.action is not None and player.action.library is None and (slot is not None or not SLOTTED):
                found[player.action.name, slot.handle if slot else 0] = player.action, slot
    return list(found.values())


def tolerance_of(value: float) -> KeyTolerance:
    """The tolerance of a whole bake by that of its shape keys: head and jaw turn and move as little."""
    usual = KeyTolerance()
    share = value / usual.value
    return KeyTolerance(value, usual.turn_rad * share, usual.place * share / metres_per_unit())


def count_text(count: KeyCount) -> str:
    """What to tell of reduced keys."""
    return f"{count.before:,} keys became {count.after:,}"


def _find_runs(curve: bpy.types.FCurve, written: NDArray[np.float32]) -> list[_Run]:
    rows = key_rows(curve)
    ours = ~find_hand_made(rows, written).keys
    # What is straight between two keys of ours belongs to a run; the last key of a run may go on in any way.
    straight = ours & np.append(ours[1:], False) & (rows[:, 6] == LINEAR)
    return [
        _Run(curve, first, last + 1, rows[first : last + 2, 0], rows[first : last + 2, 1])
        for first, last in find_runs(straight)
        if last + 2 - first >= _FEWEST
    ]


def _reduce_runs(runs: list[_Run], tolerance: KeyTolerance, *, linear: bool) -> list[ReducedCurve]:
    """Runs with keys at the same frames are reduced together: a take's are all at the same."""
    together: dict[bytes, list[int]] = {}
    for number, run in enumerate(runs):
        together.setdefault(run.frames.tobytes(), []).append(number)
    reduced: dict[int, ReducedCurve] = {}
    for numbers in together.values():
        values = np.stack([runs[number].values for number in numbers], 1)
        allowed = np.array([tolerance.of(runs[number].curve.data_path) for number in numbers])
        found = reduce_curves(runs[numbers[0]].frames, values, allowed, linear=linear)
        reduced |= dict(zip(numbers, found, strict=True))
    return [reduced[number] for number in range(len(runs))]


def _write(
    curve: bpy.types.FCurve, written: NDArray[np.float32], parts: list[tuple[_Run, ReducedCurve]]
) -> NDArray[np.float32]:
    """Leave the reduced keys of a curve; returns those that are FaceCap's now."""
    if not parts:
        return written
    rows = key_rows(curve)
    ours = ~find_hand_made(rows, written).keys
    keys = read_keys(curve, np.ones(len(rows), bool))
    stays = np.ones(len(rows), bool)
    for run, fewer in parts:
        at = run.first + fewer.rows
        stays[run.first : run.last + 1] = False
        stays[at] = True
        _shape(keys, at, fewer)
    set_keys(curve, {name: values[stays] for name, values in keys.items()})
    return key_rows(curve)[ours[stays]]


def _shape(keys: dict[str, NDArray[np.generic]], at: NDArray[np.intp], fewer: ReducedCurve) -> None:
    """Give the keys at some rows the handles of a reduced curve; the outer ones of the run stay where they are."""
    co = keys["co"].astype(np.float64)[at]
    curved = ~fewer.straight[:-1]
    keys["interpolation"][at[:-1]] = np.where(curved, BEZIER, LINEAR)
    third = np.diff(co[:, 0]) / 3
    slopes = fewer.slopes
    for side, inner, sign in (("handle_right", at[:-1], 1.0), ("handle_left", at[1:], -1.0)):
        slope = slopes[:-1] if sign > 0 else slopes[1:]
        base = co[:-1] if sign > 0 else co[1:]
        place = base + sign * np.stack([third, np.where(curved, slope * third, 0.0)], 1)
        keys[side][inner] = place
    # A handle moves its opposite where the curve goes on smoothly; beside a straight line it has none to move.
    smooth = np.concatenate([[False], curved[:-1] & curved[1:], [False]])
    for side in ("handle_left_type", "handle_right_type"):
        keys[side][at] = np.where(smooth, _ALIGNED, _FREE)
