"""Curves of a datablock's own action: what an earlier bake wrote is replaced, what was made by hand stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import bpy
import numpy as np

from ....arrays import F64
from .curves import Animated, curves_of, present_action
from .groups import sort_into_groups
from .own_action import give_own_action
from .written_keys import Record, lay_keys, name_of, record_of, remember, take_back

Channel = tuple[str, int]
"""A data path on the datablock, and the place in its array."""


@dataclass(frozen=True)
class Keying:
    """How keys are laid.

    Attributes:
        mode: "new" or "mix", as in `key_channels`; so are `influence`, `take`, `keep`, `in_strips` and `within`.
        name: of a new action.
    """

    mode: str = "new"
    name: str = "FaceCap"
    influence: float = 1.0
    take: str = ""
    keep: bool = False
    in_strips: bool = False
    within: bpy.types.Action | None = None


@dataclass(frozen=True)
class Laid:
    """What became of curves.

    Attributes:
        action: that holds them.  made: whether the action is the take's own, not one that was there before.
        locked: channels whose curve is locked, left as they were.
    """

    action: bpy.types.Action
    made: bool
    locked: list[Channel] = field(default_factory=list)


def lay_curves(
    datablock: Animated,
    frames: F64,
    columns: Mapping[Channel, F64],
    how: Keying,
    *,
    group_of: Callable[[Channel], str],
    is_stale: Callable[[str], bool],
    present: Callable[[Channel], float] | None = None,
    respect_locks: bool = True,
) -> Laid:
    """Key channels of a datablock over time.

    Args:
        frames: (F,) ascending scene frames.  columns: (F,) values of each channel.
        group_of: the group of a channel's curve.
        is_stale: whether a curve, "path[index]", that an earlier bake of the take wrote and this one does not is to be
            taken back; asked in an action of the take's own only.
        present: the value that a channel without a curve has, for mixing.
    """
    action = present_action(datablock) if how.mode == "mix" else None
    made, is_ours = action is None, action is not None and is_of_facecap(action)
    if action is None:
        action = give_own_action(
            datablock, how.name, how.take, within=how.within, keep=how.keep, in_strips=how.in_strips
        )
    curves = curves_of(datablock)
    record = record_of(datablock)
    written = dict(record or {})
    stale = {name for name in written if made and is_stale(name)}
    laid, groups = Laid(action, made), dict[str, list[bpy.types.FCurve]]()
    for (path, index), column in columns.items():
        curve = curves.find(path, index=index)
        values = column
        if curve is not None and curve.lock and respect_locks:
            stale.discard(name_of(curve))
            laid.locked.append((path, index))
            continue
        if how.influence < 1.0 and present is not None:
            before = (
                [curve.evaluate(f) for f in frames] if curve is not None else [present((path, index))] * len(frames)
            )
            values = np.asarray(before) * (1.0 - how.influence) + column * how.influence
        curve = curve or curves.new(path, index=index)
        stale.discard(name_of(curve))
        written[name_of(curve)] = lay_keys(
            curve, frames, values, record, whole=made, keep=how.keep or made, is_ours=is_ours
        )
        groups.setdefault(group_of((path, index)), []).append(curve)
    remove_stale(curves, stale, written)
    sort_into_groups(datablock, groups)
    remember(datablock, written)
    datablock.update_tag()
    return laid


def is_of_facecap(action: bpy.types.Action) -> bool:
    """Whether FaceCap made an action, of whatever version."""
    return any(name.startswith("facecap_") for name in action.keys())  # noqa: SIM118  a datablock, no dictionary


def remove_stale(
    curves: bpy.types.ActionFCurves | bpy.types.ActionChannelbagFCurves, stale: set[str], written: Record
) -> None:
    """Take back what an earlier bake of a take wrote into curves that this one does not."""
    for curve in [curve for curve in curves if name_of(curve) in stale]:
        if not take_back(curve, written[name_of(curve)]):
            curves.remove(curve)
    for name in stale:
        del written[name]
