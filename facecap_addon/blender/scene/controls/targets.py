"""Where a mapping's targets are: the objects, bones and properties of a character that can be keyed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import bpy

from ....rig.mapping.mapping import BONE_AXES, Mapping, Target
from ...present import scene_in
from ..head.parts import chain_of, parts_of
from ..objects import keys_of

_OWN = ("facecap_", "_RNA_UI", "cycles")
"""How custom properties begin that are none of the animator's."""


@dataclass(frozen=True)
class Controls:
    """The objects of a character that may have targets.

    Attributes:
        head: the character.
        meshes: the head, and other meshes of the character with shape keys; of objects that share a mesh, one.
        armatures: those that deform the head first, then those of its parts, of what it hangs on, and those by which
            its drivers go, such as a face board.
    """

    head: bpy.types.Object
    meshes: tuple[bpy.types.Object, ...]
    armatures: tuple[bpy.types.Object, ...]

    @property
    def objects(self) -> tuple[bpy.types.Object, ...]:
        """All of them, the head first."""
        return tuple(dict.fromkeys((self.head, *self.meshes, *self.armatures)))


@dataclass(frozen=True)
class Place:
    """Where a target is.

    Attributes:
        owner: the object.
        block: of a shape key.
        bone: of a bone, or of a custom property that a bone has.
    """

    owner: bpy.types.Object
    block: bpy.types.ShapeKey | None = None
    bone: bpy.types.PoseBone | None = None

    @property
    def has_properties(self) -> bpy.types.Object | bpy.types.PoseBone:
        """What has the custom property."""
        return self.bone or self.owner


def controls_of(obj: bpy.types.Object, scene: bpy.types.Scene | None = None) -> Controls:
    """The objects that may have a character's targets.

    Args:
        scene: in which its other meshes are seen; the present one if left out.
    """
    parts = parts_of(obj, scene or scene_in(bpy.context))
    meshes: dict[bpy.types.Key, bpy.types.Object] = {}
    for mesh in (obj, *parts):
        keys = keys_of(mesh)
        if keys is not None and keys.use_relative:
            meshes.setdefault(keys, mesh)
    found = [*_deforming(obj), *(armature for part in parts for armature in _deforming(part))]
    chain = chain_of(obj)
    found += [one for one in (*chain, *chain[-1].children_recursive) if one.type == "ARMATURE"]
    found += [other for datablock in (*meshes, *found) for other in _driving(datablock)]
    armatures = tuple(one for one in dict.fromkeys(found) if one.pose is not None)
    return Controls(obj, tuple(meshes.values()), armatures)


def read_targets(obj: bpy.types.Object) -> tuple[Target, ...]:
    """All that a character could be moved by: a shape key once however many meshes have it, nine axes of each bone, and
    custom properties that are numbers. Of the armature that deforms the head, targets name no owner."""
    controls = controls_of(obj)
    found: dict[Target, None] = {}
    for mesh in controls.meshes:
        keys = keys_of(mesh)
        for block in [] if keys is None else keys.key_blocks:
            if keys is not None and block != keys.reference_key:
                found[Target("key", block.name)] = None
    for armature in controls.armatures:
        owner = "" if armature == controls.armatures[0] else armature.name
        for bone in [] if armature.pose is None else armature.pose.bones:
            for axis in BONE_AXES:
                found[Target("bone", bone.name, axis, owner)] = None
            for name in _properties(bone):
                found[Target("property", name, bone.name, owner)] = None
    for owner in controls.objects:
        for name in _properties(owner):
            found[Target("property", name, "", owner.name)] = None
    return tuple(found)


def find_places(controls: Controls, target: Target) -> list[Place]:
    """Where a target is: every mesh with a shape key of the name, or the one bone or property; several if more than one
    object could be meant; none if it is missing."""
    if target.kind == "key":
        return [
            Place(mesh, block=keys.key_blocks[target.name])
            for mesh in _owners(controls.meshes, target.owner)
            if (keys := keys_of(mesh)) is not None
            and target.name in keys.key_blocks
            and keys.key_blocks[target.name] != keys.reference_key
        ]
    if target.kind == "bone" or target.axis:
        name = target.name if target.kind == "bone" else target.axis
        armatures = _owners(controls.armatures, target.owner)
        bones = [Place(one, bone=one.pose.bones[name]) for one in armatures if one.pose and name in one.pose.bones]
        if target.kind == "property":
            bones = [place for place in bones if _is_number(place.has_properties.get(target.name))]
        return bones if target.owner or not bones else bones[:1] if _is_first(controls, bones[0]) else bones
    objects = _owners(controls.objects, target.owner)
    found = [Place(one) for one in objects if _is_number(one.get(target.name))]
    return found if target.owner else found[:1]


def keep_found(obj: bpy.types.Object, mapping: Mapping) -> tuple[Mapping, tuple[Target, ...]]:
    """What of a mapping a character can be moved by, and which targets it lacks."""
    controls = controls_of(obj)
    gone = tuple(target for target in mapping.targets if not find_places(controls, target))
    return replace(mapping, links=tuple(link for link in mapping.links if link.target not in gone)), gone


def property_path(target: Target, place: Place) -> str:
    """The data path of a custom property, on its owner."""
    own = f'["{bpy.utils.escape_identifier(target.name)}"]'
    return own if place.bone is None else place.bone.path_from_id() + own


def property_limits(target: Target, place: Place) -> tuple[float, float]:
    """The least and the greatest value that a custom property's own settings allow."""
    value = place.has_properties.get(target.name)
    if isinstance(value, bool):
        return 0.0, 1.0
    manager: Any = place.has_properties.id_properties_ui(target.name)  # its stub says that it is nothing
    facts = manager.as_dict()
    return float(facts.get("min", -3.4e38)), float(facts.get("max", 3.4e38))


def _owners(own: tuple[bpy.types.Object, ...], name: str) -> list[bpy.types.Object]:
    """The character's objects of a name, all for ""; one that the character does not have is looked for in the file."""
    found = [one for one in own if not name or one.name == name]
    return found or [one for one in bpy.data.objects if one.name == name and one.users_scene]


def _is_first(controls: Controls, place: Place) -> bool:
    """Whether a bone is of the armature in which bones without an owner are looked for."""
    return place.owner == controls.armatures[0]


def _deforming(obj: bpy.types.Object) -> list[bpy.types.Object]:
    found = [m.object for m in obj.modifiers if isinstance(m, bpy.types.ArmatureModifier)]
    return [armature for armature in found if armature is not None]


def _driving(datablock: bpy.types.Key | bpy.types.Object) -> Iterator[bpy.types.Object]:
    """The armatures that a datablock's drivers read."""
    animation = datablock.animation_data
    for curve in () if animation is None else animation.drivers:
        for variable in () if curve.driver is None else curve.driver.variables:
            for read in variable.targets:
                if isinstance(read.id, bpy.types.Object) and read.id.type == "ARMATURE":
                    yield read.id


def _properties(owner: bpy.types.Object | bpy.types.PoseBone) -> list[str]:
    """Names of the custom properties that are numbers; before Blender 5, what add-ons register is among them."""
    return [
        name
        for name in owner.keys()  # noqa: SIM118  a datablock, no dictionary
        if not name.startswith(_OWN) and name not in owner.bl_rna.properties and _is_number(owner.get(name))
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))
