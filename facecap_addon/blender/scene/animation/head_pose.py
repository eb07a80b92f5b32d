"""The head's motion in front of the camera, as rotation and location keys of an object or a bone."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector
from numpy.typing import NDArray

from ....errors import FacecapError
from ....geometry.poses import pose_matrices
from ..head.character import metres_per_unit
from ..head.rest import TRANSFORMS, Target, mark_rest, rest_matrix, rest_pose, standing
from ..objects import owner_of
from .groups import HEAD
from .lay_curves import Keying, lay_curves

_BLENDER_FROM_CV = np.diag([1.0, -1.0, -1.0])  # Blender's cameras look along -Z with Y up


def camera_from_rig(
    rotation_wxyz: NDArray[np.floating], translation_m: NDArray[np.floating], head_from_rig: NDArray[np.floating] | None
) -> NDArray[np.float64]:
    """(F, 4, 4) float64: rig space (metres) to camera space (metres), from head poses (F, 4) and (F, 3)."""
    pose = pose_matrices(rotation_wxyz, translation_m)
    return pose if head_from_rig is None else pose @ np.asarray(head_from_rig, np.float64)


def world_from_camera(obj: bpy.types.Object, camera_from_rig_reference: NDArray[np.float64]) -> Matrix:
    """Where a Blender camera must stand so that the resting character looks as the head does at the reference frame.

    Args:
        obj: the character.
        camera_from_rig_reference: (4, 4), camera space from rig space (metres) at that frame.
    """
    rig_from_camera = np.linalg.inv(camera_from_rig_reference)
    placed = np.eye(4)
    placed[:3, :3] = rig_from_camera[:3, :3] @ _BLENDER_FROM_CV
    placed[:3, 3] = rig_from_camera[:3, 3] / metres_per_unit() + np.array(rest_matrix(obj).translation)
    return Matrix(placed.tolist())


def world_motion(
    obj: bpy.types.Object, camera_from_rig_all: NDArray[np.float64], reference: int, *, rest: Matrix | None = None
) -> list[Matrix]:
    """How the head moves in the world, relative to where the character rests.

    Args:
        obj: the character; its resting origin is the origin of rig space.
        camera_from_rig_all: (F, 4, 4), metres.
        reference: index of the frame at which the head is where the character rests.
        rest: the character's placement at rest, where its present one is not that.
    Returns:
        F world-space transforms; the identity at the reference frame.
    """
    motion = np.linalg.inv(camera_from_rig_all[reference]) @ camera_from_rig_all
    origin = np.array((rest_matrix(obj) if rest is None else rest).translation)
    rotation = motion[:, :3, :3]
    shift = motion[:, :3, 3] / metres_per_unit() + origin - rotation @ origin
    motion[:, :3, 3] = shift
    return [Matrix(m.tolist()) for m in motion]


def bases_of(target: Target, motion: list[Matrix]) -> list[Matrix]:
    """The own transform (before parents) of an object or a pose bone for each world motion from its rest."""
    return _bone_bases(target, motion) if isinstance(target, bpy.types.PoseBone) else _object_bases(target, motion)


def check_movable(target: Target) -> None:
    """Raise FacecapError if an object or a pose bone cannot be animated."""
    owner = owner_of(target)
    if owner.library is not None and owner.override_library is None:
        raise FacecapError(
            f"“{owner.name}” is linked from another file, so it cannot be animated here.",
            "Make a library override of it, or bake the head pose to nothing.",
        )


def key_bases(
    target: Target,
    frames: NDArray[np.floating],
    bases: list[Matrix],
    *,
    location: bool = True,
    mode: str = "new",
    name: str = "FaceCap",
    within: bpy.types.Action | None = None,
    take: str = "",
    keep: bool = False,
    in_strips: bool = False,
    group: str = HEAD,
    added_to: Matrix | None = None,
) -> bpy.types.Action:
    """Key an object's or a pose bone's own transforms (before its parents).

    How it stood before is remembered, so that a later solve is not turned by these keys.

    Args:
        target: the object or pose bone to move.
        frames: (F,) ascending scene frames.
        bases: F own transforms.
        location: whether to key the location too, not only the rotation.
        mode, take, keep, in_strips: as in `key_channels`.
        within: the shape keys' action; where actions have slots, the keys go into it.
        group: of the curves.
        added_to: own transform from which the keys are differences; None: they are whole transforms.
    """
    is_bone = isinstance(target, bpy.types.PoseBone)
    owner = owner_of(target)
    curves_by_path = _channel_values(target, bases, location=location and not (is_bone and target.bone.use_connect))
    if added_to is not None:
        curves_by_path = _differences(target, curves_by_path, added_to)
    stood = standing(target)
    prefix = target.path_from_id() + "." if is_bone else ""
    laid = lay_curves(
        owner,
        np.asarray(frames, np.float64),
        {(prefix + path, index): values for (path, index), values in curves_by_path.items()},
        Keying(mode, name, take=take, keep=keep, in_strips=in_strips, within=within),
        group_of=lambda _: group,
        is_stale=lambda name: name.removeprefix(prefix).partition("[")[0] in TRANSFORMS,
        respect_locks=False,
    )
    mark_rest(target, stood, laid.action, made=laid.made)
    return laid.action


def head_channels(
    target: Target, motion: list[Matrix], *, location: bool = True
) -> dict[tuple[str, int], NDArray[np.float64]]:
    """What `key_bases` keys of an object or a bone for world motions: values by data path on its owner and index."""
    is_bone = isinstance(target, bpy.types.PoseBone)
    prefix = target.path_from_id() + "." if is_bone else ""
    location = location and not (is_bone and target.bone.use_connect)
    values = _channel_values(target, bases_of(target, motion), location=location)
    return {(prefix + path, index): column for (path, index), column in values.items()}


class Placement(NamedTuple):
    """Where an object rests in the world, and the inverse of what its parents do."""

    rest: Matrix
    undo: Matrix


def placement_of(target: bpy.types.Object) -> Placement:
    """An object's placement now."""
    parent = target.matrix_world @ target.matrix_basis.inverted_safe()
    return Placement(rest_matrix(target), parent.inverted_safe())


