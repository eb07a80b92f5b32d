"""Corrections of the scene's footage: frames that an animator put right."""

from __future__ import annotations

import bpy

from .declare import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
    with_properties,
)

REACH_S, MOST_REACH_S = 0.2, 10.0  # as in takes.corrections, which enabling the add-on need not import
GRIPS = [
    ("point", "Single Landmark", "Drag one landmark; its neighbors follow"),
    ("lip_corner", "Lip Corner", "Drag a corner of the mouth"),
    ("lip_edge", "Lip Edge", "Drag the upper or the lower lip; the corners stay"),
    ("lid_edge", "Lid Edge", "Drag an upper or a lower lid; the corners of the eye stay"),
    ("brow", "Brow", "Drag a whole brow"),
    ("jaw", "Jaw", "Drag the chin together with the lower lip"),
]


@with_properties()
class FACECAP_PG_correction(bpy.types.PropertyGroup):
    """One correction; `data` is its JSON, of which the others here are what can be changed in a list."""

    time_s: float = FloatProperty(precision=4)
    data: str = StringProperty()
    clip: str = StringProperty()
    clip_path: str = StringProperty()
    mirror: bool = BoolProperty()  # how the footage was set that was corrected
    clip_content: str = StringProperty()  # see `corrections.content_of`
    summary: str = StringProperty()
    muted: bool = BoolProperty(name="Mute", description="Keep this correction without using it")
    reach_s: float = FloatProperty(
        name="Reach",
        description="How far this correction reaches in time, to either side of its frame",
        default=REACH_S,
        min=0.0,
        soft_max=1.0,
        max=MOST_REACH_S,
        step=1,
        subtype="TIME_ABSOLUTE",
    )


@with_properties()
class FACECAP_PG_corrections(bpy.types.PropertyGroup):
    frames: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_correction] = CollectionProperty(type=FACECAP_PG_correction)
    active: int = IntProperty()
    grip: str = EnumProperty(name="Drag", items=GRIPS, description="What is dragged together", default="lip_corner")
    radius: float = FloatProperty(
        name="Falloff",
        description="How far landmarks around what is dragged follow, in percent of the distance between the eyes",
        default=30.0,
        min=0.0,
        max=200.0,
        subtype="PERCENTAGE",
        precision=0,
    )
    reach_s: float = FloatProperty(
        name="Reach",
        description="How far new corrections reach in time, to either side of their frame",
        default=REACH_S,
        min=0.0,
        soft_max=1.0,
        max=MOST_REACH_S,
        step=1,
        subtype="TIME_ABSOLUTE",
    )


CLASSES = (FACECAP_PG_correction, FACECAP_PG_corrections)
