"""A second copy of a character beside it, that plays another take; taken away again without a trace."""

from __future__ import annotations

import bpy
from mathutils import Matrix, Vector

from ...takes.take import Take
from .animation.bake import apply_take
from .animation.bake_settings import BakeSettings
from .animation.curves import Animated
from .head.jaw import give_own_jaw
from .head.parts import parts_of
from .head.rest import rest_matrix
from .objects import key_blocks_of, keys_of

_MARK = "facecap_beside"
_APART = 1.25
"""Widths of the character from one to the other."""


def show_beside(
    scene: bpy.types.Scene, obj: bpy.types.Object, take: Take, settings: BakeSettings
) -> tuple[bpy.types.Object, list[str]]:
    """Put a copy of a character beside it and bake a take onto it.

    Armatures stay with the character: the copy's head turns and moves as an object.

    Returns:
        the copy, and what there is to say. Raises FacecapError as baking does; nothing is left behind then.
    """
    before = set(bpy.data.objects)
    meshes = [obj, *parts_of(obj, scene)]
    shift = Matrix.Translation((_APART * _width(meshes), 0.0, 0.0))
    try:
        copies = [_copy(mesh, shift) for mesh in meshes]
        give_own_jaw(copies[0])
        report = apply_take(copies[0], take, settings, scene=scene)
    except Exception:
        _mark(set(bpy.data.objects) - before, [])
        remove_beside()
        raise
    _mark(set(bpy.data.objects) - before, report.animated)
    return copies[0], report.remarks


def copy_beside() -> bpy.types.Object | None:
    """The copy that plays another take, the mesh that has the most shape keys; None where there is none."""
    copies = [obj for obj in bpy.data.objects if _MARK in obj and keys_of(obj) is not None]
    return max(copies, key=lambda obj: len(key_blocks_of(obj)), default=None)


def remove_beside() -> int:
    """Take all such copies away, with their meshes and actions; returns how many objects there were."""
    objects = [obj for obj in bpy.data.objects if _MARK in obj]
    meshes = [obj.data for obj in objects if isinstance(obj.data, bpy.types.Mesh)]
    for obj in objects:
        bpy.data.objects.remove(obj)
    for mesh in meshes:
        if not mesh.users:
            bpy.data.meshes.remove(mesh)
    for action in [action for action in bpy.data.actions if _MARK in action]:
        bpy.data.actions.remove(action)
    return len(objects)


def _copy(obj: bpy.types.Object, shift: Matrix) -> bpy.types.Object:
    """A copy of a mesh where it rests, shifted, that nothing but its own keys moves."""
    copy = obj.copy()
    assert obj.data is not None
    copy.data = obj.data.copy()
    for owner in (copy, copy.data, keys_of(copy)):
        if owner is not None:
            owner.animation_data_clear()
    for modifier in [one for one in copy.modifiers if isinstance(one, bpy.types.ArmatureModifier)]:
        copy.modifiers.remove(modifier)
    for collection in obj.users_collection:
        collection.objects.link(copy)
    copy.name = f"{obj.name} Beside"
    for constraint in list(copy.constraints):
        copy.constraints.remove(constraint)
    copy.parent = None
    copy.matrix_world = shift @ rest_matrix(obj)
    return copy


def _mark(objects: set[bpy.types.Object], animated: list[Animated]) -> None:
    for obj in objects:
        obj[_MARK] = True
    for datablock in animated:
        if datablock.animation_data is not None and datablock.animation_data.action is not None:
            datablock.animation_data.action[_MARK] = True


def _width(meshes: list[bpy.types.Object]) -> float:
    corners = [mesh.matrix_world @ Vector(corner) for mesh in meshes for corner in mesh.bound_box]
    return max(corner.x for corner in corners) - min(corner.x for corner in corners)
