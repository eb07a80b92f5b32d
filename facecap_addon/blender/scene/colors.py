"""The skin colour of a character, per vertex."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray


def vertex_colors(obj: bpy.types.Object) -> NDArray[np.float32] | None:
    """Linear RGB per vertex: the mesh's colour attribute if it has one, else its materials' base colours.

    Returns:
        (V, 3) float32 in 0..1, or None if the mesh has neither.
    """
    mesh = obj.data
    attribute = mesh.color_attributes.get("Color") or mesh.color_attributes.active_color
    if attribute is not None:
        colors = _attribute_colors(mesh, attribute)
    elif any(slot.material for slot in obj.material_slots):
        colors = _material_colors(obj)
    else:
        return None
    return np.clip(np.nan_to_num(colors), 0.0, 1.0).astype(np.float32)


def _attribute_colors(mesh: bpy.types.Mesh, attribute: bpy.types.Attribute) -> NDArray[np.float32]:
    values = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get("color", values)
    rgb = values.reshape(-1, 4)[:, :3]
    return rgb if attribute.domain == "POINT" else _mean_over_corners(mesh, rgb)


def _material_colors(obj: bpy.types.Object) -> NDArray[np.float32]:
    """Each vertex takes the mean base colour of the faces around it."""
    mesh = obj.data
    palette = np.array([_base_color(slot.material) for slot in obj.material_slots], np.float32)
    slots = np.empty(len(mesh.polygons), np.int32)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    mesh.polygons.foreach_get("loop_total", sizes)
    corner_slots = np.repeat(np.clip(slots, 0, len(palette) - 1), sizes)
    return _mean_over_corners(mesh, palette[corner_slots])


def _mean_over_corners(mesh: bpy.types.Mesh, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """(V, 3): the mean of the values at the corners that meet at each vertex; loose vertices are mid grey."""
    corner_vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corner_vertex)
    count = np.bincount(corner_vertex, minlength=len(mesh.vertices))
    total = np.stack(
        [np.bincount(corner_vertex, weights=rgb[:, axis], minlength=len(mesh.vertices)) for axis in range(3)], axis=1
    )
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], 0.5).astype(np.float32)


def _base_color(material: bpy.types.Material | None) -> tuple[float, float, float]:
    """Linear RGB of a material: its Principled base colour if that is a plain colour, else its viewport colour."""
    if material is None:
        return (0.8, 0.8, 0.8)
    if material.node_tree is not None:
        for node in material.node_tree.nodes:
            if node.type == "BSDF_PRINCIPLED" and not node.inputs["Base Color"].is_linked:
                red, green, blue, _ = node.inputs["Base Color"].default_value
                return (red, green, blue)
    red, green, blue, _ = material.diffuse_color
    return (red, green, blue)
