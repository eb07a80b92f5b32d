"""The sample head without its shape keys, ready to be bound to bones, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from benchmarks.sample_head import HEAD
from tests.blender.faces import coordinates

F64 = NDArray[np.float64]
_SMOOTHED = 4
"""How often weights are averaged with those of the neighbours: distances alone make creases."""


@dataclass(frozen=True)
class Skin:
    """A head to be bound.

    Attributes:
        obj: the mesh, without keys and modifiers.
        rest: (V, 3) m.
        landmarks: (478, 3) m.
        jaw: (V,) 0..1, how far each vertex follows the jaw.
        parts: (V,) bool each: eyeballs, teeth, tongue.
        arkit: what the sample head's keys do, (V, 3) m each, by their names.
    """

    obj: bpy.types.Object
    rest: F64
    landmarks: F64
    jaw: F64
    parts: dict[str, NDArray[np.bool_]]
    arkit: dict[str, F64]


def sample_skin(path: Path = HEAD) -> Skin:
    """The sample head in the present scene, its keys and its jaw taken off."""
    with bpy.data.libraries.load(str(path)) as (_, into):
        into.objects = ["Head"]
    obj = into.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    rest = coordinates(obj.data.vertices).astype(np.float64)
    blocks = obj.data.shape_keys.key_blocks
    arkit = {block.name: coordinates(block.data).astype(np.float64) - rest for block in blocks[1:]}
    groups = {group.name: _weights(obj, group.index) for group in obj.vertex_groups}
    owner = obj if "landmarks_478_vertices" in obj else obj.data
    corners = np.array(owner["landmarks_478_vertices"]).reshape(-1, 3)
    share = np.array(owner["landmarks_478_weights"]).reshape(-1, 3)
    parts = {
        name: groups[name] > 0.5 for name in ("eyeball_left", "eyeball_right", "upper_teeth", "lower_teeth", "tongue")
    }
    obj.shape_key_clear()
    obj.modifiers.clear()
    obj.vertex_groups.clear()
    for other in [o for o in bpy.data.objects if o.type == "EMPTY"]:
        bpy.data.objects.remove(other)
    return Skin(obj, rest, np.einsum("lc,lcx->lx", share, rest[corners]), groups["Jaw"], parts, arkit)


def bind(skin: Skin, armature: bpy.types.Object, weights: Mapping[str, F64]) -> None:
    """Deform the head by an armature: weights (V,) by bone, made to add up to 1."""
    total = np.maximum(sum(weights.values()), 1e-9)
    for name, column in weights.items():
        share = column / total
        group = skin.obj.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(share > 1e-3):
            group.add([int(vertex)], float(share[vertex]), "REPLACE")
    modifier = skin.obj.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    skin.obj.parent = armature
    skin.obj.matrix_parent_inverse = armature.matrix_world.inverted()
    bpy.context.view_layer.update()


def distance_weights(
    skin: Skin,
    bones: Mapping[str, tuple[F64, F64]],
    head: str,
    *,
    lower: Sequence[str] = (),
    upper: Sequence[str] = (),
    reach_m: float = 0.008,
    whole: Mapping[str, str] | None = None,
) -> dict[str, F64]:
    """Weights (V,) of bones by their distance from the skin, limited to the face; what is far follows the head.

    Args:
        bones: start and end (3,) m of each bone that moves skin.
        head: the bone that everything else follows.
        lower, upper: parts of names of bones below and above the mouth: skin that follows the jaw follows the first.
        reach_m: how far from a bone its influence has fallen to a third.
        whole: bones that move a loose part and nothing else, by the part's name (see `Skin.parts`).
    """
    points, count = skin.rest, len(skin.rest)
    loose = np.zeros(count, bool)
    for part in skin.parts.values():
        loose |= part
    weights: dict[str, F64] = {}
    for name, (start, end) in bones.items():
        along = end - start
        place = np.clip(((points - start) @ along) / max(float(along @ along), 1e-12), 0, 1)
        away = np.linalg.norm(points - start - place[:, None] * along, axis=1)
        column = np.exp(-((away / reach_m) ** 2))
        if any(part in name for part in lower):
            column *= skin.jaw
        if any(part in name for part in upper):
            column *= 1 - skin.jaw
        weights[name] = np.where(loose, 0.0, column)
    weights[head] = np.where(loose, 0.0, 0.02)
    total = np.maximum(sum(weights.values()), 1e-12)
    weights = _smooth(skin.obj, {name: column / total for name, column in weights.items()}, ~loose)
    for part, mask in skin.parts.items():
        bone = (whole or {}).get(part, head)
        weights[bone] = np.where(mask, 1.0, weights.get(bone, np.zeros(count)))
    return weights


def _smooth(obj: bpy.types.Object, weights: dict[str, F64], among: NDArray[np.bool_]) -> dict[str, F64]:
    edges = np.empty(2 * len(obj.data.edges), np.int32)
    obj.data.edges.foreach_get("vertices", edges)
    a, b = edges.reshape(-1, 2).T
    matrix = np.stack(list(weights.values()), axis=1)
    degree = np.maximum(np.bincount(edges, minlength=len(matrix)), 1)[:, None]
    for _ in range(_SMOOTHED):
        around = np.zeros_like(matrix)
        np.add.at(around, a, matrix[b])
        np.add.at(around, b, matrix[a])
        matrix = np.where(among[:, None], 0.5 * matrix + 0.5 * around / degree, matrix)
    return dict(zip(weights, matrix.T, strict=True))


def _weights(obj: bpy.types.Object, index: int) -> F64:
    found = np.zeros(len(obj.data.vertices))
    for vertex in obj.data.vertices:
        for element in vertex.groups:
            if element.group == index:
                found[vertex.index] = element.weight
    return found
