"""What an object is, and what is inside: to Blender an object's data may be of any kind, or missing."""

from __future__ import annotations

import bpy

from ...errors import FacecapError


def mesh_of(obj: bpy.types.Object) -> bpy.types.Mesh:
    """The mesh of an object. Raises FacecapError if it is of another kind."""
    if not isinstance(obj.data, bpy.types.Mesh):
        raise FacecapError(f"“{obj.name}” is no mesh.", "Pick a mesh object.")
    return obj.data


def keys_of(obj: bpy.types.Object) -> bpy.types.Key | None:
    """The shape keys of a mesh object; None where it has none, or is no mesh."""
    return obj.data.shape_keys if isinstance(obj.data, bpy.types.Mesh) else None


def key_blocks_of(obj: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """The shape keys of a mesh object, the basis first; none where it has none, or is no mesh."""
    keys = keys_of(obj)
    return [] if keys is None else list(keys.key_blocks)


def armature_of(obj: bpy.types.Object) -> bpy.types.Armature:
    """The armature of an object. Raises FacecapError if it is of another kind."""
    if not isinstance(obj.data, bpy.types.Armature):
        raise FacecapError(f"“{obj.name}” is no armature.", "Pick an armature.")
    return obj.data


def pose_of(obj: bpy.types.Object) -> bpy.types.Pose:
    """The pose of an armature object. Raises FacecapError if it is of another kind."""
    if obj.pose is None:
        raise FacecapError(f"“{obj.name}” is no armature.", "Pick an armature.")
    return obj.pose


def owner_of(target: bpy.types.Object | bpy.types.PoseBone) -> bpy.types.Object:
    """An object itself; of a pose bone, the armature object that it belongs to."""
    owner = target.id_data
    if not isinstance(owner, bpy.types.Object):
        raise TypeError(f"“{target.name}” belongs to {owner!r}, not to an object")
    return owner


def camera_of(obj: bpy.types.Object) -> bpy.types.Camera:
    """The camera of an object. Raises FacecapError if it is of another kind."""
    if not isinstance(obj.data, bpy.types.Camera):
        raise FacecapError(f"“{obj.name}” is no camera.", "Pick a camera.")
    return obj.data
