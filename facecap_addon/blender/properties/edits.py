"""The stack of edits of a scene. Of each edit every kind's settings are there, under the kind's name: none is lost when
another kind is tried."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import bpy

from ...settings_schema import fields_of
from ...takes.edits.kinds import KINDS, Edit
from ..present import scene_with, settings_of
from ..scene.footage import frame_of_time, scene_rate, time_of_frame
from ..scene.objects import key_blocks_of
from .declare import CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty, with_properties
from .derive import annotations_of

COMMON = tuple(item.name for item in fields_of(Edit))
_TIMES = ("start_s", "end_s", "calibration_neutral_s", "hold_at_s")
_LASTING = ("blend_in_s", "blend_out_s", "retime_offset_s")


def prefix_of(kind: str) -> str:
    """What the names of a kind's settings begin with in Blender."""
    return f"{kind.replace('-', '_')}_"


def as_frames(name: str) -> str:
    """The property that shows a time in seconds as a frame of the scene; any other is shown itself."""
    return f"{name.removesuffix('_s')}_frame" if name in (*_TIMES, *_LASTING) else name


def _changed(edit: FACECAP_PG_edit | FACECAP_PG_edit_pair, context: bpy.types.Context) -> None:
    from ..edits import show_edits

    show_edits(scene_with(edit))


def _find_channels(edit: FACECAP_PG_edit, context: bpy.types.Context, typed: str) -> list[str]:
    """What could be typed: the character's keys that have the latest name's letters, after those there already."""
    character = settings_of(scene_with(edit)).character
    before, comma, part = typed.rpartition(",")
    lead = f"{before.strip()}, " if comma else ""
    taken = {name.strip() for name in before.split(",")}
    names = [] if character is None else [block.name for block in key_blocks_of(character)[1:]]
    return [lead + name for name in names if part.strip().lower() in name.lower() and name not in taken]


def _annotations() -> dict[str, Any]:
    made = annotations_of(Edit, updates=dict.fromkeys(COMMON, _changed))
    for cls in KINDS:
        own = [item.name for item in fields_of(cls) if item.name not in COMMON]
        for name, made_of_it in annotations_of(cls, skip=COMMON, updates=dict.fromkeys(own, _changed)).items():
            made[prefix_of(cls.kind) + name] = made_of_it
    labels = {prefix_of(cls.kind) + item.name: item for cls in KINDS for item in fields_of(cls)}
    labels |= {item.name: item for item in fields_of(Edit)}
    for name in (*_TIMES, *_LASTING):
        item = labels[name]
        label = {"start_s": "First Frame", "end_s": "Last Frame"}.get(name, item.label.replace("Time", "Frame"))
        made[as_frames(name)] = _frame_property(name, label, item.help.replace("time", "frame", 1))
    return made


def _frame_property(stored: str, label: str, description: str) -> Any:
    """A property that shows seconds of the footage as frames of the scene."""
    lasting = stored in _LASTING

    def get(edit: FACECAP_PG_edit | FACECAP_PG_edit_pair) -> float:
        scene = scene_with(edit)
        value = getattr(edit, stored)
        return value * scene_rate(scene) if lasting else frame_of_time(scene, value)

    def put(edit: FACECAP_PG_edit | FACECAP_PG_edit_pair, value: float) -> None:
        scene = scene_with(edit)
        setattr(edit, stored, value / scene_rate(scene) if lasting else time_of_frame(scene, value))

    return FloatProperty(name=label, description=description, get=get, set=put, precision=1, step=100)


@with_properties()
class FACECAP_PG_edit_pair(bpy.types.PropertyGroup):
    """A point of a curve, or, by its name, what a channel shows at rest."""

    x: float = FloatProperty(name="From", description="Weight, or time in seconds, before the edit", update=_changed)
    y: float = FloatProperty(name="To", description="Weight, or time in seconds, after the edit", update=_changed)
    x_frame: float = _frame_property("x", "From Frame", "Where something happens before the edit")
    y_frame: float = _frame_property("y", "To Frame", "Where it happens after the edit")


@with_properties(_annotations())
class FACECAP_PG_edit(bpy.types.PropertyGroup):
    kind: str = EnumProperty(
        name="Kind",
        description="What the edit does",
        items=[(cls.kind, cls.label, cls.about) for cls in KINDS],
        default="gain",
        update=_changed,
    )
    channels: str = StringProperty(
        name="Channels",
        description="Names of shape keys to edit instead of a region, with commas between them",
        search=_find_channels,
        search_options={"SUGGESTION"},
        update=_changed,
    )
    on: bool
    solo: bool
    region: str
    use_start_s: bool
    use_end_s: bool
    points: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_edit_pair] = CollectionProperty(type=FACECAP_PG_edit_pair)
    levels: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_edit_pair] = CollectionProperty(type=FACECAP_PG_edit_pair)


@with_properties()
class FACECAP_PG_edits(bpy.types.PropertyGroup):
    stack: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_edit] = CollectionProperty(type=FACECAP_PG_edit)
    active: int = IntProperty()
    problem: str = StringProperty()


def has_list(kind: type[Edit], name: str) -> bool:
    """Whether edits of a kind have a list of points or of levels."""
    return any(item.name == name for item in fields(kind))


CLASSES = (FACECAP_PG_edit_pair, FACECAP_PG_edit, FACECAP_PG_edits)
