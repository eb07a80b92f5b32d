"""Finds the landmarks of the sample head and writes head/landmarks.npz: `python sample_scenes/find_landmarks.py`.

The head is drawn from several sides, the landmark network looks at it, and what it sees is cast back onto the surface
(`facecap_addon.rig.embedding`). Run it when the head's shape or colours change, build the head, and look at the picture
of the landmarks that contact_sheet.py makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from facecap_addon.landmarks.layout import MEDIAPIPE_OF_IBUG  # noqa: E402
from facecap_addon.landmarks.registry import open_landmarker  # noqa: E402
from facecap_addon.rig.blendshapes import BlendshapeRig  # noqa: E402
from facecap_addon.rig.embedding import find_embedding  # noqa: E402
from sample_scenes.head.arrays import HeadArrays, build_head_arrays  # noqa: E402
from sample_scenes.head.landmarks import FILE  # noqa: E402


def rig_of(head: HeadArrays) -> BlendshapeRig:
    """The head as the solver sees it: each face cut into triangles from its first corner."""
    triangles = [(face[0], face[i], face[i + 1]) for face in head.faces for i in range(1, len(face) - 1)]
    return BlendshapeRig(
        neutral=head.neutral,
        triangles=np.array(triangles, np.int32),
        deltas=np.stack(list(head.deltas.values())),
        channels=tuple(head.deltas),
        ranges=np.tile(np.float32([0, 1]), (len(head.deltas), 1)),
        colors=head.colors,
        name="Head",
    )


def main() -> None:
    """Find and write."""
    head = build_head_arrays()
    rig = rig_of(head)
    found = find_embedding(rig, open_landmarker())
    if not found.valid.all():
        raise SystemExit(f"{(~found.valid).sum()} landmarks cannot be seen on the head")
    vertices, weights = rig.triangles[found.triangle], found.barycentric
    with FILE.open("wb") as stream:
        np.savez(
            stream,
            vertices_478=vertices,
            weights_478=weights,
            vertices_68=vertices[list(MEDIAPIPE_OF_IBUG)],
            weights_68=weights[list(MEDIAPIPE_OF_IBUG)],
        )
    print(f"{FILE.name}: {len(vertices)} landmarks")


if __name__ == "__main__":
    main()
