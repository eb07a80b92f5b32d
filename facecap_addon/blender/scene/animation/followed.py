"""Whether Blender shows what was keyed: looked at where the keys say most, whatever may stand in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..head.rest import Target
from ..objects import owner_of
from .curves import curves_of

_TURN_RAD, _VALUE = 0.02, 0.02  # less is not seen, or may be rounding


def placement(target: Target) -> Matrix:
    """Where an object or a pose bone is in the world now."""
    return (
        owner_of(target).matrix_world @ target.matrix if isinstance(target, bpy.types.PoseBone) else target.matrix_world
    )


def head_follows(scene: bpy.types.Scene, target: Target, frames: NDArray[np.float64], motion: Sequence[Matrix]) -> bool:
    """Whether a target turns between two frames as it was keyed to.

    Args:
        frames: (F,) scene frames.  motion: F world transforms from rest.
    """
    turns = [moved.to_quaternion() for moved in motion]
    angles = np.array([turns[0].rotation_difference(turn).angle for turn in turns])
    angles = np.minimum(angles, 2 * np.pi - angles)
    far = int(np.argmax(angles))
    if angles[far] < _TURN_RAD:
        return True
    near, away = _looked_at(
        scene, [float(frames[0]), float(frames[far])], lambda: placement(target).to_quaternion().copy()
    )
    off = (away @ near.inverted()).rotation_difference(turns[far] @ turns[0].inverted()).angle
    return min(off, 2 * np.pi - off) < max(_TURN_RAD, 0.1 * float(angles[far]))


def keys_that_stay(scene: bpy.types.Scene, keys: bpy.types.Key, names: Sequence[str], frame: float) -> list[str]:
    """Those of some keyed shape keys that do not have the value their curve says at a scene frame."""
    curves = {curve.data_path: curve for curve in curves_of(keys)}
    blocks = [keys.key_blocks[name] for name in names]
    wanted = [curves[block.path_from_id("value")].evaluate(frame) for block in blocks]
    (shown,) = _looked_at(scene, [frame], lambda: [block.value for block in blocks])
    return [name for name, value, want in zip(names, shown, wanted, strict=True) if abs(value - want) > _VALUE]


def _looked_at(scene: bpy.types.Scene, frames: Sequence[float], read: Callable[[], Any]) -> list[Any]:
    """What is read at some scene frames; the scene is at the frame where it was afterwards."""
    before = scene.frame_current, scene.frame_subframe
    seen: list[Any] = []
    try:
        for frame in frames:
            scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1))
            seen.append(read())
    finally:
        scene.frame_set(before[0], subframe=before[1])
    return seen
