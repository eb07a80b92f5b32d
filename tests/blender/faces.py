"""Small meshes with shape keys, and what Blender makes of them."""

from __future__ import annotations

import bpy
import numpy as np

ARKIT = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "browInnerUp")


def make_face(names: tuple[str, ...] = ARKIT, *, seed: int = 3, name: str = "Face") -> bpy.types.Object:
    """A ball of 482 vertices with one random shape key per name."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16, radius=0.1)
    obj = bpy.context.object
    obj.name = name
    rng = np.random.default_rng(seed)
    obj.shape_key_add(name="Basis", from_mix=False)
    rest = coordinates(obj.data.vertices)
    for key in names:
        block = obj.shape_key_add(name=key, from_mix=False)
        block.value = 0.0  # newer Blenders show a new key at once
        block.data.foreach_set("co", (rest + rng.normal(scale=0.01, size=rest.shape)).astype(np.float32).ravel())
    return obj


def coordinates(points) -> np.ndarray:
    flat = np.empty(len(points) * 3, np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def evaluated(obj: bpy.types.Object, frame: float | None = None) -> np.ndarray:
    """(V, 3): the mesh as Blender shows it, at a scene frame if one is given, in metres and world axes from the
    object's origin."""
    if frame is not None:
        whole = int(np.floor(frame))
        bpy.context.scene.frame_set(whole, subframe=frame - whole)
    else:
        bpy.context.view_layer.update()
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    axes = np.array(shown.matrix_world)[:3, :3] * bpy.context.scene.unit_settings.scale_length
    return coordinates(shown.data.vertices) @ axes.T


def evaluated_world(obj: bpy.types.Object, frame: float) -> np.ndarray:
    """(V, 3): the mesh as Blender shows it at a scene frame, in the world."""
    bpy.context.scene.frame_set(int(np.floor(frame)), subframe=frame % 1)
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    matrix = np.array(shown.matrix_world)
    return coordinates(shown.data.vertices) @ matrix[:3, :3].T + matrix[:3, 3]


def set_weights(obj: bpy.types.Object, channels: tuple[str, ...], weights: np.ndarray) -> None:
    for channel, weight in zip(channels, weights, strict=True):
        obj.data.shape_keys.key_blocks[channel].value = float(weight)


def snapshot(obj: bpy.types.Object) -> list[bytes]:
    """Every coordinate, group weight, slider and flag of a mesh and its keys, to compare bit by bit."""
    blocks = obj.data.shape_keys.key_blocks
    data = [coordinates(obj.data.vertices).tobytes(), np.array(obj.matrix_world).tobytes()]
    for block in blocks:
        facts = (block.name, block.value, block.slider_min, block.slider_max, block.mute, block.relative_key.name)
        data += [coordinates(block.data).tobytes(), repr((facts, block.vertex_group, block.lock_shape)).encode()]
    groups = [[(g.group, g.weight) for g in vertex.groups] for vertex in obj.data.vertices]
    data.append(repr((groups, [m.name for m in obj.modifiers], obj.active_shape_key_index, obj.mode)).encode())
    return data
