"""A mapping's locations for the size of a character's face."""

from __future__ import annotations

import bpy

from ....rig.mapping.evaluate import scale_to_face
from ....rig.mapping.mapping import Mapping, Target
from ..head.character import metres_per_unit
from .targets import controls_of, find_places


def scale_to_character(obj: bpy.types.Object, mapping: Mapping, *, scene: bpy.types.Scene | None = None) -> Mapping:
    """A mapping whose locations are for this character's face; one that is already stays as it is.

    Without bones that tell the sizes apart, or where the character lacks them, nothing is scaled.
    """
    return scale_to_face(mapping, _measure_face(obj, mapping, scene))


def _measure_face(obj: bpy.types.Object, mapping: Mapping, scene: bpy.types.Scene | None) -> float:
    """How far a mapping's two bones are apart at rest, metres in the world; 0 where that cannot be said."""
    controls = controls_of(obj, scene)
    ends = []
    for name in mapping.size_bones:
        places = find_places(controls, Target("bone", name, "location.x"))
        if len(places) != 1 or places[0].bone is None:
            return 0.0
        ends.append(places[0].owner.matrix_world @ places[0].bone.bone.head_local)
    return (ends[0] - ends[1]).length * metres_per_unit() if ends else 0.0
