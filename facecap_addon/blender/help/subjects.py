"""What FaceCap has a word of help for: its operators and settings, found among the registered classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy

_INHERITED = ("rna_type", "name", "bl_idname")


@dataclass(frozen=True)
class Subject:
    """An operator or a setting.

    Attributes:
        section: what it belongs to, as "solve": the name of its file or of its group of settings.
        rna_id: what Blender asks the manual for, in lower case: "bpy.ops.facecap.solve".
        anchor: its place in the page with all of them: "facecap.solve", "solve.smoothness".
        label, tooltip: what the panel says.
        setting: the property; None for an operator.
    """

    section: str
    rna_id: str
    anchor: str
    label: str
    tooltip: str
    setting: bpy.types.Property | None = None


def subjects() -> Iterator[Subject]:
    """All of them, operators first."""
    for cls in operator_classes():
        name = cls.bl_idname
        section = cls.__module__.rpartition(".")[2]
        yield Subject(section, f"bpy.ops.{name}", name, cls.bl_label, cls.bl_description)
    for cls in settings_classes():
        section = cls.__name__.rpartition("_")[2]
        for item in own_properties(cls):
            rna_id = f"bpy.types.{cls.__name__}.{item.identifier}".lower()
            yield Subject(section, rna_id, f"{section}.{item.identifier}", item.name, item.description, item)


def operator_classes() -> list[type[bpy.types.Operator]]:
    """FaceCap's operators, by name."""
    return _registered(bpy.types.Operator, "FACECAP_OT_")


def panel_classes() -> list[type[bpy.types.Panel]]:
    """FaceCap's panels, by name."""
    return _registered(bpy.types.Panel, "FACECAP_PT_")


def settings_classes() -> list[type[bpy.types.bpy_struct]]:
    """FaceCap's groups of settings, and its preferences."""
    groups = _registered(bpy.types.PropertyGroup, "FACECAP_PG_")
    return [*groups, *_registered(bpy.types.AddonPreferences, "FACECAP_AP_")]


def own_properties(cls: type[bpy.types.bpy_struct]) -> list[bpy.types.Property]:
    """What of a group of settings is shown: what was only stored has no label of its own."""
    return [
        item
        for item in cls.bl_rna.properties
        if item.identifier not in _INHERITED and item.name and item.name != item.identifier
    ]


def _registered(base: type, prefix: str) -> list:
    found = {cls.__name__: cls for cls in base.__subclasses__() if cls.__name__.startswith(prefix) and _is_there(cls)}
    return [found[name] for name in sorted(found)]


def _is_there(cls: type) -> bool:
    return bool(getattr(cls, "is_registered", False))
