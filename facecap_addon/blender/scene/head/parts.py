"""A character of several meshes: eyes, teeth, hair and body besides the head, and what carries them all.

Parts of a character share its armature or something they all hang on, or lie inside the head; and they touch it, or
another part. What is hidden is no part: it may be an older copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from numpy.typing import NDArray

from ...present import view_layer_in
from ..objects import keys_of, mesh_of, pose_of
from .rest import Target, holding

_MARGIN = 0.1  # of the head's size: parts may stand off a little
_ALL = 0.9  # of a part's vertices: without anything in common it is part of what it lies in
_INSIDE = 0.5  # of a part's vertices: it belongs to the head, not to the body


@dataclass
class Carried:
    """What a head's pose is keyed on.

    Attributes:
        target: an object or a pose bone; None: nothing.
        riders: parts of the head that nothing carries together with it: they get the same motion of their own.
        remarks: what there is to say.
        neck: the bone that takes a part of the head's turn.
    """

    target: Target | None
    riders: list[bpy.types.Object] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    neck: bpy.types.PoseBone | None = None

    @property
    def moved(self) -> list[Target]:
        """All that gets keys, the target first."""
        every = [] if self.target is None else [self.target, *self.riders]
        return every if self.neck is None else [*every, self.neck]


def parts_of(obj: bpy.types.Object, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The other meshes of a character that are seen in a scene."""
    size = _box(obj)
    reach = _MARGIN * float(np.linalg.norm(size[1] - size[0]))
    inside_head = (size[0] - reach, size[1] + reach)
    root, armature = _root(obj), obj.find_armature()
    waiting = [
        other
        for other in _seen(scene)
        if other != obj
        and isinstance(other.data, bpy.types.Mesh)
        and len(other.data.polygons)
        and not _is_copy(other, obj)
        and (
            _root(other) == root
            or (armature is not None and other.find_armature() == armature)
            or _share_inside(other, inside_head) > _ALL
        )
    ]
    parts: list[bpy.types.Object] = []
    boxes = [inside_head]
    grown = True
    while grown:
        grown = False
        for other in list(waiting):
            box = _box(other)
            if any(_touch(box, known, reach) for known in boxes):
                waiting.remove(other)
                parts.append(other)
                boxes.append(box)
                grown = True
    return sorted(parts, key=lambda part: part.name)


def with_keys(parts: Sequence[bpy.types.Object], channels: Sequence[str]) -> list[bpy.types.Object]:
    """Those parts that have shape keys of these names; of objects that share a mesh, one."""
    wanted, found = set(channels), {}
    for part in parts:
        keys = keys_of(part)
        if keys is None or not keys.use_relative or part.library is not None:
            continue
        if any(block.name in wanted for block in keys.key_blocks[1:]):
            found.setdefault(keys, part)
    return list(found.values())


def carried_by_object(obj: bpy.types.Object, parts: Sequence[bpy.types.Object]) -> Carried:
    """The head itself, or what it and all its parts hang on."""
    loose = [part for part in parts if not _hangs_on(part, obj)]
    if not loose:
        return Carried(obj)
    common = next((owner for owner in chain_of(obj)[1:] if all(_hangs_on(part, owner) for part in loose)), None)
    if common is not None:
        others = [other for other in common.children_recursive if other.type == "MESH" and other != obj]
        if all(other in parts or not other.visible_get() for other in others):
            return Carried(
                common, remarks=[f"The head's pose is on “{common.name}”, which carries {_listed(obj, parts)}"]
            )
    return _with_riders(obj, obj, loose)


def carried_by_bone(obj: bpy.types.Object, bone: bpy.types.PoseBone, parts: Sequence[bpy.types.Object]) -> Carried:
    """A bone, and what of the head does not follow it."""
    return _with_riders(obj, bone, [part for part in parts if not follows(part, bone)])


def head_bone(obj: bpy.types.Object) -> bpy.types.PoseBone | None:
    """The bone that turns the head of a mesh, by weights, parents and names; None if none can be keyed."""
    armature = obj.find_armature()
    hanging = next((part for part in chain_of(obj) if part.parent_type == "BONE" and part.parent), None)
    if hanging is not None:
        armature = hanging.parent
    if armature is None or armature.pose is None:
        return None
    bone = armature.pose.bones.get(hanging.parent_bone) if hanging is not None else _heaviest(obj, armature)
    while bone is not None and "head" not in bone.name.lower() and bone.parent is not None and _leads_to_head(bone):
        bone = bone.parent
    if bone is not None and not holding(bone) and ("head" in bone.name.lower() or hanging is not None):
        return bone
    named = [b for b in armature.pose.bones if _plain(b.name) == "head" and not holding(b)]
    return named[0] if named else None


