"""A character of several meshes, as glTF brings it: head, eyes and teeth all carry the same names of keys."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from facecap_addon.rig.channels import ARKIT_CHANNELS
from tests.blender.faces import coordinates, evaluated_world


def make_part(
    name: str,
    centre: tuple[float, float, float],
    radius: float,
    *,
    channels: tuple[str, ...] = ARKIT_CHANNELS,
    moving: tuple[str, ...] | None = None,
    segments: int = 16,
) -> bpy.types.Object:
    """A ball with keys of these names; only those that are `moving` move its vertices, None: all."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=segments, ring_count=segments // 2, radius=radius)
    obj = bpy.context.object
    obj.name = name
    obj.data.name = name
    for vertex in obj.data.vertices:
        vertex.co += Vector(centre)
    obj.shape_key_add(name="Basis", from_mix=False)
    rest, rng = coordinates(obj.data.vertices), np.random.default_rng(len(name))
    for key in channels:
        block = obj.shape_key_add(name=key, from_mix=False)
        if moving is None or key in moving:
            shift = rng.normal(scale=0.02 * radius, size=rest.shape)
            block.data.foreach_set("co", (rest + shift).astype(np.float32).ravel())
    return obj


def make_avatar(carrier: str = "empty") -> dict[str, bpy.types.Object]:
    """Head, eyeballs, teeth and body on an "empty", on an "armature" (with a bone Head), or on "nothing"."""
    parts = {
        "EyeLeft": make_part("EyeLeft", (0.03, -0.08, 0.02), 0.012),
        "EyeRight": make_part("EyeRight", (-0.03, -0.08, 0.02), 0.012),
        "Head": make_part("Head", (0, 0, 0), 0.1, segments=32),
        "Teeth": make_part("Teeth", (0, -0.07, -0.04), 0.02, moving=("jawOpen",)),
        "Body": make_part("Body", (0, 0, -0.5), 0.4, channels=()),
    }
    if carrier == "empty":
        root = bpy.data.objects.new("Avatar", None)
        bpy.context.collection.objects.link(root)
        root.matrix_world = Matrix.Translation((0.5, 0.2, 0.1)) @ Matrix.Scale(1.3, 4)
        for part in parts.values():
            part.parent = root
        parts["Avatar"] = root
    if carrier == "armature":
        parts["Rig"] = _with_bones(parts)
    bpy.context.view_layer.update()
    return parts


def _with_bones(parts: dict[str, bpy.types.Object]) -> bpy.types.Object:
    """Bones Spine, Head and EyeLeft; everything of the head follows Head, by weights or as its child."""
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.collection.objects.link(armature)
    armature.location = (0.3, -0.2, 0.0)
    bpy.context.view_layer.update()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for name, head, tail, parent in (
        ("Spine", (0, 0, -0.6), (0, 0, -0.1), None),
        ("Head", (0, 0, -0.1), (0, 0, 0.1), "Spine"),
        ("LeftEye", (0.03, -0.07, 0.02), (0.03, -0.1, 0.02), "Head"),
    ):
        bone = bones.new(name)
        bone.head, bone.tail, bone.parent = head, tail, bones[parent] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, bone in (
        ("Head", "Head"),
        ("EyeLeft", "LeftEye"),
        ("EyeRight", "Head"),
        ("Teeth", "Head"),
        ("Body", "Spine"),
    ):
        part = parts[name]
        part.parent = armature
        part.modifiers.new("Rig", "ARMATURE").object = armature
        part.vertex_groups.new(name=bone).add(range(len(part.data.vertices)), 1.0, "REPLACE")
    return armature


def still_apart(head: bpy.types.Object, part: bpy.types.Object, frames: tuple[float, ...]) -> float:
    """How far a part leaves its place in the head over some frames, m: where the head's own rigid motion takes it.

    Both must have keys at zero then.
    """
    worst = 0.0
    rest_head, rest_part = evaluated_world(head, frames[0]), evaluated_world(part, frames[0])
    for frame in frames[1:]:
        now_head, now_part = evaluated_world(head, frame), evaluated_world(part, frame)
        turn, shift = rigid(rest_head, now_head)
        worst = max(worst, float(np.abs(rest_part @ turn.T + shift - now_part).max()))
    return worst


def rigid(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The turn (3, 3) and shift (3,) that take points (V, 3) to others best."""
    a, b = before - before.mean(axis=0), after - after.mean(axis=0)
    u, _, vt = np.linalg.svd(b.T @ a)
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return turn, after.mean(axis=0) - turn @ before.mean(axis=0)
