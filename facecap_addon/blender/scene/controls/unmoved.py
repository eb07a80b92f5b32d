"""Bones that stay where they are whatever their channels say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
import numpy as np

from ....arrays import F64
from ....rig.mapping.mapping import Target
from ...present import view_layer_in
from ..objects import owner_of
from .hold import held_controls, set_targets
from .targets import Controls

_TRIED = (0.0, 0.05, -0.05)
"""Radians, metres, difference from 1: a limit may stop one direction."""
_STILL = 1e-6


def find_unmoved(controls: Controls, bones: Mapping[bpy.types.PoseBone, Sequence[Target]]) -> list[bpy.types.PoseBone]:
    """Which bones none of their targets moves, tried one after another; the character is as it was afterwards.

    A constraint may put a bone's own motion aside or add to it, by its influence and mixing: only Blender can say.
    Bones of an armature that is not shown, which Blender does not evaluate, count as held.
    """
    if not bones:
        return []
    layer = view_layer_in(bpy.context)
    unmoved: list[bpy.types.PoseBone] = []
    with held_controls(controls.head):
        for bone, targets in bones.items():
            shown = owner_of(bone).visible_get(view_layer=layer)
            if not shown or not any(_moves(controls, bone, target) for target in targets):
                unmoved.append(bone)
    return unmoved


def _moves(controls: Controls, bone: bpy.types.PoseBone, target: Target) -> bool:
    """Whether a bone's target moves it; the bone is left as it was tried last."""
    places: list[F64] = []
    for value in _TRIED:
        set_targets(controls.head, {target: value}, controls=controls)
        view_layer_in(bpy.context).update()
        places.append(np.array(bone.matrix, np.float64))
    return float(np.ptp(places, axis=0).max()) > _STILL
