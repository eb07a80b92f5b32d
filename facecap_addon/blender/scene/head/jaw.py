"""A character's jaw bone: which part of the mesh follows it, and keys that move it as a take says."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ....rig.blendshapes import JawWeights
from ..objects import armature_of, mesh_of, owner_of

# A bone is the jaw's if its name says so; "jawline" and the like shape the cheek.
_NAMES, _NOT_NAMES = ("jaw", "mandible", "chin_master"), ("jawline", "jaw_line", "end", "tip")
_LEAST_WEIGHT = 0.01


def jaw_bone(obj: bpy.types.Object) -> bpy.types.PoseBone | None:
    """The bone that opens the mouth of a mesh, by its name; None if no armature moves the mesh by such a bone."""
    armature = obj.find_armature()
    if armature is None or armature.pose is None:
        return None
    named = [
        bone
        for bone in armature.pose.bones
        if bone.bone.use_deform
        and bone.name in obj.vertex_groups
        and any(part in bone.name.lower() for part in _NAMES)
        and not any(part in bone.name.lower() for part in _NOT_NAMES)
    ]
    # DEF-jaw_master before DEF-jaw.L: the shortest name is the whole jaw's, and one in the middle is no side's.
    middle = [bone for bone in named if abs(bone.bone.head_local.x) < 1e-3 * max(1e-9, armature.dimensions.length)]
    return min(middle or named, key=lambda bone: len(bone.name), default=None)


def give_own_jaw(obj: bpy.types.Object) -> bool:
    """Give a duplicated head a jaw of its own, where its mouth is still hooked to the jaw of the head it came from.

    Returns whether there was something to do: else the mouth stretches to where the other head is.
    """
    given = False
    for modifier in obj.modifiers:
        if not isinstance(modifier, bpy.types.HookModifier) or modifier.object is None:
            continue
        handle, other = modifier.object, modifier.object.parent
        if other is None or other == obj or other.type != "MESH" or not _hooked(other, modifier.name, handle):
            continue
        own = handle.copy()
        if handle.animation_data is not None:
            own.animation_data_clear()
        for collection in obj.users_collection:
            collection.objects.link(own)
        own.parent = obj
        own.matrix_parent_inverse = handle.matrix_parent_inverse.copy()
        inverse, center = modifier.matrix_inverse.copy(), modifier.center.copy()
        modifier.object = own
        modifier.matrix_inverse, modifier.center = inverse, center
        given = True
    return given


def _hooked(obj: bpy.types.Object, name: str, handle: bpy.types.Object) -> bool:
    """Whether an object, too, is hooked to a handle."""
    return any(isinstance(m, bpy.types.HookModifier) and m.name == name and m.object == handle for m in obj.modifiers)


def jaw_weights(obj: bpy.types.Object, axes: NDArray[np.floating]) -> JawWeights | None:
    """How much of its jaw bone's motion each vertex makes, as Blender's Armature modifier has it.

    Args:
        obj: the character.  axes: (3, 3) rig space (metres, world axes) from the object's own coordinates.
    """
    bone = jaw_bone(obj)
    if bone is None:
        return None
    armature = owner_of(bone)
    bones = armature_of(armature).bones
    deforming = {group.index for group in obj.vertex_groups if (b := bones.get(group.name)) and b.use_deform}
    own = obj.vertex_groups[bone.name].index
    vertices = mesh_of(obj).vertices
    weights = np.zeros(len(vertices), np.float32)
    for vertex in vertices:
        total = sum(element.weight for element in vertex.groups if element.group in deforming)
        if total > 0:
            weights[vertex.index] = sum(e.weight for e in vertex.groups if e.group == own) / total
    if weights.max(initial=0.0) < _LEAST_WEIGHT:
        return None
    pivot = _object_from_armature(obj, armature) @ bone.bone.head_local
    return JawWeights(weights, (axes @ np.array(pivot)).astype(np.float32))


def jaw_bases(
    obj: bpy.types.Object,
    bone: bpy.types.PoseBone,
    jaw: NDArray[np.floating],
    axes: NDArray[np.floating],
    rig_from_head: NDArray[np.floating],
) -> list[Matrix]:
    """The bone's own transform (before its parents) for each pose of the jaw.

    Args:
        jaw: (F, 6) as in a Take.  axes: as in `jaw_weights`.  rig_from_head: (4, 4), of the take.
    """
    armature = owner_of(bone)
    to_armature = np.array(_object_from_armature(obj, armature).inverted())[:3, :3] @ np.linalg.inv(axes)
    # Turning is the same in every space but for its axis; the mesh and the armature may be scaled.
    from_head = to_armature @ np.asarray(rig_from_head, np.float64)[:3, :3]
    pure = from_head / np.cbrt(np.linalg.det(from_head))
    rest = bone.bone.matrix_local
    pivot = Matrix.Translation(bone.bone.head_local)
    bases = []
    for turn, shift in zip(np.asarray(jaw[:, :3], np.float64), np.asarray(jaw[:, 3:], np.float64), strict=True):
        axis, angle = pure @ turn, float(np.linalg.norm(turn))
        rotation = Matrix.Rotation(angle, 4, axis.tolist()) if angle > 1e-9 else Matrix.Identity(4)
        moved = Matrix.Translation((from_head @ shift).tolist()) @ pivot @ rotation @ pivot.inverted()
        bases.append(rest.inverted() @ moved @ rest)
    return bases


def _object_from_armature(obj: bpy.types.Object, armature: bpy.types.Object) -> Matrix:
    return obj.matrix_world.inverted_safe() @ armature.matrix_world
