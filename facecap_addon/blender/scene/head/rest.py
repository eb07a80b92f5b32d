"""Where a character rests: its placement without the motion that an earlier bake put on it or on what carries it.

What a bake moves is remembered on the action that moves it, by the action's slot, so that neither renaming nor
duplicating an object loses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import bpy
from mathutils import Matrix

from ..animation.curves import SLOTTED
from ..objects import owner_of

Target = bpy.types.Object | bpy.types.PoseBone
TRANSFORMS = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle")
_MARK = "facecap_rest"  # on an action, with the slot's handle: how each thing it moves stood before
_VALUES = "facecap_rest_values"  # likewise: what custom properties were
_BY_NAME = "facecap_rest_matrix"  # in files of earlier versions, with the object's name
_LONGEST_NAME = 63

# Constraints that put a place or a turn of their own where the keys have theirs.
_DECIDING = {
    "COPY_TRANSFORMS", "COPY_ROTATION", "COPY_LOCATION", "TRANSFORM", "TRACK_TO", "DAMPED_TRACK", "LOCKED_TRACK",
    "ARMATURE", "FOLLOW_PATH", "FOLLOW_TRACK", "OBJECT_SOLVER", "LIMIT_ROTATION", "ACTION", "IK", "SPLINE_IK",
    "TRANSFORM_CACHE", "PIVOT",
}  # fmt: skip


def rest_matrix(obj: bpy.types.Object) -> Matrix:
    """The object's placement in the world when no baked pose moves it or what it hangs on."""
    placed = obj.matrix_world.copy()
    below, owner = obj, obj
    while owner is not None:
        for action, marks in _marks(owner):
            by_name = action.get(f"{_BY_NAME}:{obj.name}"[:_LONGEST_NAME])
            if by_name is not None:
                return _matrix(list(by_name))
            if not marks:
                continue
            world = owner.matrix_world
            for bone in _moved_bones(owner, below, marks):  # from the lowest up: each alone is put at its rest
                placed = world @ rest_pose(bone) @ bone.matrix.inverted_safe() @ world.inverted_safe() @ placed
            if "" in marks:
                parents = owner.matrix_world @ owner.matrix_basis.inverted_safe()
                placed = parents @ _matrix(marks[""]["basis"]) @ owner.matrix_world.inverted_safe() @ placed
            break
        below, owner = owner, owner.parent
    return placed


def rest_pose(bone: bpy.types.PoseBone) -> Matrix:
    """The bone's pose, in its armature's space, when it does nothing of its own under its present parent."""
    own, parent = bone.bone, bone.parent
    if parent is None:
        return own.convert_local_to_pose(Matrix.Identity(4), own.matrix_local)
    return own.convert_local_to_pose(
        Matrix.Identity(4),
        own.matrix_local,
        parent_matrix=parent.matrix,
        parent_matrix_local=parent.bone.matrix_local,
    )


def standing(target: Target) -> dict[str, Any]:
    """How an object or a pose bone stands when no bake moves it: for `mark_rest`, to be read before it is keyed."""
    owner = owner_of(target)
    name = target.name if isinstance(target, bpy.types.PoseBone) else ""
    for _, marks in _marks(owner):
        if name in marks:
            return marks[name]
    paths = (*TRANSFORMS, "scale") if name else TRANSFORMS
    values: dict[str, Any] = {path: list(getattr(target, path)) for path in paths}
    return values | {"basis": [value for row in target.matrix_basis for value in row]}


def is_marked(bone: bpy.types.PoseBone) -> bool:
    """Whether a bake moves a bone now."""
    return any(bone.name in marks for _, marks in _marks(owner_of(bone)))


def mark_rest(target: Target, stood: dict[str, Any], action: bpy.types.Action, *, made: bool) -> None:
    """Remember, on the action that moves a target now, how the target stood before.

    Args:
        stood: what `standing` gave before.  made: whether the action was made for this bake: it may be taken off again.
    """
    name = target.name if isinstance(target, bpy.types.PoseBone) else ""
    mark_rests(owner_of(target), {name: stood}, action, made=made)


def mark_rests(
    owner: bpy.types.Object, stood: Mapping[str, dict[str, Any]], action: bpy.types.Action, *, made: bool
) -> None:
    """As `mark_rest`, of an object's bones by their names, "" for the object itself."""
    key = _key(owner)
    marks = json.loads(action.get(key, "{}"))
    own = made or (bool(marks) and all(mark["own"] for mark in marks.values()))
    marks.update({name: {**one, "own": own} for name, one in stood.items()})
    action[key] = json.dumps(marks)


