"""Writes the head into a .blend file (needs Blender's Python module)."""

from __future__ import annotations

from pathlib import Path

import bpy  # type: ignore[import-not-found]
import numpy as np

from .arrays import HeadArrays
from .proportions import JAW_AXIS, to_blender


def write_blend(arrays: HeadArrays, path: Path) -> None:
    """Makes a fresh scene with the object "Head" and saves it, compressed, in place of `path`."""
    bpy.ops.wm.read_homefile(use_empty=True)
    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata(arrays.neutral.tolist(), [], [list(face) for face in arrays.faces])
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    colors = mesh.color_attributes.new("Color", "FLOAT_COLOR", "POINT")
    rgba = np.column_stack([arrays.colors, np.ones(len(arrays.colors))]).astype(np.float32)
    colors.data.foreach_set("color", rgba.ravel())
    mesh.color_attributes.active_color = colors
    mesh.color_attributes.render_color_index = 0
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", arrays.uv.astype(np.float32).ravel())
    part = mesh.attributes.new("part", "INT", "POINT")
    number = np.zeros(len(arrays.neutral), np.int32)
    for k, vertices in enumerate(arrays.parts.values()):
        number[vertices] = k
    part.data.foreach_set("value", number)
    mesh.materials.append(_material())
    mesh.update()
    head = bpy.data.objects.new("Head", mesh)
    bpy.context.collection.objects.link(head)
    head.shape_key_add(name="Basis", from_mix=False)
    for name, delta in arrays.deltas.items():
        key = head.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (arrays.neutral + delta).astype(np.float32).ravel())
        key.value = 0.0
    for name, vertices in arrays.parts.items():
        group = head.vertex_groups.new(name=name)
        group.add(vertices.tolist(), 1.0, "REPLACE")
    head["arkit"] = list(arrays.deltas)
    pivot = bpy.data.objects.new("Jaw pivot", None)
    pivot.empty_display_size = 0.02
    pivot.location = to_blender(JAW_AXIS).tolist()
    bpy.context.collection.objects.link(pivot)
    bpy.context.view_layer.objects.active = head
    scene = bpy.context.scene
    scene.render.fps = 25
    scene.unit_settings.system = "METRIC"
    temporary = path.with_name(path.name + ".part.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(temporary), compress=True, check_existing=False)
    temporary.replace(path)


def _material() -> bpy.types.Material:
    material = bpy.data.materials.new("Head")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    colour = nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "Color"
    colour.location = (-300, 200)
    links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.5
    shader.inputs["Specular IOR Level"].default_value = 0.3
    material.diffuse_color = (0.56, 0.34, 0.25, 1.0)
    return material
