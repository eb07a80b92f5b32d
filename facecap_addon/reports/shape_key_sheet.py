"""A sheet of a head's shape keys, each at full strength, to look at before animating."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.quaternions import FRONT
from ..images.draw import draw_text
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..rig.placement.mesh_view import Mesh, frame_view, render_view, turn_view

_SIDE, _COLUMNS, _LABEL, _TEXT_PX = 160, 9, 18, 12
_LIGHT = (0.3, -0.5, -1.0)
_PAPER, _INK = (250, 250, 248), (50, 50, 50)
_YAW_RAD = 0.25


def draw_key_sheet(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: the neutral, then every key at its full strength, with its name."""
    neutral, _ = landmark_geometry(rig, embedding)
    turn, shift = embedding.head_from_rig[:3, :3], embedding.head_from_rig[:3, 3]
    seen = (neutral[np.asarray(embedding.valid)].astype(np.float64) - shift) @ turn
    view = frame_view(seen, turn_view(FRONT @ turn, _YAW_RAD, 0.0), 0.86, 2 * _SIDE)
    names = ("neutral", *rig.channels)
    rows = -(-len(names) // _COLUMNS)
    out = np.full((rows * (_SIDE + _LABEL), _COLUMNS * _SIDE, 3), _PAPER, np.uint8)
    for number, name in enumerate(names):
        vertices = rig.neutral
        if number:
            vertices = rig.neutral + rig.usual_ranges[number - 1, 1] * rig.deltas[number - 1]
        sight = render_view(Mesh(vertices.astype(np.float32), rig.triangles, rig.colors), view)
        top, left = number // _COLUMNS * (_SIDE + _LABEL), number % _COLUMNS * _SIDE
        out[top : top + _SIDE, left : left + _SIDE] = sight.picture(_LIGHT)
        place = (left + 4, top + _SIDE + 13)
        draw_text(out, place, name, _TEXT_PX, _INK)
    return out
