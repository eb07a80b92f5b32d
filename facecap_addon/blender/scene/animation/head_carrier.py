"""Which object or bone the head's pose is keyed on."""

from __future__ import annotations

import bpy

from ....errors import FacecapError
from ..head.parts import Carried, carried_by_bone, carried_by_object, follows, head_bone
from ..head.rest import holding, is_marked
from .bake_settings import BakeSettings
from .neck import find_neck


def head_carrier(obj: bpy.types.Object, settings: BakeSettings, parts: list[bpy.types.Object]) -> Carried:
    """What the head pose is keyed on.

    "auto" is the bone that turns the head where there is one, else as "object": the head's mesh or, where other meshes
    belong to it, what they all hang on.

    Raises FacecapError if the armature or bone named does not exist.
    """
    carried = _carrier(obj, settings, parts)
    held = [] if carried.target is None else holding(carried.target)
    if carried.target is not None and held:
        carried.remarks.append(_held_text(carried.target, held))
    if isinstance(carried.target, bpy.types.PoseBone):
        neck = find_neck(carried.target)
        if neck is not None and (settings.neck_share > 0.0 or is_marked(neck)):  # an earlier bake turned it
            carried.neck = neck
        elif settings.neck_share > 0.0:
            name = carried.target.name
            carried.remarks.append(f"No bone above “{name}” is a neck's by its name: the head turns alone")
    return carried


def _carrier(obj: bpy.types.Object, settings: BakeSettings, parts: list[bpy.types.Object]) -> Carried:
    if settings.head == "none":
        return Carried(None)
    found = head_bone(obj) if settings.head == "auto" or (settings.head == "bone" and not settings.bone) else None
    if settings.head == "object" or (settings.head == "auto" and (found is None or not follows(obj, found))):
        return carried_by_object(obj, parts)
    if found is not None:
        return carried_by_bone(obj, found, parts)
    armature = settings.armature or obj.find_armature()
    if armature is None or armature.pose is None:
        raise FacecapError(
            f"No armature was found that “{obj.name}” belongs to.",
            "Pick the armature and the head bone, or bake the head pose to the object.",
        )
    bone = armature.pose.bones.get(settings.bone)
    if bone is None:
        raise FacecapError(
            f"The armature “{armature.name}” has no bone called “{settings.bone}”.", "Pick the head bone."
        )
    return carried_by_bone(obj, bone, parts)


def _held_text(target: bpy.types.Object | bpy.types.PoseBone, held: list[str]) -> str:
    return (
        f"“{target.name}” is held by {' and '.join(held)}, so the head's pose is not seen: turn that off, "
        "or key the head's pose on another object or bone"
    )
