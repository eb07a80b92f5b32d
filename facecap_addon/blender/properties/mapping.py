"""The mapping of a character, kept with its object: which channel moves what, and how far."""

from __future__ import annotations

from typing import Any

import bpy

from ..present import MAPPING, WEIGHT
from .declare import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
    with_properties,
)

_KINDS = [
    ("key", "Shape Key", "The value of a shape key, on every mesh of the character that has one of the name"),
    ("bone", "Bone", "One axis of a pose bone, in the bone's own axes"),
    ("property", "Custom Property", "A number among an object's or a bone's custom properties"),
]
_WORDS = {"location": "Location", "rotation": "Rotation", "scale": "Scale"}
_ABOUT = {
    "location": "Metres along the bone's own axis",
    "rotation": "Radians about the bone's own axis, whatever its rotation mode",
    "scale": "Difference from 1",
}
_AXES = [(f"{what}.{letter}", f"{_WORDS[what]} {letter.upper()}", _ABOUT[what]) for what in _WORDS for letter in "xyz"]


def _changed(link: FACECAP_PG_link | FACECAP_PG_link_point, context: bpy.types.Context) -> None:
    from ..mapping import link_changed

    link_changed(link)


def _find_channels(link: FACECAP_PG_link, context: bpy.types.Context, typed: str) -> list[str]:
    from ..mapping import source_channels

    return [name for name in source_channels(context) if typed.lower() in name.lower()]


def _find_targets(link: FACECAP_PG_link, context: bpy.types.Context, typed: str) -> list[str]:
    from ..mapping import target_names

    return [name for name in target_names(link) if typed.lower() in name.lower()]


def _find_bones(link: FACECAP_PG_link, context: bpy.types.Context, typed: str) -> list[str]:
    from ..mapping import bone_names

    return [name for name in bone_names(link) if typed.lower() in name.lower()]


@with_properties()
class FACECAP_PG_link_point(bpy.types.PropertyGroup):
    """A point of a link's curve."""

    x: float = FloatProperty(name="Weight", description="Weight of the channel", update=_changed)
    y: float = FloatProperty(name="Becomes", description="What the weight counts as", update=_changed)


@with_properties()
class FACECAP_PG_link(bpy.types.PropertyGroup):
    """A channel that moves a target."""

    channel: str = StringProperty(
        name="Channel",
        description="Channel of the take, such as jawOpen; any name that means the same will do",
        search=_find_channels,
        search_options={"SUGGESTION"},
        update=_changed,
    )
    kind: str = EnumProperty(name="Kind", description="What the channel moves", items=_KINDS, update=_changed)
    target: str = StringProperty(
        name="Target",
        description="Name of the shape key, the bone or the custom property",
        search=_find_targets,
        search_options={"SUGGESTION"},
        update=_changed,
    )
    axis: str = EnumProperty(name="Axis", description="Which axis of the bone", items=_AXES, update=_changed)
    bone: str = StringProperty(
        name="Of Bone",
        description="Bone that has the custom property; empty: the object itself has it",
        search=_find_bones,
        search_options={"SUGGESTION"},
        update=_changed,
    )
    owner: str = StringProperty(
        name="Object",
        description="Object that has the target; empty: any of the character's",
        update=_changed,
    )
    factor: float = FloatProperty(
        name="Factor",
        description="How far the target goes at a weight of 1: a shape key's value, radians, metres; "
        "negative: the other way",
        default=1.0,
        precision=4,
        update=_changed,
    )
    offset: float = FloatProperty(
        name="Offset", description="Added whatever the weight, in the same unit", precision=4, update=_changed
    )
    points: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_link_point] = CollectionProperty(type=FACECAP_PG_link_point)
    sure: bool = BoolProperty(
        name="Checked", description="The link is right; off: it was guessed and wants a look", default=True
    )


@with_properties()
class FACECAP_PG_character_mapping(bpy.types.PropertyGroup):
    use: bool = BoolProperty(
        name="Use Mapping",
        description="Takes go to the targets of the table; off: onto shape keys of the same name",
        default=True,
    )
    title: str = StringProperty(name="Name", description="What the mapping is called, as a preset and as a file")
    links: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_link] = CollectionProperty(type=FACECAP_PG_link)
    active: int = IntProperty(name="Link", update=lambda group, _: _chosen(group))
    face_size_m: float = FloatProperty()
    size_from: str = StringProperty()
    size_to: str = StringProperty()
    tested: str = StringProperty()  # what a test has moved, and how it stood before: put back after undo, too


def _chosen(group: Any) -> None:
    from ..mapping import end_test

    end_test(group.id_data)


def _tested(window_manager: Any, context: bpy.types.Context) -> None:
    from ..mapping import show_test

    show_test(context, getattr(window_manager, WEIGHT))


CLASSES = (FACECAP_PG_link_point, FACECAP_PG_link, FACECAP_PG_character_mapping)


def register() -> None:
    setattr(bpy.types.Object, MAPPING, bpy.props.PointerProperty(type=FACECAP_PG_character_mapping))
    # Of Blender's window, not of the file: sliding it is no step of undo.
    slider = bpy.props.FloatProperty(
        name="Test",
        description="Show the channel of the chosen link on the character, without keys; 0 puts everything back",
        min=0.0,
        max=1.0,
        update=_tested,
        options={"SKIP_SAVE"},
    )
    setattr(bpy.types.WindowManager, WEIGHT, slider)


def unregister() -> None:
    delattr(bpy.types.WindowManager, WEIGHT)
    delattr(bpy.types.Object, MAPPING)
