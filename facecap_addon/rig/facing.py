"""Where on a mesh a face is, and which way it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError
from ..landmarks.layout import layout_of
from ..landmarks.protocol import Landmarker
from ..landmarks.still import StillLandmarks, landmarks_in_image
from .blendshapes import BlendshapeRig
from .channels import arkit_name
from .portrait import Direction, Mesh, View, frame, look, view_px

F64 = NDArray[np.float64]

FRONT_LIGHT: Direction = (-0.25, -0.45, -0.86)
_SIZE = 896
# A view that scores this well is taken at once; otherwise all sides are looked at.
_CERTAIN = 0.85
_NOT_FOUND = "No face was found on the character."
_WAY_OUT = "Choose the mesh that holds the face, or place its landmarks by hand."


@dataclass(frozen=True)
class Found:
    """A face seen on a mesh.

    Attributes:
        view: the view that shows it best.  landmarks_px: (L, 2) float64, pixels of that view.
        score: 0..1, presence times how frontal it is.
    """

    view: View
    landmarks_px: F64
    score: float


def find_face(rig: BlendshapeRig, mesh: Mesh, landmarker: Landmarker) -> Found:
    """Look at a mesh along its axes until a face looks back.

    Args:
        rig: the character; what its shape keys move shows where the face is.
        mesh: its neutral shape.  landmarker: an open backend.
    Raises:
        FacecapError: no side shows a face.
    """
    if not len(mesh.triangles):
        raise FacecapError(_NOT_FOUND, _WAY_OUT)
    drawn = mesh.vertices[np.unique(mesh.triangles)]
    moving = face_vertices(rig)
    framings = [(moving, 0.4)] if len(moving) else []
    framings.append((drawn, 0.9))
    best: Found | None = None
    for rotation in axis_rotations():
        for points, fill in framings:
            seen = _look_from(mesh, frame(points, rotation, fill, _SIZE), landmarker)
            if seen is not None and (best is None or seen.score > best.score):
                best = seen
        if best is not None and best.score > _CERTAIN:
            break
    if best is None or best.score < 0.2:
        raise FacecapError(_NOT_FOUND, _WAY_OUT)
    return best


def axis_rotations() -> list[F64]:
    """The 24 ways a face can look along an axis with its top along another, Blender's front view first."""
    axes = [np.array(v, np.float64) for v in ((0, 0, 1), (0, 1, 0), (0, 0, -1), (1, 0, 0), (0, -1, 0), (-1, 0, 0))]
    fronts = [np.array(v, np.float64) for v in ((0, -1, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, -1))]
    return [np.stack([np.cross(up, front), -up, -front]) for up in axes for front in fronts if not abs(up @ front)]


def face_vertices(rig: BlendshapeRig) -> NDArray[np.float32]:
    """(N, 3) neutral positions of what the facial keys move most; all keys count if none has an ARKit name."""
    named = [k for k, channel in enumerate(rig.channels) if arkit_name(channel) is not None]
    moved = np.zeros(rig.vertex_count, bool)
    for k in named or range(len(rig.channels)):
        reach = np.einsum("vd,vd->v", rig.deltas[k], rig.deltas[k])
        if reach.max(initial=0.0) > 0:
            moved |= reach > 0.09 * reach.max()
    return rig.neutral[moved]


def frontality(landmarks_px: NDArray[np.floating], scheme: str) -> float:
    """0..1: 1 for an upright face seen from the front, 0 from 40 degrees to the side or more than 40 askew."""
    right, left, nose, mouth = (landmarks_px[list(part)].mean(axis=0) for part in layout_of(scheme).keypoints)
    across, down = left - right, mouth - 0.5 * (left + right)
    width = float(np.hypot(*across))
    if width < 1.0:
        return 0.0
    roll = abs(float(np.arctan2(across[1], across[0])))
    side = abs(float((nose - 0.5 * (left + right)) @ across)) / width**2
    lean = abs(float(down @ across)) / width**2
    return float(np.clip(1.4 - roll / 0.5, 0, 1) * np.clip(1.3 - 2 * side - lean, 0, 1))


def _look_from(mesh: Mesh, view: View, landmarker: Landmarker) -> Found | None:
    seen: StillLandmarks | None = landmarks_in_image(look(mesh, view).picture(FRONT_LIGHT), landmarker)
    if seen is None:
        return None
    landmarks = view_px(seen.landmarks_px)
    return Found(view, landmarks, seen.presence * frontality(landmarks, landmarker.scheme))
