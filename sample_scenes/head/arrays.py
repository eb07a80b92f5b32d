"""The finished head as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .assembly import PARTS, Head, build_head
from .colours import colours, roughness
from .jaw_keys import jaw_weights
from .keys import ARKIT_KEYS, build_deltas, skin_tissue
from .proportions import to_blender
from .uv import corner_uvs


@dataclass(frozen=True)
class HeadArrays:
    """The head for Blender, a renderer or a training script; unpacks as (neutral, faces, deltas, colors, uv, parts).

    Attributes:
        neutral: (V, 3) float32, metres, Blender's axes (face towards -Y, Z up, the character's left at +X).
        faces: vertex indices of each face (mostly four), counter-clockwise seen from outside.
        deltas: ARKit name to (V, 3) float32, metres: displacement at weight 1.
        colors: (V, 3) float32, linear, 0 to 1.
        uv: (sum of face sizes, 2) float32, corner after corner, face after face.
        parts: name of a loose part to its vertices.
        roughness: (V,) float32, 0 mirror to 1 matt: wet eyes, teeth and lips shine, hair and skin less.
        jaw: (V,) float32, how much of the jaw's motion each vertex makes, for linear blend skinning.
        mirror: (V,) the vertex on the other side of x = 0.
    """

    neutral: NDArray[np.float32]
    faces: list[tuple[int, ...]]
    deltas: dict[str, NDArray[np.float32]]
    colors: NDArray[np.float32]
    uv: NDArray[np.float32]
    parts: dict[str, NDArray[np.int64]]
    mirror: NDArray[np.int64]
    roughness: NDArray[np.float32]
    jaw: NDArray[np.float32]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.neutral, self.faces, self.deltas, self.colors, self.uv, self.parts))


@lru_cache(maxsize=1)
def sculpted_head() -> Head:
    """The neutral head in sculpting space, made once per process."""
    return build_head()


@lru_cache(maxsize=1)
def build_head_arrays() -> HeadArrays:
    """Builds the head: geometry, the 52 ARKit shape keys, colours and texture coordinates. Needs no Blender."""
    head = sculpted_head()
    tissue = skin_tissue(head)
    jaw = jaw_weights(head, tissue)
    deltas = build_deltas(head, tissue, jaw)
    assert tuple(deltas) == ARKIT_KEYS
    return HeadArrays(
        neutral=to_blender(head.vertices).astype(np.float32),
        faces=head.faces,
        deltas={name: to_blender(delta).astype(np.float32) for name, delta in deltas.items()},
        colors=colours(head).astype(np.float32),
        uv=corner_uvs(head).astype(np.float32),
        parts={name: np.flatnonzero(head.part == k) for k, name in enumerate(PARTS)},
        mirror=head.mirror,
        roughness=roughness(head).astype(np.float32),
        jaw=jaw.astype(np.float32),
    )
