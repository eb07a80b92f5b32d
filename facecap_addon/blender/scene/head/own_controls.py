"""A face with neither shape keys nor a mapping: each control that moves it becomes a channel of its own.

The mapping from those channels to the controls is the plain one, so what is solved on them can be keyed.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ....arrays import F32, Bools
from ....errors import FacecapError
from ....rig.mapping.mapping import Link, Mapping, Target
from ..controls.bone_channels import is_locked
from ..controls.targets import Controls, find_places, property_limits, read_targets
from ..objects import owner_of
from .control_deltas import STILL_M, Stage, moves_whole, on_stage
from .parts import head_bone

NAME = "Each control by itself"
MOST = 160
"""More channels than these cannot be told apart in one face; those that move it most are kept."""
_AXES = tuple(f"{what}.{axis}" for what in ("location", "rotation") for axis in "xyz")
_REACH = 0.04
"""How far a channel moves the face at a weight of 1, in parts of the height of what follows the head."""
_LEAST = 0.0015
_NEW = 0.4
"""What of a displacement has to be new, by its norm, for a control to be told apart from larger ones."""
_TRY_TURN, _MOST_TURN = 0.1, 0.5
_MOST_SHIFT = 0.08
_FOLLOWS = 0.4


def find_own_controls(obj: bpy.types.Object) -> Mapping:
    """Every control that moves a face, each as a channel of its own with a factor that moves it visibly.

    Tried are location and rotation of the bones that have a shape of their own or, where none has, that deform; and
    custom properties. Those that move nothing, the whole head, or what another one does already are left out.

    Raises:
        FacecapError: nothing moves the face; or the character cannot be evaluated.
    """
    with on_stage(obj) as stage:
        head = head_vertices(obj, stage)
        height = float(np.ptp(stage.rest[head], axis=0).max())
        found: list[tuple[Link, F32]] = []
        for target in find_candidates(obj, stage.controls):
            tried = try_value(stage.controls, target, height)
            for sign in (1.0, -1.0) if target.kind == "bone" else (1.0,):
                field = stage.displace({target: sign * tried})
                if moves_face(stage, field, head, height):
                    link = _link(target, sign * tried, field, height)
                    found.append((link, field * np.float32(link.factor / (sign * tried))))
                    break
    kept = _distinct([field for _, field in found])
    if not kept:
        raise FacecapError(
            f"No bone or property of “{obj.name}” moves its face.",
            "Make Shape Keys gives it some; or bind it to the bones of a face.",
        )
    return Mapping(NAME, tuple(found[k][0] for k in kept))


def find_candidates(obj: bpy.types.Object, controls: Controls) -> list[Target]:
    """What an animator would take hold of."""
    bones = [bone for armature in controls.armatures for bone in (armature.pose.bones if armature.pose else ())]
    shaped = any(bone.custom_shape is not None for bone in bones)
    kept: list[Target] = []
    for target in read_targets(obj):
        places = find_places(controls, target)
        if len(places) != 1:
            continue
        bone = places[0].bone
        if target.kind == "bone" and bone is not None:
            chosen = bone.custom_shape is not None if shaped else bone.bone.use_deform
            if chosen and target.axis in _AXES and not is_locked(bone, target.axis):
                kept.append(target)
        elif target.kind == "property":
            low, high = property_limits(target, places[0])
            if high - low < 100:
                kept.append(target)
    return kept


def try_value(controls: Controls, target: Target, height: float) -> float:
    if target.kind == "property":
        return property_limits(target, find_places(controls, target)[0])[1]
    return _TRY_TURN if target.axis.startswith("rotation") else 0.5 * _REACH * height


def moves_face(stage: Stage, field: F32, head: Bools, height: float) -> bool:
    """Whether a displacement (V, 3) is one of the face alone."""
    reach = np.linalg.norm(field, axis=1)
    if reach.max(initial=0.0) < _LEAST * height:
        return False
    in_head = float((reach[head] ** 2).sum()) / float((reach**2).sum())
    return in_head > 0.9 and not moves_whole(stage.rest[head], field[head])


def _link(target: Target, tried: float, field: F32, height: float) -> Link:
    """The channel of a control, scaled so that it moves the face visibly at a weight of 1."""
    name = f"{target.name} {target.axis.replace('.', ' ')}".strip()
    name = name if not target.owner else f"{target.owner}: {name}"
    if target.kind == "property":
        return Link(name, target, tried)
    most = _MOST_TURN if target.axis.startswith("rotation") else _MOST_SHIFT * height
    size = _REACH * height / float(np.linalg.norm(field, axis=1).max()) * abs(tried)
    return Link(name, target, float(np.sign(tried)) * float(f"{min(size, most):.4g}"))


def _distinct(fields: Sequence[F32]) -> list[int]:
    """Which displacements are not made up of larger ones; at most MOST, in their order."""
    basis = np.zeros((0, fields[0].size if fields else 0), np.float32)
    kept: list[int] = []
    sizes = [float(np.linalg.norm(field)) for field in fields]
    for k in np.argsort([-size for size in sizes], kind="stable"):
        left = fields[k].ravel() - (basis @ fields[k].ravel()) @ basis
        size = float(np.linalg.norm(left))
        if size > _NEW * sizes[k]:
            basis = np.concatenate([basis, left[None] / size])
            kept.append(int(k))
        if len(kept) == MOST:
            break
    return sorted(kept)


def head_vertices(obj: bpy.types.Object, stage: Stage) -> Bools:
    """(V,) which vertices follow the bone of the head when it is moved; all where there is none."""
    bone = head_bone(obj)
    if bone is None:
        return np.ones(len(stage.rest), bool)
    for axes in (("location.x", "location.y", "location.z"), ("rotation.x", "rotation.z")):
        owner = "" if bone.id_data == stage.controls.armatures[0] else owner_of(bone).name
        fields = [stage.displace({Target("bone", bone.name, axis, owner): _TRY_TURN}) for axis in axes]
        reach = np.linalg.norm(fields, axis=2).max(axis=0)
        if float(reach.max()) > STILL_M:
            return reach > _FOLLOWS * float(reach.max())
    return np.ones(len(stage.rest), bool)
