"""The skin colour of a character, per vertex."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..objects import mesh_of

_MAX_TEXELS = 4096 * 4096


def vertex_colors(obj: bpy.types.Object) -> NDArray[np.float32] | None:
    """Linear RGB per vertex: the mesh's colour attribute if it has one, else its materials' colours and textures.

    Returns:
        (V, 3) float32 in 0..1, or None if the mesh has neither.
    """
    mesh = mesh_of(obj)
    attribute = mesh.color_attributes.get("Color") or mesh.color_attributes.active_color
    if isinstance(attribute, bpy.types.FloatColorAttribute | bpy.types.ByteColorAttribute):
        colors = _attribute_colors(mesh, attribute)
    elif any(slot.material for slot in obj.material_slots):
        colors = _material_colors(obj)
    else:
        return None
    return np.clip(np.nan_to_num(colors), 0.0, 1.0).astype(np.float32)


def _attribute_colors(
    mesh: bpy.types.Mesh, attribute: bpy.types.FloatColorAttribute | bpy.types.ByteColorAttribute
) -> NDArray[np.float32]:
    values = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get("color", values)
    rgb = values.reshape(-1, 4)[:, :3]
    return rgb if attribute.domain == "POINT" else _mean_over_corners(mesh, rgb)


def _material_colors(obj: bpy.types.Object) -> NDArray[np.float32]:
    """Each vertex takes the mean base colour of the face corners around it."""
    mesh = mesh_of(obj)
    materials = [slot.material for slot in obj.material_slots]
    palette = np.array([_base_color(material) for material in materials], np.float32)
    slots = np.empty(len(mesh.polygons), np.int32)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", slots)
    mesh.polygons.foreach_get("loop_total", sizes)
    corner_slots = np.repeat(np.clip(slots, 0, len(palette) - 1), sizes)
    colors = palette[corner_slots]
    for index, material in enumerate(materials):
        chosen = corner_slots == index
        texture = _base_texture(material)
        if texture is not None and chosen.any() and mesh.uv_layers.active is not None:
            uv = np.empty(len(mesh.loops) * 2, np.float32)
            mesh.uv_layers.active.uv.foreach_get("vector", uv)
            colors[chosen] = _sampled(texture, uv.reshape(-1, 2)[chosen])
    return _mean_over_corners(mesh, colors)


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
    socket = _base_socket(material)
    color = material.diffuse_color
    if isinstance(socket, bpy.types.NodeSocketColor) and not socket.is_linked:
        color = socket.default_value
    red, green, blue, _ = color
    return (red, green, blue)


def _base_texture(material: bpy.types.Material | None) -> bpy.types.Image | None:
    """The picture that colours a material, if it is plugged straight into the base colour and not huge."""
    socket = None if material is None else _base_socket(material)
    node = socket.links[0].from_node if socket is not None and socket.is_linked and socket.links else None
    image = node.image if isinstance(node, bpy.types.ShaderNodeTexImage) else None
    if image is None or image.source not in ("FILE", "GENERATED"):
        return None
    width, height = image.size  # (0, 0) where the file is missing
    return image if 0 < width * height <= _MAX_TEXELS else None


def _base_socket(material: bpy.types.Material) -> bpy.types.NodeSocket | None:
    nodes = [] if material.node_tree is None else material.node_tree.nodes
    return next((node.inputs["Base Color"] for node in nodes if node.type == "BSDF_PRINCIPLED"), None)


def _sampled(image: bpy.types.Image, uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 3): the nearest texels at (N, 2) coordinates, tiled, as linear RGB."""
    width, height = image.size
    texels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(texels)  # pyright: ignore[reportAttributeAccessIssue]  to the stub, one number
    texels = texels.reshape(height, width, image.channels)
    column = np.floor(uv[:, 0] % 1.0 * width).astype(int) % width
    row = np.floor(uv[:, 1] % 1.0 * height).astype(int) % height
    rgb = np.repeat(texels[row, column], 3, axis=1) if image.channels < 3 else texels[row, column, :3]
    rgb = rgb[:, :3]
    space = image.colorspace_settings
    if image.is_float or space is None or space.name != "sRGB":
        return rgb
    return np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.0) + 0.055) / 1.055) ** 2.4)
