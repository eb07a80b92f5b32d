"""The list of takes: which is chosen, how keys are reduced, and which channel moves which shape key."""

from __future__ import annotations

import math

import bpy

from ..present import scene_with, settings_of
from .declare import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
    with_properties,
)


def _chosen(group: FACECAP_PG_take_list) -> int:
    from ..takes import chosen_index

    return chosen_index(settings_of(scene_with(group)))


def _choose(group: FACECAP_PG_take_list, index: int) -> None:
    from ..operators.take.takes import choose_from_list

    choose_from_list(scene_with(group), index)


@with_properties()
class FACECAP_PG_channel(bpy.types.PropertyGroup):
    """A channel of the take, and the shape key that it moves."""

    source: str = StringProperty()
    key: str = StringProperty(name="Shape Key", description="Shape key that the channel moves; empty: none")


@with_properties()
class FACECAP_PG_take_list(bpy.types.PropertyGroup):
    chosen: int = IntProperty(get=_chosen, set=_choose, options={"HIDDEN"})
    beside: bool = BoolProperty()  # whether a take is shown beside the character: panels need not look for it
    beside_take: str = StringProperty()
    against: str = StringProperty()  # the take whose difference from the chosen one is shown
    value_tolerance: float = FloatProperty(
        name="Shape Keys",
        description="How far a shape key's curve may be off, anywhere between its keys; 1 is a whole shape",
        default=0.005,
        min=1e-4,
        soft_max=0.05,
        max=1.0,
        precision=4,
        step=1,
    )
    turn_tolerance: float = FloatProperty(
        name="Rotation",
        description="How far the head's rotation may be off",
        default=math.radians(0.1),
        min=math.radians(0.001),
        max=math.radians(10.0),
        subtype="ANGLE",
        precision=3,
    )
    place_tolerance: float = FloatProperty(
        name="Location",
        description="How far the head may be from where it was",
        default=0.001,
        min=1e-6,
        soft_max=0.1,
        subtype="DISTANCE",
        precision=4,
    )
    straight: bool = BoolProperty(
        name="Straight Lines", description="Linear keys instead of Bézier curves: more of them, without handles"
    )
    use_mapping: bool = BoolProperty(
        name="Use Table",
        description="Bake the channels of a take onto the shape keys of the table; off: onto keys of the same name, or "
        "of the same ARKit name",
    )
    mapping: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_channel] = CollectionProperty(type=FACECAP_PG_channel)
    mapping_active: int = IntProperty()


CLASSES = (FACECAP_PG_channel, FACECAP_PG_take_list)
