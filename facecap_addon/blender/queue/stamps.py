"""Whether a character is still what it was: of its shape keys, and of how they are animated, a short text each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import bpy
import numpy as np

from ..scene.animation.curves import SLOTTED
from ..scene.objects import keys_of, mesh_of


def mesh_stamp(obj: bpy.types.Object) -> str:
    """Changes with the mesh's vertices and with the names, order and shapes of its keys."""
    mesh, keys = mesh_of(obj), keys_of(obj)
    digest = hashlib.sha1(usedforsecurity=False)
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", positions)
    digest.update(positions.data)
    for block in () if keys is None else keys.key_blocks:
        digest.update(block.name.encode())
        block.points.foreach_get("co", positions)
        digest.update(positions.data)
    return digest.hexdigest()


def keys_stamp(obj: bpy.types.Object) -> str:
    """Changes with the keys that animate the character's shape keys and the object itself."""
    digest = hashlib.sha1(usedforsecurity=False)
    for datablock in (keys_of(obj), obj):
        animation = None if datablock is None else datablock.animation_data
        if datablock is None or animation is None or animation.action is None:
            continue
        digest.update(animation.action.name.encode())
        for curve in _curves(animation, animation.action):
            digest.update(f"{curve.data_path} {curve.array_index}".encode())
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            digest.update(points.data)
    return digest.hexdigest()


def _curves(animation: bpy.types.AnimData, action: bpy.types.Action) -> Iterable[bpy.types.FCurve]:
    """The curves that move a datablock now; nothing is made."""
    if not SLOTTED:
        return action.fcurves
    strips = [strip for layer in action.layers for strip in layer.strips]
    if animation.action_slot is None or not strips or not isinstance(strips[0], bpy.types.ActionKeyframeStrip):
        return ()
    bag = strips[0].channelbag(animation.action_slot)
    return () if bag is None else bag.fcurves
