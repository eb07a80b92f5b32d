"""A character's mapping as its object keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ....rig.mapping.mapping import Link, Mapping, Target
from ...present import MAPPING

if TYPE_CHECKING:
    from ...properties.mapping import FACECAP_PG_character_mapping, FACECAP_PG_link


def group_of(obj: bpy.types.Object) -> FACECAP_PG_character_mapping:
    """The settings of an object's mapping."""
    return getattr(obj, MAPPING)  # registered as Blender runs: no stub knows it


def has_mapping(obj: bpy.types.Object) -> bool:
    """Whether a character is keyed by a mapping; where not, takes go onto shape keys of the same name."""
    group: FACECAP_PG_character_mapping | None = getattr(obj, MAPPING, None)  # the add-on may not be enabled
    return group is not None and group.use and len(group.links) > 0


def mapping_of(obj: bpy.types.Object) -> Mapping | None:
    """The mapping by which a character is keyed; None as in `has_mapping`."""
    return read_mapping(obj) if has_mapping(obj) else None


def read_mapping(obj: bpy.types.Object) -> Mapping:
    """A character's mapping, whether or not it is used; links without a channel or a target are left out."""
    group = group_of(obj)
    links = tuple(link_of(link) for link in group.links if link.channel and link.target)
    between = (group.size_from, group.size_to) if group.size_from and group.size_to else ()
    return Mapping(group.title, links, _short(group.face_size_m), between)


def link_of(link: FACECAP_PG_link) -> Link:
    """A link as the table has it."""
    return Link(
        channel=link.channel,
        target=target_of(link),
        factor=_short(link.factor),
        offset=_short(link.offset),
        curve=tuple(sorted({_short(point.x): _short(point.y) for point in link.points}.items())),
        sure=link.sure,
    )


def target_of(link: FACECAP_PG_link) -> Target:
    """The target of a link in the table."""
    axis = {"bone": link.axis, "property": link.bone}.get(link.kind, "")
    kinds = {"key": "key", "bone": "bone", "property": "property"}
    return Target(kinds[link.kind], link.target, axis, link.owner)  # pyright: ignore[reportArgumentType]


def store_mapping(obj: bpy.types.Object, mapping: Mapping) -> None:
    """Give a character another mapping."""
    group = group_of(obj)
    group.links.clear()
    for link in mapping.links:
        put_link(group.links.add(), link)
    group.title, group.face_size_m = mapping.name, mapping.face_size_m
    group.size_from, group.size_to = mapping.size_bones or ("", "")
    group.active = min(group.active, max(0, len(group.links) - 1))
    group.use = True


def put_link(row: FACECAP_PG_link, link: Link) -> None:
    """Make a row of the table a link."""
    row.channel, row.kind, row.target, row.owner = link.channel, link.target.kind, link.target.name, link.target.owner
    if link.target.kind == "bone":
        row.axis = link.target.axis
    row.bone = link.target.axis if link.target.kind == "property" else ""
    row.factor, row.offset = link.factor, link.offset
    row.points.clear()
    for x, y in link.curve:
        point = row.points.add()
        point.x, point.y = x, y
    row.sure = link.sure  # last: whatever is changed by hand is sure


def _short(value: float) -> float:
    """Blender keeps single precision: 1.2 is meant where 1.2000000476837158 stands."""
    return float(f"{value:.7g}")
