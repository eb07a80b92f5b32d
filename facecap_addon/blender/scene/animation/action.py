"""Keys on shape keys: one linear curve per channel, at the true times of the footage's frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from numpy.typing import NDArray

from ....arrays import F64
from ....errors import FacecapError
from ..head.character import is_editable
from ..objects import keys_of, mesh_of
from .curves import Animated, curves_of
from .groups import group_name
from .lay_curves import Channel, Keying, lay_curves


@dataclass
class KeyingReport:
    """What became of the channels.

    Attributes:
        action: the action that holds the keys; None where no shape key was keyed.
        keyed: channels that got keys.
        controls: what else a mapping keyed: bones by their names, and groups of custom properties.
        unknown: channels for which the character has no shape key.
        locked: channels whose present curve is locked, left as they were.
        remarks: what keeps keys from being seen, one line each.
        frames: how many frames were keyed.
        animated: whatever got keys.
        not_added: of a layer that adds to what is below, what of it had nothing to be added to.
    """

    action: bpy.types.Action | None
    keyed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    frames: int = 0
    animated: list[Animated] = field(default_factory=list)
    not_added: list[Animated] = field(default_factory=list)


def key_channels(
    obj: bpy.types.Object,
    channels: Sequence[str],
    frames: NDArray[np.floating],
    weights: NDArray[np.floating],
    *,
    mode: str = "new",
    name: str = "FaceCap",
    influence: float = 1.0,
    within: bpy.types.Action | None = None,
    take: str = "",
    keep: bool = False,
    in_strips: bool = False,
) -> KeyingReport:
    """Key shape keys over time; drivers on them are muted: they would hide the keys.

    Args:
        obj: a mesh object with shape keys.
        channels: K shape-key names.
        frames: (F,) ascending scene frames, fractions allowed; frames left out get no key.
        weights: (F, K) values.
        mode: "new" puts the keys into an action of their own (what was there stays in the file); "mix" replaces the
            keys of the present action inside the range of `frames` and keeps all others.
        take: id of the take that they are of; its own action is used again, and what FaceCap wrote there is replaced.
        keep: keys made by hand stay inside the range, too; without it, "new" leaves an action that has some alone.
        in_strips: its own action may be one that plays in a strip of the NLA.
        name: name of a new action.
        influence: 0 to 1, how far mixing goes from the present value to the new one.
        within: an action that shall hold these keys, too, where actions have slots; see `new_action`.
    Raises:
        FacecapError: the mesh cannot be animated, or there is nothing to key.
    """
    frames = np.asarray(frames, np.float64)
    weights = np.asarray(weights, np.float64)
    keys = _keys_to_animate(obj)
    _check(frames, weights, channels)
    known = [column for column, channel in enumerate(channels) if channel in keys.key_blocks]
    if not known:
        raise FacecapError(
            f"None of the take's channels is a shape key of “{obj.name}” (for example “{channels[0]}”).",
            "Solve again with this mesh as the character.",
        )
    columns, names = dict[Channel, F64](), dict[Channel, str]()
    for column in known:
        channel = keys.key_blocks[channels[column]].path_from_id("value"), 0
        columns[channel], names[channel] = weights[:, column], channels[column]
    laid = lay_curves(
        keys,
        frames,
        columns,
        Keying(mode, name, influence, take, keep, in_strips, within),
        group_of=lambda channel: group_name(names[channel]),
        is_stale=lambda _: True,
        present=lambda channel: keys.key_blocks[names[channel]].value,
    )
    report = KeyingReport(laid.action, unknown=[c for c in channels if c not in keys.key_blocks], animated=[keys])
    report.locked = [names[channel] for channel in laid.locked]
    report.keyed = [name for channel, name in names.items() if channel not in laid.locked]
    report.remarks += _remarks(obj, keys, report.keyed, {curve.data_path: curve for curve in curves_of(keys)})
    return report


def check_animatable(obj: bpy.types.Object) -> bpy.types.Key:
    """The object's shape keys. Raises FacecapError if they cannot be animated; nothing is changed."""
    keys = keys_of(obj)
    if keys is None:
        raise FacecapError(f"“{obj.name}” has no shape keys to animate.", "Pick the mesh that was solved.")
    if not is_editable(obj):
        raise FacecapError(
            f"“{obj.name}” is linked from another file, so its shape keys cannot be animated here.",
            "Choose Object > Library Override > Make, and bake onto the override.",
        )
    return keys


def _keys_to_animate(obj: bpy.types.Object) -> bpy.types.Key:
    keys = check_animatable(obj)
    mesh = mesh_of(obj)
    if mesh.library is not None:  # overriding an object leaves its mesh, and so its shape keys, linked
        mesh = mesh.override_create(remap_local_usages=True)
        if mesh is None or obj.data != mesh:
            raise FacecapError(
                f"The mesh of “{obj.name}” is linked from another file and Blender could not override it.",
                "Make the mesh local (Object > Relations > Make Local), and bake again.",
            )
        keys = check_animatable(obj)
    return keys


def _check(frames: NDArray[np.float64], weights: NDArray[np.float64], channels: Sequence[str]) -> None:
    if weights.shape != (len(frames), len(channels)):
        raise FacecapError("The take's arrays do not fit together.", "Solve again.")
    if not len(frames):
        raise FacecapError("No frame of the take holds a solved face.", "Solve again with another range.")
    if not (np.isfinite(weights).all() and np.isfinite(frames).all()):
        raise FacecapError("The take holds values that are no numbers.", "Solve again.")
    if (np.diff(frames) <= 0).any():
        raise FacecapError("The take's frames are not in order of time.", "Solve again.")
    if len(frames) and np.abs(frames).max() > 1_048_574:
        raise FacecapError("The take is longer than Blender's timeline can be.", "Trim it, or lower the frame rate.")


def _remarks(
    obj: bpy.types.Object,
    keys: bpy.types.Key,
    keyed: list[str],
    present: dict[str, bpy.types.FCurve],
) -> list[str]:
    """Whatever would keep the new keys from being seen; drivers are muted."""
    remarks: list[str] = []
    paths = {keys.key_blocks[name].path_from_id("value"): name for name in keyed}
    animation = keys.animation_data
    drivers, tracks = ((), ()) if animation is None else (animation.drivers, animation.nla_tracks)
    driven = [curve for curve in drivers if curve.data_path in paths and not curve.mute]
    if driven:
        names = ", ".join(paths[curve.data_path] for curve in driven[:4]) + (" …" if len(driven) > 4 else "")
        for curve in driven:
            curve.mute = True
        remarks.append(f"{len(driven)} keys are driven ({names}): their drivers were muted")
    muted = [name for name in keyed if keys.key_blocks[name].mute]
    if muted:
        remarks.append(f"Muted shape keys do not show their motion: {', '.join(muted[:4])}")
    muted_curves = [name for path, name in paths.items() if path in present and present[path].mute]
    if muted_curves:
        remarks.append(f"Muted curves do not move anything: {', '.join(muted_curves[:4])}")
    if obj.show_only_shape_key:
        remarks.append("“Solo active shape key” is on: turn it off to see the others move")
    if any(track.is_solo for track in tracks):
        remarks.append("An NLA track of the shape keys is soloed: the new keys are not heard until it is released")
    return remarks
