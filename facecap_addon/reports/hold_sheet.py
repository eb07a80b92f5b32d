"""A sheet of a calibration's holds: the footage's face above the head's, to see that each is what it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import centered_camera
from ..images.draw import draw_text
from ..rig.blendshapes import BlendshapeRig
from ..takes.take import Take
from .observe_head import HEIGHT_PX, picture_head
from .thumbnails import cut_face

_SIDE, _COLUMNS, _LABEL, _TEXT_PX = 176, 7, 20, 13
_PAPER, _INK = (250, 250, 248), (50, 50, 50)


def draw_hold_sheet(
    holds: Sequence[tuple[str, int]],
    take: Take,
    rig: BlendshapeRig,
    head_from_rig: NDArray[np.floating],
    picture_of: Callable[[int], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: one cell for each hold, in order.

    Args:
        holds: names and rows.  take: F rows, on the rig.  head_from_rig: (4, 4), metres, from rig space to head space.
        picture_of: the footage's picture of a row, (H, W, 3) uint8 RGB.
    """
    columns = min(_COLUMNS, max(len(holds), 1))
    lines, height = -(-len(holds) // columns), 2 * _SIDE + _LABEL
    out = np.full((lines * height, columns * _SIDE, 3), _PAPER, np.uint8)
    head = picture_head(take, rig, head_from_rig, centered_camera(*take.image_size, take.focal_px))
    scale = HEIGHT_PX / take.image_size[1]
    for number, (name, row) in enumerate(holds):
        top, left = number // columns * height, number % columns * _SIDE
        seen_px = take.landmarks_px[row]
        out[top : top + _SIDE, left : left + _SIDE] = cut_face(picture_of(row), seen_px, _SIDE)
        below = cut_face(head.at(row), seen_px * scale, _SIDE)  # the head is where the face is
        out[top + _SIDE : top + 2 * _SIDE, left : left + _SIDE] = below
        place = (left + 5, top + height - 6)
        draw_text(out, place, f"{name}  {take.time_s[row]:.1f} s", _TEXT_PX, _INK)
    return out