def _with_riders(obj: bpy.types.Object, target: Target, loose: Sequence[bpy.types.Object]) -> Carried:
    low, high = _box(obj)
    reach = _MARGIN * float(np.linalg.norm(high - low))
    box = (low - reach, high + reach)
    riders = [part for part in loose if _share_inside(part, box) > _INSIDE]
    riders = [part for part in riders if not any(_hangs_on(part, other) for other in riders if other != part)]
    left = [part.name for part in loose if part not in riders and not any(_hangs_on(part, one) for one in riders)]
    remarks: list[str] = []
    if riders:
        names = ", ".join(f"“{part.name}”" for part in riders[:6])
        remarks.append(f"{names} got the head's motion, too: nothing carries them together with it")
    if left:
        names = ", ".join(f"“{name}”" for name in left[:6])
        remarks.append(
            f"{names} stay where they are while the head turns: parent them to it, or choose the bone that turns it"
        )
    return Carried(target, riders, remarks)


def _seen(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    layer = view_layer_in(bpy.context) if bpy.context.scene == scene else scene.view_layers[0]
    return [obj for obj in layer.objects if obj.visible_get(view_layer=layer)]


def chain_of(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """An object, and all that it hangs on, up to the top."""
    chain = [obj]
    while chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    return chain


def _root(obj: bpy.types.Object) -> bpy.types.Object:
    return chain_of(obj)[-1]


def _hangs_on(obj: bpy.types.Object, owner: bpy.types.Object) -> bool:
    return owner in chain_of(obj)


def follows(part: bpy.types.Object, bone: bpy.types.PoseBone) -> bool:
    """Whether a mesh hangs on a bone or is deformed by it."""
    names = {bone.name, *(child.name for child in bone.children_recursive)}
    for owner in chain_of(part):
        if owner.parent == bone.id_data and owner.parent_type == "BONE" and owner.parent_bone in names:
            return True
        if owner.type == "MESH" and any(
            isinstance(m, bpy.types.ArmatureModifier) and m.object == bone.id_data and m.show_viewport
            for m in owner.modifiers
        ):
            return any(group.name in names for group in owner.vertex_groups) or owner.parent_type == "ARMATURE"
    return False


def _is_copy(other: bpy.types.Object, obj: bpy.types.Object) -> bool:
    """Whether it is another copy of the head, not a part of it."""
    one, two = mesh_of(other), mesh_of(obj)
    return len(one.vertices) == len(two.vertices) and len(one.polygons) == len(two.polygons)


def _box(obj: bpy.types.Object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest corner in the world, (3,) each."""
    matrix = np.array(obj.matrix_world)
    corners = np.array([tuple(corner) for corner in obj.bound_box]) @ matrix[:3, :3].T + matrix[:3, 3]
    return corners.min(axis=0), corners.max(axis=0)


def _touch(a: tuple[NDArray[np.float64], ...], b: tuple[NDArray[np.float64], ...], reach: float) -> bool:
    return bool(((a[0] <= b[1] + reach) & (b[0] <= a[1] + reach)).all())


def _share_inside(obj: bpy.types.Object, box: tuple[NDArray[np.float64], ...]) -> float:
    """How much of a mesh lies in a box, 0 to 1, by its vertices."""
    vertices = mesh_of(obj).vertices
    flat = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", flat)
    matrix = np.array(obj.matrix_world)
    places = flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return float(((places >= box[0]) & (places <= box[1])).all(axis=1).mean())


def _heaviest(obj: bpy.types.Object, armature: bpy.types.Object) -> bpy.types.PoseBone | None:
    """The bone with the most weight on what the shape keys move."""
    pose, vertices = pose_of(armature), mesh_of(obj).vertices
    bones = {
        group.index: bone
        for group in obj.vertex_groups
        if (bone := pose.bones.get(group.name)) is not None and bone.bone.use_deform
    }
    totals: dict[int, float] = {}
    for index in np.flatnonzero(_moved(obj)):
        for element in vertices[int(index)].groups:
            if element.group in bones:
                totals[element.group] = totals.get(element.group, 0.0) + element.weight
    return bones[max(totals, key=lambda group: totals[group])] if totals else None


def _moved(obj: bpy.types.Object) -> NDArray[np.bool_]:
    """(V,): which vertices a shape key moves."""
    mesh = mesh_of(obj)
    keys, count = mesh.shape_keys, len(mesh.vertices)
    if keys is None:
        return np.ones(count, bool)
    rest, shape = np.empty(3 * count, np.float32), np.empty(3 * count, np.float32)
    keys.reference_key.points.foreach_get("co", rest)
    moved = np.zeros(count, bool)
    for block in keys.key_blocks[1:]:
        block.points.foreach_get("co", shape)
        moved |= (np.abs(shape - rest).reshape(-1, 3) > 1e-6).any(axis=1)
    return moved if moved.any() else np.ones(count, bool)


def _leads_to_head(bone: bpy.types.PoseBone) -> bool:
    return any("head" in parent.name.lower() for parent in bone.parent_recursive)


def _plain(name: str) -> str:
    """A bone's name without what rigs put before it."""
    return name.rpartition(":")[2].lower().removeprefix("def-").removeprefix("org-").removeprefix("mch-")


def _listed(obj: bpy.types.Object, parts: Sequence[bpy.types.Object]) -> str:
    names = [obj.name, *(part.name for part in parts)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
