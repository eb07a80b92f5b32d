"""Drivers that read, by whatever way, what they themselves move: Blender shows some old value then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import bpy

from ....rig.mapping.mapping import Target
from ..objects import keys_of
from .targets import Controls, Place, property_path

_Node = tuple[str, str]
"""A datablock by its kind and full name, and a data path; of what a bone's channels make, the bone's."""
_TRANSFORMS = ("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale")


def find_cycles(controls: Controls, places: Mapping[Target, Sequence[Place]]) -> list[Target]:
    """Those of some targets that move something in a circle of drivers."""
    after: dict[_Node, set[_Node]] = {}
    for owner in controls.objects:
        for datablock in (owner, owner.data, keys_of(owner)):
            for before, moved in [] if datablock is None else _edges(datablock):
                after.setdefault(before, set()).add(moved)
    circling = {node for node in after if node in _reach(after, after[node])}
    if not circling:
        return []
    return [
        target
        for target, found in places.items()
        if any(circling & _reach(after, {node}) for place in found for node in _nodes(target, place))
    ]


def _edges(datablock: bpy.types.ID) -> Iterator[tuple[_Node, _Node]]:
    """What a datablock's drivers read, and what they move."""
    animation = getattr(datablock, "animation_data", None)
    for curve in () if animation is None else animation.drivers:
        if curve.mute or curve.driver is None:
            continue
        moved = [_node(datablock, curve.data_path, curve.array_index)]
        bone = _bone_path(curve.data_path)
        if bone and curve.data_path.rpartition(".")[2] in _TRANSFORMS:
            yield moved[0], _node(datablock, bone)
        for variable in curve.driver.variables:
            for read in variable.targets:
                if read.id is None:
                    continue
                if variable.type == "SINGLE_PROP":
                    yield _as_read(read.id, read.data_path), moved[0]
                elif read.bone_target and isinstance(read.id, bpy.types.Object) and read.id.pose is not None:
                    bones = read.id.pose.bones.get(read.bone_target)
                    for one in () if bones is None else (bones, *bones.parent_recursive):
                        yield _node(read.id, one.path_from_id()), moved[0]


def _reach(after: Mapping[_Node, set[_Node]], first: set[_Node]) -> set[_Node]:
    """Some nodes and all that hangs on them."""
    seen, waiting = set(first), list(first)
    while waiting:
        for node in after.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen


def _nodes(target: Target, place: Place) -> set[_Node]:
    """What moves with a target, before any driver."""
    keys = None if place.block is None else place.block.id_data
    if place.block is not None and keys is not None:
        return {_node(keys, place.block.path_from_id("value"))}
    if target.kind == "property" or place.bone is None:
        return {_node(place.owner, property_path(target, place))}
    path, index = place.bone.path_from_id(), "xyz".index(target.axis[-1])
    names = [name for name in _TRANSFORMS if name.startswith(target.axis.partition(".")[0])]
    return {_node(place.owner, path)} | {_node(place.owner, f"{path}.{name}", index) for name in names}


def _node(datablock: bpy.types.ID, path: str, index: int = 0) -> _Node:
    is_array = path.rpartition(".")[2] in _TRANSFORMS
    return f"{datablock.id_type}:{datablock.name_full}", f"{path}[{index}]" if is_array else path


def _as_read(datablock: bpy.types.ID, path: str) -> _Node:
    """What a path that is read means: with the place in an array, or by its letter."""
    for number, letter in enumerate("xyz"):
        if path.endswith(f".{letter}") and path[:-2].rpartition(".")[2] in _TRANSFORMS:
            return _node(datablock, path[:-2], number)
    return f"{datablock.id_type}:{datablock.name_full}", path


def _bone_path(path: str) -> str:
    """The bone's part of a data path; "" if it is none of a bone's."""
    if not path.startswith('pose.bones["'):
        return ""
    return path[: path.find('"]', len('pose.bones["')) + 2]
