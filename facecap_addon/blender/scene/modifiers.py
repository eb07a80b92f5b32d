"""Which modifiers a character may carry. Shape keys act first, so the solve is always on the mesh before them."""

from __future__ import annotations

import bpy

# These put other coordinates in the place of what the shape keys say.
_REPLACING = {"MESH_CACHE": "a Mesh Cache", "MESH_SEQUENCE_CACHE": "a Mesh Sequence Cache"}
# These give the surface other vertices than the keys have.
_GENERATING = {
    "SUBSURF", "MULTIRES", "MIRROR", "SOLIDIFY", "REMESH", "DECIMATE", "BEVEL", "BOOLEAN", "TRIANGULATE", "ARRAY",
    "BUILD", "EDGE_SPLIT", "MASK", "SCREW", "SKIN", "VOLUME_TO_MESH", "WELD", "WIREFRAME", "NODES", "EXPLODE",
}  # fmt: skip
_SIMULATED = {"CLOTH", "SOFT_BODY", "FLUID", "OCEAN"}


def blocking_modifiers(obj: bpy.types.Object) -> list[str]:
    """Reasons why shape keys cannot be seen on this object; empty if they can."""
    reasons: list[str] = []
    for modifier in obj.modifiers:
        if not modifier.show_viewport or modifier.type not in _REPLACING:
            continue
        replaces = modifier.type == "MESH_SEQUENCE_CACHE" and "VERT" in modifier.read_data
        overwrites = modifier.type == "MESH_CACHE" and modifier.deform_mode == "OVERWRITE"
        if replaces or (overwrites and getattr(modifier, "factor", 1.0) >= 1.0):
            reasons.append(
                f"On “{obj.name}”, {_REPLACING[modifier.type]} modifier (“{modifier.name}”) replaces what the shape "
                "keys do, so their motion would not be seen."
            )
    return reasons


def modifier_notes(obj: bpy.types.Object) -> list[str]:
    """What the user should know about the modifiers of a character that can be solved; one line each."""
    notes: list[str] = []
    shown = [modifier for modifier in obj.modifiers if modifier.show_viewport]
    generating = [modifier.name for modifier in shown if modifier.type in _GENERATING]
    if generating:
        notes.append(f"{', '.join(generating)}: solved on the mesh before it, keys show through it")
    simulated = [modifier.name for modifier in shown if modifier.type in _SIMULATED]
    if simulated:
        notes.append(f"{', '.join(simulated)}: adds motion of its own after the keys")
    return notes
