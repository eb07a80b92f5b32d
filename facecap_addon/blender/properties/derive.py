"""Blender properties from a settings dataclass, field by field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import bpy

from ...settings_schema import SettingField, fields_of

_LIMIT = 1e9
FILE_CHOICE = "FILE"
_USUAL = {"lens_mm": 35.0, "focal_px": 1200.0, "fps": 24.0, "camera_fps": 30.0, "duration_s": 5.0, "sigma_mm": 15.0}
"""What is filled in where nothing need be given; percentages are 100."""


def annotations_of(
    settings_type: type, *, skip: Collection[str] = (), updates: Mapping[str, Callable[..., None]] | None = None
) -> dict[str, Any]:
    """Property annotations for every yes-or-no, number and choice field.

    A field that may be absent becomes two: `use_<name>`, off at first, and `<name>`.

    Args:
        skip: fields that get none.  updates: for some fields, what Blender calls when they are changed.
    """
    annotations: dict[str, Any] = {}
    for item in fields_of(settings_type):
        update = (updates or {}).get(item.name)
        made = None if item.name in skip or item.required else _property(item, update)
        if made is None:
            continue
        if item.optional:
            annotations[f"use_{item.name}"] = bpy.props.BoolProperty(
                name=f"Use {_label(item)}", description=_tooltip(item), default=False, update=update
            )
        annotations[item.name] = made
        if item.or_file:
            annotations[f"{item.name}_file"] = bpy.props.StringProperty(
                name="File",
                description=f"The {item.or_file} file of a network that was trained on this actor",
                subtype="FILE_PATH",
            )
    return annotations


def values_of(group: bpy.types.PropertyGroup, settings_type: type) -> dict[str, Any]:
    """The values a property group holds for the settings it was derived from; absent ones are left out."""
    values: dict[str, Any] = {}
    for item in fields_of(settings_type):
        # A group's own property of an optional field has no box beside it: who declared it reads it.
        given = not item.optional or getattr(group, f"use_{item.name}", False)
        if item.name in group.bl_rna.properties and given:
            values[item.name] = getattr(group, item.name)
            if item.or_file and values[item.name] == FILE_CHOICE:
                values[item.name] = bpy.path.abspath(getattr(group, f"{item.name}_file"))
    return values


def choice_label(group: bpy.types.PropertyGroup, name: str) -> str:
    """What the panel calls the value that is chosen."""
    choice = group.bl_rna.properties[name]
    return choice.enum_items[getattr(group, name)].name if isinstance(choice, bpy.types.EnumProperty) else ""


def _property(item: SettingField, update: Callable[..., None] | None = None) -> Any:
    shared: dict[str, Any] = {"name": _label(item), "description": _tooltip(item), "update": update}
    if item.choices:
        items = [(choice, *item.choice_labels.get(choice, (title(choice), ""))) for choice in item.choices]
        if item.or_file:
            items.append((FILE_CHOICE, "Trained on This Actor", f"A network of this actor, in a {item.or_file} file"))
        return bpy.props.EnumProperty(items=items, default=str(item.default or item.choices[0]), **shared)
    low = -_LIMIT if item.min is None else item.min
    high = _LIMIT if item.max is None else item.max
    if item.kind == "bool":
        return bpy.props.BoolProperty(default=bool(item.default), **shared)
    if item.kind == "int":
        return bpy.props.IntProperty(default=int(_default(item, low)), min=int(low), max=int(high), **shared)
    if item.kind == "float":
        if item.unit == "%":
            shared |= {"subtype": "PERCENTAGE", "precision": 0}
        return bpy.props.FloatProperty(default=float(_default(item, low)), min=low, max=high, **shared)
    return None


def _default(item: SettingField, low: float) -> float:
    if isinstance(item.default, (int, float)):
        return item.default
    return 100.0 if item.unit == "%" else _USUAL.get(item.name, max(low, 0.0))


_SMALL = {"a", "and", "at", "by", "in", "into", "of", "on", "or", "the", "to", "with"}


def title(name: str) -> str:
    """A name in title case, as Blender's own labels are."""
    words = name.replace("_", " ").replace("-", " ").split()
    return " ".join(
        word if number and word in _SMALL else word[:1].upper() + word[1:] for number, word in enumerate(words)
    )


def _tooltip(item: SettingField) -> str:
    """What the panel says of a field; where the command line leaves it out, the panel has a box that is off."""
    return item.tooltip or item.help.replace("; if not given: ", "; off: ")


def _label(item: SettingField) -> str:
    unit = item.unit.lower()
    has_unit = unit not in ("", "frame") and item.name.endswith(f"_{unit}")
    words = item.label or title(item.name.removesuffix(f"_{unit}") if has_unit else item.name)
    return f"{words} ({item.unit})" if has_unit else words
