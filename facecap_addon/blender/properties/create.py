"""What is asked for where nobody performs: shape keys, expressions, motion of other meshes."""

from __future__ import annotations

import bpy

from ...generate.authored.emotions import EXPRESSIONS
from ...jobs.settings.generate import GenerateSettings
from ...jobs.settings.retarget import RetargetSettings
from ...jobs.settings.shape_keys import ShapeKeysSettings
from .declare import BoolProperty, EnumProperty, StringProperty, with_properties
from .derive import annotations_of

# The character and the scene say where it goes; the rest is the command line's.
_NOT_DERIVED = (
    "out",
    "character",
    "source",
    "blend",
    "blender",
    "threads",
    "only",
    "generators",
    "each_frame",
    "head_bone",
)


@with_properties(annotations_of(ShapeKeysSettings, skip=_NOT_DERIVED))
class FACECAP_PG_keys(bpy.types.PropertyGroup):
    """One property for every field of ShapeKeysSettings that is a matter of choice."""


@with_properties(annotations_of(GenerateSettings, skip=_NOT_DERIVED))
class FACECAP_PG_generate(bpy.types.PropertyGroup):
    """One property for every field of GenerateSettings that is a matter of choice, and which expressions to show."""

    head: bool
    loop: bool
    expression: str = EnumProperty(
        name="Expression",
        items=[(name, name.capitalize(), "") for name in EXPRESSIONS],
        description="What the character's face is to show",
        default="happiness",
    )
    use_chain: bool = BoolProperty(name="Sequence", description="Show several expressions, one after the other")
    chain: str = StringProperty(
        name="Expressions", description="Names of expressions, separated by commas", default="surprise, happiness"
    )
    as_strip: bool = BoolProperty(
        name="As NLA Strip", description="Put the keys into a strip of the NLA editor, to be combined with others"
    )


@with_properties(annotations_of(RetargetSettings, skip=(*_NOT_DERIVED, "points")))
class FACECAP_PG_retarget(bpy.types.PropertyGroup):
    """One property for every field of RetargetSettings that is a matter of choice."""


CLASSES = (FACECAP_PG_keys, FACECAP_PG_generate, FACECAP_PG_retarget)
