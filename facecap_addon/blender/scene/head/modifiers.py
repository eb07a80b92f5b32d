"""Which modifiers a character may carry. Shape keys act first, so the solve is always on the mesh before them."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ....rig.mirror_modifier import Reflection

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
        replaces = isinstance(modifier, bpy.types.MeshSequenceCacheModifier) and "VERT" in modifier.read_data
        overwrites = isinstance(modifier, bpy.types.MeshCacheModifier) and modifier.deform_mode == "OVERWRITE"
        if replaces or (overwrites and getattr(modifier, "factor", 1.0) >= 1.0):
            reasons.append(
                f"On “{obj.name}”, {_REPLACING[modifier.type]} modifier (“{modifier.name}”) replaces what the shape "
                "keys do, so their motion would not be seen."
            )
    return reasons


def reflections(obj: bpy.types.Object, axes: NDArray[np.float64]) -> list[Reflection]:
    """The mirrors of the Mirror modifiers that are seen, in their order.

    Args:
        axes: (3, 3) rig space (metres) from the object's own coordinates.
    """
    found: list[Reflection] = []
    for modifier in obj.modifiers:
        if not isinstance(modifier, bpy.types.MirrorModifier) or not modifier.show_viewport:
            continue
        by = modifier.mirror_object
        to_mirror = Matrix() if by is None else by.matrix_world.inverted_safe() @ obj.matrix_world
        merge_m = (
            modifier.merge_threshold * float(np.cbrt(abs(np.linalg.det(axes)))) if modifier.use_mirror_merge else 0.0
        )
        for axis in range(3):
            if not modifier.use_axis[axis]:
                continue
            flip = Matrix()
            flip[axis][axis] = -1.0
            own = np.array(to_mirror.inverted_safe() @ flip @ to_mirror)
            linear = axes @ own[:3, :3] @ np.linalg.inv(axes)
            found.append(Reflection(linear, axes @ own[:3, 3], merge_m))
    return found


def generating_modifiers(obj: bpy.types.Object) -> list[bpy.types.Modifier]:
    """Modifiers that are seen and give the surface other vertices, or motion of their own."""
    return [m for m in obj.modifiers if m.show_viewport and m.type in _GENERATING | _SIMULATED]


def modifier_notes(obj: bpy.types.Object, *, halved: bool = False) -> list[str]:
    """What the user should know about the modifiers of a character that can be solved; one line each.

    Args:
        halved: whether the half that a Mirror modifier adds is solved, too.
    """
    notes: list[str] = []
    shown = [m for m in obj.modifiers if m.show_viewport and not (halved and m.type == "MIRROR")]
    generating = [modifier.name for modifier in shown if modifier.type in _GENERATING]
    if generating:
        notes.append(f"{', '.join(generating)}: solved on the mesh before it, keys show through it")
    simulated = [modifier.name for modifier in shown if modifier.type in _SIMULATED]
    if simulated:
        notes.append(f"{', '.join(simulated)}: adds motion of its own after the keys")
    return notes
