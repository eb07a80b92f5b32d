"""Keys on whatever a mapping moves: shape keys of several meshes, pose bones, custom properties."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix

from ....arrays import F32, F64
from ....errors import FacecapError
from ....rig.mapping.mapping import Target
from ..animation.action import KeyingReport, key_channels
from ..animation.curves import SLOTTED, Animated
from ..animation.groups import CONTROLS
from ..animation.lay_curves import Channel, Keying, lay_curves
from ..animation.own_action import TAKE
from ..animation.written_keys import record_of
from ..head.rest import mark_rests, mark_values, standing
from .bone_channels import bone_channels
from .check import datablock_of
from .targets import Controls, Place, find_places, property_limits, property_path

_BEYOND = 1e-4


def key_faces(
    controls: Controls, targets: Sequence[Target], frames: F64, values: F32, how: Keying
) -> KeyingReport | None:
    """Key the shape keys among some targets, on every mesh that has them; None if there are none.

    Args:
        targets: T, checked by `check_targets`.  frames: (F,) ascending.  values: (F, T).
    """
    columns: dict[bpy.types.Object, dict[str, int]] = {}
    for column, target in enumerate(targets):
        for place in find_places(controls, target) if target.kind == "key" else ():
            columns.setdefault(place.owner, {})[target.name] = column
    report: KeyingReport | None = None
    for mesh in sorted(columns, key=lambda mesh: mesh != controls.head):
        names = list(columns[mesh])
        inside = _inside_sliders(mesh, names, values[:, list(columns[mesh].values())])
        keyed = key_channels(
            mesh,
            names,
            frames,
            inside,
            mode=how.mode,
            name=how.name,
            influence=how.influence,
            take=how.take,
            keep=how.keep,
            in_strips=how.in_strips,
            within=how.within if report is None else report.action if how.mode == "new" else None,
        )
        if report is None:
            report = keyed
            continue
        report.animated += keyed.animated
        report.keyed += [name for name in keyed.keyed if name not in report.keyed]
        report.locked += keyed.locked
        report.remarks.append(f"“{mesh.name}” has {len(keyed.keyed)} of these shape keys, too, and they were keyed")
        report.remarks += [f"{mesh.name}: {remark}" for remark in keyed.remarks]
    return report


def key_controls(
    controls: Controls,
    targets: Sequence[Target],
    frames: F64,
    values: F32,
    how: Keying,
    report: KeyingReport,
    *,
    spared: Collection[str] = (),
    turned: Mapping[bpy.types.PoseBone, list[Matrix]] | None = None,
) -> None:
    """Key the bones and custom properties among some targets, and say so in a report.

    What an earlier bake of the take keyed on the same objects and this one does not is taken back.

    Args:
        targets: T, checked by `check_targets`.  frames: (F,) ascending.  values: (F, T).
        spared: curves, "path[index]", of the head's pose and the jaw: they are not taken back.
        turned: own transforms that bones have already, F each; the targets are added to them.
    """
    owners = _columns_by_owner(controls, targets, values, report, turned or {})
    for owner in controls.objects:
        if owner not in owners and how.mode == "new" and _is_of_take(owner, how.take):
            owners[owner] = {}, {}
    for owner, (columns, groups) in owners.items():
        _check_library(owner)
        bones = {bone.name: bone for (path, _) in columns if (bone := _bone_of(owner, path)) is not None}
        stood = {bone: standing(bone) for bone in bones.values()}
        before = {path: owner.path_resolve(path) for path, _ in columns if path.endswith("]")}
        present = how.mode == "mix" or (not how.take and owner in report.animated)
        laid = lay_curves(
            owner,
            frames,
            columns,
            replace(how, mode="mix" if present else "new", within=report.action if SLOTTED and not present else None),
            group_of=lambda channel, groups=groups: groups[channel],
            is_stale=lambda name: name not in spared,
            present=lambda channel, owner=owner: _present(owner, channel),
        )
        if columns:
            mark_rests(
                owner, {bone.name: how_it_stood for bone, how_it_stood in stood.items()}, laid.action, made=laid.made
            )
            mark_values(owner, before, laid.action, made=laid.made)
            report.action = report.action or laid.action
            report.animated += [] if owner in report.animated else [owner]
        locked = set(laid.locked)
        report.controls += list(dict.fromkeys(groups[one] for one in columns if one not in locked))
        report.locked += [f"{path}[{index}]" for path, index in laid.locked]


def columns_of(controls: Controls, targets: Sequence[Target], values: F32) -> dict[Animated, dict[Channel, F64]]:
    """The channels of every datablock that some targets move, with their values (F,)."""
    found: dict[Animated, dict[Channel, F64]] = {}
    for column, target in enumerate(targets):
        for place in find_places(controls, target) if target.kind == "key" else ():
            block = place.block
            if block is not None:
                inside = np.clip(values[:, column].astype(np.float64), block.slider_min, block.slider_max)
                found.setdefault(datablock_of(place), {})[block.path_from_id("value"), 0] = inside
    for owner, (columns, _) in _columns_by_owner(controls, targets, values, KeyingReport(None), {}).items():
        found[owner] = columns
    return found


def _columns_by_owner(
    controls: Controls,
    targets: Sequence[Target],
    values: F32,
    report: KeyingReport,
    turned: Mapping[bpy.types.PoseBone, list[Matrix]],
) -> dict[bpy.types.Object, tuple[dict[Channel, F64], dict[Channel, str]]]:
    """The channels of each object with their values and groups."""
    owners: dict[bpy.types.Object, tuple[dict[Channel, F64], dict[Channel, str]]] = {}
    axes: dict[bpy.types.PoseBone, dict[str, F64]] = {}
    for column, target in enumerate(targets):
        if target.kind == "key":
            continue
        place = find_places(controls, target)[0]
        if target.kind == "bone" and place.bone is not None:
            axes.setdefault(place.bone, {})[target.axis] = values[:, column].astype(np.float64)
            owners.setdefault(place.owner, ({}, {}))
            continue
        columns, groups = owners.setdefault(place.owner, ({}, {}))
        channel = property_path(target, place), 0
        columns[channel] = _inside_limits(target, place, values[:, column].astype(np.float64), report)
        groups[channel] = CONTROLS if place.bone is None else place.bone.name
    for bone, moved in axes.items():
        owner = next(owner for owner in owners if owner == bone.id_data)
        columns, groups = owners[owner]
        prefix = bone.path_from_id() + "."
        for (path, index), column in bone_channels(bone, moved, onto=turned.get(bone)).items():
            columns[prefix + path, index], groups[prefix + path, index] = column, bone.name
    return owners


def _inside_sliders(mesh: bpy.types.Object, names: Sequence[str], values: F32) -> F64:
    keys = mesh.data.shape_keys if isinstance(mesh.data, bpy.types.Mesh) else None
    assert keys is not None
    blocks = [keys.key_blocks[name] for name in names]
    low, high = [b.slider_min for b in blocks], [b.slider_max for b in blocks]
    return np.clip(values.astype(np.float64), low, high)


def _inside_limits(target: Target, place: Place, column: F64, report: KeyingReport) -> F64:
    low, high = property_limits(target, place)
    inside = np.clip(column, low, high)
    beyond = int((np.abs(inside - column) > _BEYOND).sum())
    if beyond:
        report.remarks.append(f"“{target.name}” was kept inside its limits, {low:g} to {high:g}, on {beyond} frames")
    return inside


def _is_of_take(owner: bpy.types.Object, take: str) -> bool:
    """Whether what animates an object is a take's own action that remembers its keys."""
    animation = owner.animation_data
    action = None if animation is None else animation.action
    return bool(take) and action is not None and action.get(TAKE) == take and record_of(owner) is not None


def _bone_of(owner: bpy.types.Object, path: str) -> bpy.types.PoseBone | None:
    """The bone that a data path is of, where it is one of its transforms."""
    if not path.startswith("pose.bones[") or path.endswith("]"):
        return None
    found = owner.path_resolve(path.rpartition(".")[0])
    return found if isinstance(found, bpy.types.PoseBone) else None


def _present(owner: bpy.types.Object, channel: Channel) -> float:
    value = owner.path_resolve(channel[0])
    return float(value if isinstance(value, (int, float)) else value[channel[1]])


def _check_library(owner: bpy.types.Object) -> None:
    if owner.library is not None:
        raise FacecapError(f"“{owner.name}” is linked from another file.", "Make a library override of it.")
