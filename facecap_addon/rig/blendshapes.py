"""BlendshapeRig: a neutral mesh and the displacement of every vertex under every shape key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UNREADABLE, FacecapError
from .landmark_edits import LandmarkEdits, arrays_of, edits_in

MAX_VERTICES = 2_000_000
MAX_CHANNELS = 2_000


@dataclass(frozen=True)
class JawWeights:
    """A jaw bone that moves the mesh besides its keys, by linear blend skinning.

    Attributes:
        weights: (V,) float32 in 0..1, how far each vertex follows.
        pivot: (3,) float32 m, rig space, what the jaw turns about.
    """

    weights: NDArray[np.float32]
    pivot: NDArray[np.float32]


@dataclass(frozen=True)
class BlendshapeRig:
    """A mesh with shape keys, as arrays.

    Attributes:
        neutral: (V, 3) float32, metres, rig space (Blender's world axes with the object at the origin: Z up).
        triangles: (T, 3) int32, vertex indices, counter-clockwise seen from outside.
        deltas: (K, V, 3) float32, metres, displacement at weight 1.
        channels: K names, as the shape keys are called.
        ranges: (K, 2) float32, smallest and largest weight of each key.
        colors: (V, 3) float32 in 0..1, linear skin colour for rendering, or None.
        name: the object's name.
        jaw: its jaw bone, or None.
        edits: landmarks that a person put in their place on it, or None.
    """

    neutral: NDArray[np.float32]
    triangles: NDArray[np.int32]
    deltas: NDArray[np.float32]
    channels: tuple[str, ...]
    ranges: NDArray[np.float32]
    colors: NDArray[np.float32] | None = None
    name: str = ""
    jaw: JawWeights | None = None
    edits: LandmarkEdits | None = None

    def __post_init__(self) -> None:
        vertices, channels = self.neutral.shape[0], len(self.channels)
        shapes_agree = (
            self.neutral.shape == (vertices, 3)
            and self.triangles.ndim == 2
            and self.triangles.shape[1] == 3
            and self.deltas.shape == (channels, vertices, 3)
            and self.ranges.shape == (channels, 2)
            and (self.colors is None or self.colors.shape == (vertices, 3))
            and (self.jaw is None or (self.jaw.weights.shape == (vertices,) and self.jaw.pivot.shape == (3,)))
        )
        if not shapes_agree:
            raise FacecapError("The character's arrays do not fit together.", "Export the character again.")
        if vertices > MAX_VERTICES or channels > MAX_CHANNELS:
            raise FacecapError(
                f"The character has {vertices} vertices and {channels} shape keys; "
                f"the limits are {MAX_VERTICES} and {MAX_CHANNELS}.",
                "Use a lighter mesh; the keys transfer to the heavy one with a Surface Deform modifier.",
            )
        if not (np.isfinite(self.neutral).all() and np.isfinite(self.deltas).all()):
            raise FacecapError("The character has vertices at infinity or NaN.", "Repair the mesh and try again.")

    @property
    def vertex_count(self) -> int:
        return int(self.neutral.shape[0])

    @property
    def usual_ranges(self) -> NDArray[np.float32]:
        """(K, 2) float32: the ranges within -1..1. A slider may go to 10; the shape that was sculpted is at 1."""
        return np.clip(self.ranges, -1.0, 1.0).astype(np.float32)

    def vertices_at(self, weights: NDArray[np.floating]) -> NDArray[np.float32]:
        """Vertices under given weights.

        Args:
            weights: (..., K) float.
        Returns:
            (..., V, 3) float32, metres, rig space.
        """
        moved = np.tensordot(np.asarray(weights, np.float32), self.deltas, axes=1)
        return moved + self.neutral


def save_rig(path: Path, rig: BlendshapeRig) -> None:
    """Write a rig to an `.npz` (the caller makes the write atomic)."""
    arrays: dict[str, NDArray[np.generic]] = {
        "neutral": rig.neutral,
        "triangles": rig.triangles,
        "deltas": rig.deltas,
        "channels": np.array(rig.channels, dtype=np.str_),
        "ranges": rig.ranges,
        "name": np.array(rig.name),
    }
    if rig.colors is not None:
        arrays["colors"] = rig.colors
    if rig.jaw is not None:
        arrays |= {"jaw_weights": rig.jaw.weights, "jaw_pivot": rig.jaw.pivot}
    if rig.edits is not None:
        arrays |= arrays_of(rig.edits)
    with path.open("wb") as stream:
        np.savez(stream, **arrays)


def load_rig(path: Path) -> BlendshapeRig:
    """Read what `save_rig` wrote. Raises FacecapError if the file is not a rig."""
    try:
        with np.load(path, allow_pickle=False) as data:
            jaw = None
            if "jaw_weights" in data:
                jaw = JawWeights(data["jaw_weights"].astype(np.float32), data["jaw_pivot"].astype(np.float32))
            return BlendshapeRig(
                neutral=data["neutral"].astype(np.float32),
                triangles=data["triangles"].astype(np.int32),
                deltas=data["deltas"].astype(np.float32),
                channels=tuple(str(name) for name in data["channels"]),
                ranges=data["ranges"].astype(np.float32),
                colors=data["colors"].astype(np.float32) if "colors" in data else None,
                name=str(data["name"]),
                jaw=jaw,
                edits=edits_in(data),
            )
    except UNREADABLE as error:
        raise FacecapError(
            f"{path.name} is not a FaceCap character ({error}).", "Choose a .blend file or a rig .npz."
        ) from error
