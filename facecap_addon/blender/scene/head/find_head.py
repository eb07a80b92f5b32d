"""Which mesh of a file is the head: what is seen, whose face keys move most of it; the largest if none has any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ....rig.channels import arkit_name
from ...present import view_layer_in
from ..objects import key_blocks_of, mesh_of

_STILL = 1e-9
_HIDDEN = ("in no scene", "hidden or in an excluded collection", "only seen in another scene", "")


@dataclass(frozen=True)
class Likeness:
    """How much a mesh is like a head that can be animated; compared item by item.

    Attributes:
        seen: 3 in the open scene, 2 in another one, 1 hidden, 0 in no scene.
        face: shape keys with ARKit names that move something, times the size of what they move.
        any: the same for all shape keys.
        vertices: of the mesh.
        arkit, keys: how many keys with ARKit names, and keys, move something.  size: of what they move, scene units.
    """

    seen: int
    face: float
    any: float
    vertices: int
    arkit: int
    keys: int
    size: float

    @property
    def rank(self) -> tuple[float, ...]:
        return (self.seen, self.face, self.any, self.vertices)


def likeness(obj: bpy.types.Object) -> Likeness:
    """Measure a mesh object."""
    mesh = mesh_of(obj)
    count = len(mesh.vertices)
    basis = None if mesh.shape_keys is None else mesh.shape_keys.reference_key
    names: list[str] = []
    moved = np.zeros(count, bool)
    rest = np.empty(3 * count, np.float32)
    mesh.vertices.foreach_get("co", rest)
    for block in key_blocks_of(obj):
        if block == basis or len(block.data) != count:
            continue
        base, shape = np.empty(3 * count, np.float32), np.empty(3 * count, np.float32)
        block.relative_key.points.foreach_get("co", base)
        block.points.foreach_get("co", shape)
        moves = (np.abs(shape - base) > _STILL).reshape(-1, 3).any(axis=1)
        if moves.any():
            names.append(block.name)
            moved |= moves
    matrix = np.array(obj.matrix_world)[:3, :3]
    places = rest.reshape(-1, 3)[moved] @ matrix.T
    size = float(np.linalg.norm(places.max(axis=0) - places.min(axis=0))) if len(places) else 0.0
    arkit = len({arkit_name(name) for name in names} - {None})
    return Likeness(_seen(obj), arkit * size, len(names) * size, count, arkit, len(names), size)


def rank_heads(meshes: Sequence[bpy.types.Object]) -> list[tuple[bpy.types.Object, Likeness]]:
    """The meshes and how they were judged, the likeliest head first."""
    judged = [(obj, likeness(obj)) for obj in sorted(meshes, key=lambda obj: obj.name)]
    return sorted(judged, key=lambda pair: pair[1].rank, reverse=True)


def choice_note(ranked: Sequence[tuple[bpy.types.Object, Likeness]]) -> str:
    """Which mesh was chosen among several, and why."""
    best, how = ranked[0]
    why = f"{how.arkit} of its shape keys have ARKit names" if how.arkit else f"its {how.keys} shape keys"
    rivals = [like for _, like in ranked[1:] if like.seen == how.seen]
    larger = f", on {how.size:.2g} units across, more than any other" if rivals and how.size else ""
    note = f"Chose the mesh “{best.name}” of {len(ranked)} with shape keys: {why} and move it{larger}"
    hidden = [(obj, like) for obj, like in ranked[1:] if like.seen < how.seen]
    if hidden:
        names = ", ".join(f"“{obj.name}” ({_HIDDEN[like.seen]})" for obj, like in hidden[:3])
        note += f"; left out: {names}"
    return f"{note}. Name another as FILE.blend:OBJECT"


def _seen(obj: bpy.types.Object) -> int:
    if not obj.users_scene:
        return 0
    present = bpy.context.scene
    for scene in sorted(obj.users_scene, key=lambda scene: scene != present):
        layers = [view_layer_in(bpy.context)] if scene == present else scene.view_layers
        for layer in layers:
            if layer.objects.get(obj.name) == obj and obj.visible_get(view_layer=layer):
                return 3 if scene == present else 2
    return 1
