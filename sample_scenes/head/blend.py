"""Writes the head into a .blend file (needs Blender's Python module)."""

from __future__ import annotations

from pathlib import Path

import bpy  # type: ignore[import-not-found]
import numpy as np

from .arrays import HeadArrays
from .landmarks import MeshLandmarks, distinct_vertices, load_landmarks
from .proportions import JAW_AXIS, to_blender

JAW = "Jaw"


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
    roughness = mesh.attributes.new("Roughness", "FLOAT", "POINT")
    roughness.data.foreach_set("value", arrays.roughness)
    for landmarks in load_landmarks():
        _write_landmarks(mesh, landmarks, arrays.neutral)
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
    _add_jaw(head, arrays)
    bpy.context.view_layer.objects.active = head
    scene = bpy.context.scene
    scene.render.fps = 25
    scene.unit_settings.system = "METRIC"
    temporary = path.with_name(path.name + ".part.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(temporary), compress=True, check_existing=False)
    temporary.replace(path)


def _add_jaw(head: bpy.types.Object, arrays: HeadArrays) -> None:
    """A jaw with six degrees of freedom on top of the keys: moving or turning the empty "Jaw" takes along what the
    vertex group "Jaw" weighs (linear blend skinning after the shape keys, as in Bao et al. 2019)."""
    group = head.vertex_groups.new(name=JAW)
    for vertex in np.flatnonzero(arrays.jaw > 0):
        group.add([int(vertex)], float(arrays.jaw[vertex]), "REPLACE")
    pivot = bpy.data.objects.new(JAW, None)
    pivot.empty_display_type, pivot.empty_display_size = "SPHERE", 0.02
    pivot.location = to_blender(JAW_AXIS).tolist()
    pivot.parent = head
    bpy.context.collection.objects.link(pivot)
    bpy.context.view_layer.update()
    hook = head.modifiers.new(JAW, "HOOK")
    hook.object, hook.vertex_group = pivot, JAW
    hook.falloff_type, hook.strength = "NONE", 1.0
    hook.matrix_inverse = pivot.matrix_world.inverted() @ head.matrix_world


def _write_landmarks(mesh: bpy.types.Mesh, landmarks: MeshLandmarks, neutral: np.ndarray) -> None:
    """Exactly, as custom properties; and as an attribute: the number of the landmark at a vertex, else -1."""
    name = f"landmarks_{len(landmarks.vertices)}"
    mesh[f"{name}_vertices"] = landmarks.vertices.ravel().tolist()
    mesh[f"{name}_weights"] = landmarks.weights.astype(float).ravel().tolist()
    number = np.full(len(neutral), -1, np.int32)
    number[distinct_vertices(landmarks, neutral)] = np.arange(len(landmarks.vertices))
    attribute = mesh.attributes.new(name, "INT", "POINT")
    attribute.data.foreach_set("value", number)


def _material() -> bpy.types.Material:
    material = bpy.data.materials.new("Head")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    colour = nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "Color"
    colour.location = (-300, 200)
    links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    roughness = nodes.new("ShaderNodeAttribute")
    roughness.attribute_name = "Roughness"
    roughness.location = (-300, -50)
    links.new(roughness.outputs["Fac"], shader.inputs["Roughness"])
    shader.inputs["Specular IOR Level"].default_value = 0.4
    material.diffuse_color = (0.56, 0.34, 0.25, 1.0)
    return material