def mark_values(owner: bpy.types.Object, values: Mapping[str, float], action: bpy.types.Action, *, made: bool) -> None:
    """Remember, on the action that moves custom properties now, what they were before, by their data paths."""
    key = _key(owner, _VALUES)
    before = json.loads(action.get(key, "{}"))
    if made and values:
        action[key] = json.dumps({**values, **before})


def take_off(owners: Iterable[bpy.types.Object]) -> list[str]:
    """Take off what earlier bakes put on objects, and put these back as they stood; the actions stay in the file.

    Returns the names of objects that an earlier bake moves within an action of the user's own, which stays.
    """
    left: list[str] = []
    for owner in owners:
        animation = owner.animation_data
        action = None if animation is None else animation.action
        if animation is None or action is None or (SLOTTED and animation.action_slot is None):
            continue
        marks = json.loads(action.get(_key(owner), "{}"))
        values = json.loads(action.get(_key(owner, _VALUES), "{}"))
        if not marks and not values:
            continue
        if not all(mark["own"] for mark in marks.values()):
            left.append(owner.name)
            continue
        action.use_fake_user = True
        animation.action = None
        for name, stood in marks.items():
            target = owner.pose.bones.get(name) if name and owner.pose else owner
            for path in (*TRANSFORMS, "scale") if target is not None else ():
                if path in stood:  # earlier versions did not remember the scale
                    setattr(target, path, stood[path])
        for path, value in values.items():
            _set_value(owner, path, value)
        owner.update_tag()
    return left


def carriers(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """What may move an object: itself, all that it hangs on, and the armatures that deform it."""
    found: list[bpy.types.Object] = []
    owner: bpy.types.Object | None = obj
    while owner is not None:
        found.append(owner)
        owner = owner.parent
    armatures = [m.object for m in obj.modifiers if isinstance(m, bpy.types.ArmatureModifier)]
    found += [armature for armature in armatures if armature is not None]
    return list(dict.fromkeys(found))


def holding(target: Target) -> list[str]:
    """What decides where an object or a bone is, so that keys on it are not seen: constraints and drivers by name."""
    found = [
        f"the constraint “{constraint.name}”"
        for constraint in target.constraints
        if not constraint.mute and constraint.influence > 0 and constraint.type in _DECIDING
    ]
    owner = owner_of(target)
    prefix = target.path_from_id() + "." if isinstance(target, bpy.types.PoseBone) else ""
    paths = {prefix + path for path in ("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle")}
    drivers = owner.animation_data.drivers if owner.animation_data else ()
    driven = sorted(
        {curve.data_path.rpartition(".")[2] for curve in drivers if curve.data_path in paths and not curve.mute}
    )
    return found + [f"a driver on its {path.replace('_', ' ')}" for path in driven]


def _marks(owner: bpy.types.Object) -> list[tuple[bpy.types.Action, dict[str, Any]]]:
    """The actions that move an object, its active one and those in its NLA strips, and what they remember of it."""
    animation = owner.animation_data
    if animation is None:
        return []
    moving = [(animation.action, animation.action_slot if SLOTTED else None)]
    for track in animation.nla_tracks:
        moving += [(strip.action, strip.action_slot if SLOTTED else None) for strip in track.strips]
    return [
        (action, json.loads(action.get(f"{_MARK}:{slot.handle if slot else 0}", "{}")))
        for action, slot in moving
        if action is not None
    ]


def _key(owner: bpy.types.Object, mark: str = _MARK) -> str:
    slot = owner.animation_data.action_slot if SLOTTED and owner.animation_data is not None else None
    return f"{mark}:{slot.handle if slot else 0}"


def _set_value(owner: bpy.types.Object, path: str, value: float) -> None:
    """Set a custom property by its data path, where it is still there."""
    before, _, name = path.rpartition("[")
    try:
        owner.path_resolve(path)
    except ValueError:
        return
    has_it = owner.path_resolve(before) if before else owner
    has_it[json.loads(name.removesuffix("]"))] = value


def _moved_bones(
    armature: bpy.types.Object, below: bpy.types.Object, marks: dict[str, Any]
) -> list[bpy.types.PoseBone]:
    """The bones that a bake moves and on which an object hangs, directly or by other bones, the lowest first."""
    if armature.pose is None or below.parent is not armature or below.parent_type != "BONE":
        return []
    bone = armature.pose.bones.get(below.parent_bone)
    return [] if bone is None else [one for one in (bone, *bone.parent_recursive) if one.name in marks]


def _matrix(values: list[float]) -> Matrix:
    return Matrix([tuple(values[4 * row : 4 * row + 4]) for row in range(4)])
