"""Location, turns and scale of a pose bone as the channels that Blender has for them."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ....arrays import F64
from ..animation.head_pose import rotation_rows
from ..head.character import metres_per_unit
from ..objects import owner_of

Channel = tuple[str, int]
"""A data path, below the bone, and the place in its array."""
_XYZ = "xyz"
_EULERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def bone_channels(
    bone: bpy.types.PoseBone, values: Mapping[str, F64], *, onto: list[Matrix] | None = None
) -> dict[Channel, F64]:
    """The channels that move a bone so; those that are locked are left out.

    In Euler angles a turn about one axis is that angle alone; otherwise the axes that are not given do not turn.

    Args:
        values: (F,) each, by axis (see `Target`).
        onto: F own transforms that the bone has already, before these; all of its channels are given then.
    """
    if onto is not None:
        return _channels_onto(bone, values, onto)
    found: dict[Channel, F64] = {}
    unit = units_per_metre(bone)
    turns: dict[int, F64] = {}
    for axis, column in values.items():
        what, _, letter = axis.partition(".")
        index = _XYZ.index(letter)
        if is_locked(bone, axis):
            continue
        if what == "rotation":
            turns[index] = column
        else:
            found[what, index] = column * unit if what == "location" else 1.0 + column
    return found | (_turn_channels(bone, turns) if turns else {})


def _channels_onto(bone: bpy.types.PoseBone, values: Mapping[str, F64], onto: list[Matrix]) -> dict[Channel, F64]:
    """The channels of transforms that come after others."""
    unit, count = units_per_metre(bone), len(onto)

    def vectors(what: str) -> F64:
        columns = [values.get(f"{what}.{letter}", np.zeros(count)) for letter in _XYZ]
        open_axes = [not is_locked(bone, f"{what}.{letter}") for letter in _XYZ]
        return np.stack(columns, 1) * open_axes

    places, turns = vectors("location") * unit, quaternions_of(vectors("rotation"))
    bases = [
        before @ Matrix.LocRotScale(Vector(place), Quaternion(turn), None)
        for before, place, turn in zip(onto, places.tolist(), turns.tolist(), strict=True)
    ]
    path, rows = rotation_rows(bone.rotation_mode, [basis.to_quaternion() for basis in bases])
    found = {(path, index): column for index, column in enumerate(np.array(rows, np.float64).T)}
    if not bone.bone.use_connect:
        moved = np.array([basis.translation for basis in bases], np.float64)
        found |= {("location", index): moved[:, index] for index in range(3)}
    scaled = {axis: column for axis, column in values.items() if axis.startswith("scale")}
    return found | bone_channels(bone, scaled)


def is_locked(bone: bpy.types.PoseBone, axis: str) -> bool:
    """Whether an axis of a bone is locked, or is a place that the bone cannot leave since it is connected."""
    what, _, letter = axis.partition(".")
    if what == "location" and bone.bone.use_connect:
        return True
    return bool(getattr(bone, f"lock_{what}")[_XYZ.index(letter)])


def units_per_metre(bone: bpy.types.PoseBone) -> float:
    """How many units a metre of the scene is in the bone's own armature."""
    scale = float(np.cbrt(abs(owner_of(bone).matrix_world.determinant()))) or 1.0
    return 1.0 / (metres_per_unit() * scale)


def _turn_channels(bone: bpy.types.PoseBone, turns: Mapping[int, F64]) -> dict[Channel, F64]:
    """A rotation vector, some of its components, in the bone's own rotation mode."""
    mode = bone.rotation_mode
    if mode in _EULERS and len(turns) == 1:
        return {("rotation_euler", index): column for index, column in turns.items()}
    vectors = np.zeros((len(next(iter(turns.values()))), 3))
    for index, column in turns.items():
        vectors[:, index] = column
    quaternions = quaternions_of(vectors)
    if mode == "QUATERNION":  # a vector that goes on without a jump makes one that does
        path, rows = "rotation_quaternion", quaternions
    else:
        path, listed = rotation_rows(mode, [Quaternion(row) for row in quaternions.tolist()])
        rows = np.array(listed, np.float64)
    locked = _locked_components(bone, path)
    return {(path, index): column for index, column in enumerate(rows.T) if index not in locked}


def quaternions_of(vectors: F64) -> F64:
    """(F, 4) w, x, y, z of rotation vectors (F, 3), radians."""
    angle = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), vectors * np.sinc(angle / (2 * np.pi)) / 2], axis=1)


def _locked_components(bone: bpy.types.PoseBone, path: str) -> set[int]:
    """Which components of a rotation are locked each for itself; of four, Blender locks them only where it is asked."""
    locked = [index for index in range(3) if bone.lock_rotation[index]]
    if path == "rotation_euler":
        return set(locked)
    if not bone.lock_rotations_4d:
        return set()
    return {index + 1 for index in locked} | ({0} if bone.lock_rotation_w else set())
