"""A rig's keys as shape keys of a mesh."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ....errors import FacecapError
from ....rig.blendshapes import BlendshapeRig
from ..objects import key_blocks_of, mesh_of
from .character import is_editable, rest_axes

SUFFIX = " (before)"


def write_shape_keys(obj: bpy.types.Object, rig: BlendshapeRig) -> list[str]:
    """Add a rig's keys to a mesh; keys of the same name that are there already stay, renamed and muted.

    Args:
        obj: the mesh that the rig was made for; its own vertices and other keys are not changed.
    Returns:
        names of the keys added.
    Raises:
        FacecapError: it is another mesh, linked, locked or in edit mode; nothing was added then.
    """
    mesh = mesh_of(obj)
    if not is_editable(obj) or mesh.library is not None:
        raise FacecapError(
            f"“{obj.name}” is linked from a library and cannot get shape keys.", "Make its mesh local, and try again."
        )
    if obj.mode == "EDIT":
        raise FacecapError(f"“{obj.name}” is in edit mode.", "Leave edit mode (Tab), and try again.")
    if len(mesh.vertices) != rig.vertex_count:
        raise FacecapError(
            f"The keys are for {rig.vertex_count} vertices, “{obj.name}” has {len(mesh.vertices)}.",
            "Make the keys for this mesh.",
        )
    keys = mesh.shape_keys
    if keys is not None and not keys.use_relative:
        raise FacecapError(f"The shape keys of “{obj.name}” are absolute.", "Turn on Relative in the Shape Keys panel.")
    present = {block.name: block for block in key_blocks_of(obj)}
    locked = [n for n in rig.channels if n in present and getattr(present[n], "lock_shape", False)]
    if locked:
        raise FacecapError(f"The shape key “{locked[0]}” is locked.", "Unlock it, or leave it out.")
    if keys is None:
        basis = obj.shape_key_add(name="Basis", from_mix=False)
        present[basis.name] = basis
    else:
        basis = keys.reference_key
    rest = _coordinates(basis)
    back = np.linalg.inv(rest_axes(obj)).T
    for channel, delta, (low, high) in zip(rig.channels, rig.deltas, rig.ranges, strict=True):
        before = present.get(channel)
        if before is not None:
            before.name = f"{channel}{SUFFIX}"
            before.mute = True
        block = obj.shape_key_add(name=channel, from_mix=False)
        block.slider_min, block.slider_max = float(low), float(high)
        block.value = 0.0  # newer Blenders show a new key at once
        block.points.foreach_set("co", (rest + delta.astype(np.float64) @ back).astype(np.float32).ravel())
    obj.active_shape_key_index = 0
    mesh.update()
    return list(rig.channels)


def _coordinates(block: bpy.types.ShapeKey) -> NDArray[np.float64]:
    flat = np.empty(3 * len(block.data), np.float32)
    block.points.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)
