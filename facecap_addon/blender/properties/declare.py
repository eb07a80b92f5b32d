"""Blender's properties as typed attributes: declared like a dataclass's fields, then moved to where Blender looks.

    @with_properties(annotations_of(SolveSettings))
    class FACECAP_PG_solve(bpy.types.PropertyGroup):
        fps: float  # one of those derived, named here because code reads it
        note: str = StringProperty(name="Note")

Blender takes properties from a class's annotations, where a type checker sees calls instead of types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import bpy

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import PropertyFlagItems

# From 4.5 a path that may be relative to the .blend has to say so.
PATH_OPTIONS: set[PropertyFlagItems] = {"ANIMATABLE"}
if bpy.app.version >= (4, 5, 0):
    PATH_OPTIONS.add("PATH_SUPPORTS_BLEND_RELATIVE")

_Class = TypeVar("_Class", bound=type)
_Arguments = ParamSpec("_Arguments")


def _with_value(make: Callable[_Arguments, None]) -> Callable[_Arguments, Any]:
    return make


# What defines a property stands for its value: a class declares `influence: float = FloatProperty(…)`.
BoolProperty = _with_value(bpy.props.BoolProperty)
IntProperty = _with_value(bpy.props.IntProperty)
FloatProperty = _with_value(bpy.props.FloatProperty)
FloatVectorProperty = _with_value(bpy.props.FloatVectorProperty)
StringProperty = _with_value(bpy.props.StringProperty)
EnumProperty = _with_value(bpy.props.EnumProperty)
PointerProperty = _with_value(bpy.props.PointerProperty)
CollectionProperty = _with_value(bpy.props.CollectionProperty)


def with_properties(derived: Mapping[str, Any] | None = None) -> Callable[[_Class], _Class]:
    """Give a class the properties that are derived from elsewhere, and those that it declares.

    Raises TypeError if it names a derived one that is not there.
    """

    def declare(cls: _Class) -> _Class:
        properties = dict(derived or {})
        for name in list(cls.__annotations__):
            own = cls.__dict__.get(name)
            if own is not None:
                delattr(cls, name)
                properties[name] = own
            elif name not in properties:
                raise TypeError(f"{cls.__name__}.{name} is declared, but no property of that name was made")
        cls.__annotations__ = properties
        return cls

    return declare