def place_head(target: Target, motion: Matrix, placed: Placement, *, location: bool = True) -> None:
    """Turn and move an object or a pose bone as `key_bases` would, without keys.

    Args:
        placed: the object's placement before it was first moved so: what has no keys has no other memory of its rest.
    """
    is_bone = isinstance(target, bpy.types.PoseBone)
    bases = _bone_bases(target, [motion]) if is_bone else _object_bases(target, [motion], placed)
    values = _channel_values(target, bases, location=location and not (is_bone and target.bone.use_connect))
    for (path, index), value in values.items():
        getattr(target, path)[index] = float(value[0])


def _object_bases(target: bpy.types.Object, motion: list[Matrix], placed: Placement | None = None) -> list[Matrix]:
    """The object's own transform (before parents) for each world motion."""
    rest, undo = placed or placement_of(target)
    delta = Matrix.Identity(3)
    if target.rotation_mode == "QUATERNION":
        delta = target.delta_rotation_quaternion.to_matrix()
    elif target.rotation_mode != "AXIS_ANGLE":
        delta = target.delta_rotation_euler.to_matrix()
    bases: list[Matrix] = []
    for moved in motion:
        place, turn, _ = (undo @ moved @ rest).decompose()
        turn = delta.inverted() @ turn.to_matrix()
        bases.append(Matrix.Translation(place - target.delta_location) @ turn.to_4x4())
    return bases


def _bone_bases(target: bpy.types.PoseBone, motion: list[Matrix]) -> list[Matrix]:
    """The pose bone's own transform for each world motion; its rest is the unposed bone under its present parent."""
    world = rest_matrix(owner_of(target))
    undo = world.inverted_safe()
    parent, bone = target.parent, target.bone
    local = {"parent_matrix": parent.matrix, "parent_matrix_local": parent.bone.matrix_local} if parent else {}
    rest = rest_pose(target)
    return [
        bone.convert_local_to_pose(undo @ moved @ world @ rest, bone.matrix_local, invert=True, **local)
        for moved in motion
    ]


def _channel_values(
    target: Target, bases: list[Matrix], *, location: bool
) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Values over time of each transform channel, in the target's own rotation mode, without jumps."""
    path, rows = rotation_rows(target.rotation_mode, [basis.to_quaternion() for basis in bases])
    columns = {(path, index): column for index, column in enumerate(np.array(rows, np.float64).T)}
    if location:
        places = np.array([basis.translation for basis in bases], np.float64)
        columns |= {("location", index): places[:, index] for index in range(3)}
    return columns


def channels_of(target: Target, *, location: bool) -> list[tuple[str, int]]:
    """Data paths, on the target's owner, with array indices, that `key_bases` keys."""
    is_bone = isinstance(target, bpy.types.PoseBone)
    prefix = target.path_from_id() + "." if is_bone else ""
    location = location and not (is_bone and target.bone.use_connect)
    return [(prefix + path, index) for path, index in _channel_values(target, [Matrix.Identity(4)], location=location)]


def _differences(
    target: Target, values: dict[tuple[str, int], NDArray[np.float64]], base: Matrix
) -> dict[tuple[str, int], NDArray[np.float64]]:
    """What has to be combined with a transform so that it becomes others: a strip of the NLA that combines does so."""
    own = _channel_values(target, [base], location=True)
    if target.rotation_mode != "QUATERNION":
        return {channel: column - own[channel][0] for channel, column in values.items()}
    back = Quaternion([own["rotation_quaternion", index][0] for index in range(4)]).inverted()
    turns = np.array([values["rotation_quaternion", index] for index in range(4)]).T
    turned = np.array([back @ Quaternion(turn) for turn in turns.tolist()])
    return {
        (path, index): turned[:, index] if path == "rotation_quaternion" else column - own[path, index][0]
        for (path, index), column in values.items()
    }


def rotation_rows(mode: str, turns: list[Quaternion]) -> tuple[str, list[tuple[float, ...]]]:
    """The data path of a rotation of some mode, and its values at every one of some turns, without jumps."""
    if mode == "QUATERNION":
        for before, after in pairwise(turns):
            after.make_compatible(before)
        return "rotation_quaternion", [turn[:] for turn in turns]
    if mode == "AXIS_ANGLE":
        rows: list[tuple[float, ...]] = []
        axis_before = Vector((0.0, 0.0, 1.0))
        for turn in turns:
            axis, angle = turn.to_axis_angle()
            if abs(angle) < 1e-9:
                axis = axis_before
            elif axis.dot(axis_before) < 0.0:
                axis, angle = -axis, -angle
            axis_before = axis
            rows.append((angle, *axis))
        return "rotation_axis_angle", rows
    eulers: list[Euler] = []
    for turn in turns:
        eulers.append(turn.to_euler(mode, eulers[-1]) if eulers else turn.to_euler(mode))
    return "rotation_euler", [euler[:] for euler in eulers]
