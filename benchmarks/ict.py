"""The ICT-FaceKit head of the development data as a rig (MIT; not part of the project)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecap_addon.rig.blendshapes import BlendshapeRig

# Films over the eyes, shells that darken them and cards of lashes are transparent: drawn opaque they hide the eyes.
_FIRST_TRANSPARENT = 24591


def load_ict_rig(path: Path, neutral_m: NDArray[np.floating] | None = None) -> BlendshapeRig:
    """Read `ict_facekit_arkit.npz`: 26,719 vertices, 57 keys under their own names, each from 0 to 1.

    Args:
        path: the .npz; y up, centimetres.
        neutral_m: (V, 3) another person's neutral for the same keys, metres, Blender's axes.
    Returns:
        BlendshapeRig in metres and Blender's axes, eyeballs and teeth included, without colours.
    """
    with np.load(path, allow_pickle=False) as data:
        neutral = blender_axes(data["neutral"]) if neutral_m is None else np.asarray(neutral_m, np.float32)
        deltas = blender_axes(data["deltas"].astype(np.float32))
        faces, names = data["faces"], tuple(str(name) for name in data["names"])
    quads, single = faces[faces[:, 3] >= 0], faces[faces[:, 3] < 0]
    triangles = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]], single[:, :3]])
    opaque = (triangles < _FIRST_TRANSPARENT).all(axis=1)
    ranges = np.tile(np.array([0, 1], np.float32), (len(names), 1))
    return BlendshapeRig(neutral, triangles[opaque].astype(np.int32), deltas, names, ranges, name="ICT head")


def ict_landmark_vertices(path: Path) -> NDArray[np.int64]:
    """(68,) vertices of the 68 iBUG points, from `ict_vertex_indices.json`."""
    return np.array(json.loads(path.read_text())["idx_to_landmark_verts"], np.int64)


def blender_axes(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(..., 3) centimetres with y up to metres with z up."""
    turned = np.stack([values[..., 0], -values[..., 2], values[..., 1]], axis=-1)
    return np.ascontiguousarray(turned * 0.01, np.float32)
