"""A place beside what is already there, so that nothing new lands inside something else."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np
from mathutils import Vector

_GAP = 0.15  # between the two, in widths of what is placed


def box_of(objects: Iterable[bpy.types.Object]) -> tuple[Vector, Vector]:
    """Lowest and highest corner of the box around some objects, in the world."""
    return around([obj.matrix_world @ Vector(corner) for obj in objects for corner in obj.bound_box])


def around(points: Iterable[Vector]) -> tuple[Vector, Vector]:
    """Lowest and highest corner of the box around some points."""
    places = np.array([point[:] for point in points])
    return Vector(places.min(axis=0).tolist()), Vector(places.max(axis=0).tolist())


def way_to_a_free_place(
    scene: bpy.types.Scene, low: Vector, high: Vector, *, ours: Iterable[bpy.types.Object] = (), side: int = 1
) -> float:
    """How far along X a box has to move to meet no visible mesh or plate of the scene.

    Args:
        low, high: corners of the box, world units.  ours: objects that do not count.
        side: 1 towards +X, −1 towards −X.
    Returns:
        the shift in world units, 0 where the place is free.
    """
    left_out = set(ours)
    gap = _GAP * (high.x - low.x)
    boxes = [
        box_of([obj])
        for obj in scene.objects
        if obj.type in ("MESH", "CURVE", "SURFACE", "META", "FONT") and obj not in left_out and obj.visible_get()
    ]
    beside = [(a, b) for a, b in boxes if all(a[axis] < high[axis] and b[axis] > low[axis] for axis in (1, 2))]
    shift = 0.0
    # Nearest first: a shift past one may meet the next.
    for a, b in sorted(beside, key=lambda box: side * (box[0].x if side > 0 else box[1].x)):
        if a.x < high.x + shift and b.x > low.x + shift:
            shift = b.x + gap - low.x if side > 0 else a.x - gap - high.x
    return shift
