"""A character moved by shape keys, bones and custom properties at once."""

from __future__ import annotations

import bpy
import numpy as np

from tests.blender.avatars import make_avatar


def make_control_rig() -> dict[str, bpy.types.Object]:
    """`make_avatar("armature")`, with bones Neck, Jaw and Brow (Brow has the property "raise"), an object property
    "puff" on the armature, and a vertex of the head that follows the jaw."""
    parts = make_avatar("armature")
    rig, head = parts["Rig"], parts["Head"]
    for part in parts.values():
        for block in part.data.shape_keys.key_blocks if part.type == "MESH" and part.data.shape_keys else ():
            block.value = 0.0  # newer Blenders show a new key at once
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    for name, tail in (("Jaw", (0, -0.09, -0.06)), ("Brow", (0, -0.11, 0.05))):
        bone = bones.new(name)
        bone.head, bone.tail, bone.parent = (0, -0.02, -0.03), tail, bones["Head"]
    neck = bones.new("Neck")
    neck.head, neck.tail, neck.parent = (0, 0, -0.2), (0, 0, -0.1), bones["Spine"]
    bones["Head"].parent = neck
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in rig.pose.bones:
        bone.rotation_mode = "QUATERNION"
    lower = [v.index for v in head.data.vertices if v.co.z < -0.05]
    head.vertex_groups["Head"].remove(lower)
    head.vertex_groups.new(name="Jaw").add(lower, 1.0, "REPLACE")
    rig["puff"] = 0.0
    rig.id_properties_ui("puff").update(min=0.0, max=1.0)
    rig.pose.bones["Brow"]["raise"] = 0.25
    bpy.context.view_layer.update()
    return parts


def all_of(parts: dict[str, bpy.types.Object]) -> str:
    """Everything a character's targets could be, with what animates it, as text: to compare bit by bit."""
    said: list[object] = [bpy.context.scene.frame_current, bpy.context.scene.frame_subframe]
    for name, part in sorted(parts.items()):
        keys = part.data.shape_keys if part.type == "MESH" else None
        said += [name, np.array(part.matrix_basis).tolist(), {k: v for k, v in part.items() if isinstance(v, float)}]
        said += [(block.name, block.value) for block in ([] if keys is None else keys.key_blocks)]
        for bone in [] if part.pose is None else part.pose.bones:
            said += [
                bone.name,
                bone.rotation_mode,
                *(
                    list(getattr(bone, path))
                    for path in ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")
                ),
            ]
            said += [(k, v) for k, v in bone.items() if isinstance(v, float)]
        for datablock in (part, keys):
            animation = None if datablock is None else datablock.animation_data
            if animation is not None:
                said += [animation.action and animation.action.name, animation.use_nla, animation.action_influence]
                said += [len(animation.nla_tracks), len(animation.drivers)]
    return repr(said)
