"""How a stored picture is turned upright: the rotation flag of phones, as a quarter turn and a mirror."""

from __future__ import annotations

import math
from dataclasses import dataclass

import av
import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

from .exif import exif_orientation


@dataclass(frozen=True)
class Orientation:
    """What turns a stored picture upright.

    Attributes:
        rotation_deg: clockwise turn, one of 0, 90, 180, 270.
        mirrored: whether left and right are exchanged after the turn.
    """

    rotation_deg: int = 0
    mirrored: bool = False

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) px of the upright picture made from a stored one."""
        return (height, width) if self.rotation_deg in (90, 270) else (width, height)

    def turn_over(self) -> Orientation:
        """The same, turned by another half turn."""
        return Orientation((self.rotation_deg + 180) % 360, self.mirrored)

    def exchange_sides(self) -> Orientation:
        """The same, left and right exchanged at the end."""
        return Orientation(self.rotation_deg, not self.mirrored)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a picture upright.

        Args:
            image: (H, W, 3) uint8.
        Returns:
            (H', W', 3) uint8, contiguous.
        """
        turned = np.rot90(image, -self.rotation_deg // 90)
        turned = turned[:, ::-1] if self.mirrored else turned
        return np.ascontiguousarray(turned, dtype=np.uint8)


# What EXIF's orientations 1 to 8 stand for.
_EXIF = (
    Orientation(0),
    Orientation(0, mirrored=True),
    Orientation(180),
    Orientation(180, mirrored=True),
    Orientation(90, mirrored=True),
    Orientation(90),
    Orientation(270, mirrored=True),
    Orientation(270),
)


def orientation_of(frame: av.VideoFrame, stored: bytes = b"") -> Orientation:
    """The orientation that a decoded frame asks for, to the nearest quarter turn.

    Args:
        frame: a decoded frame.  stored: the bytes it was decoded from, in which EXIF data may lie.
    """
    try:
        listed = list(frame.side_data)
    except ValueError:
        # PyAV has names for the older kinds of side data only; a frame with a later kind (EXIF, views) lists none.
        exif = exif_orientation(stored)
        return _EXIF[exif - 1] if exif else Orientation(round(-frame.rotation / 90) % 4 * 90)
    for side_data in listed:
        if side_data.type == Type.DISPLAYMATRIX:  # pyright: ignore[reportAttributeAccessIssue]
            return orientation_from_matrix(np.frombuffer(bytes(side_data), np.int32))  # pyright: ignore[reportArgumentType]
    return Orientation()


def orientation_from_matrix(matrix: NDArray[np.int32]) -> Orientation:
    """The orientation a QuickTime display matrix stands for.

    Args:
        matrix: (9,) int32: a b u, c d v, x y w; a to d are 16.16 fixed point. A stored pixel (x, y) is shown at
            (a·x + c·y, b·x + d·y).
    """
    if matrix.size < 9:
        return Orientation()
    a, b, c, d = (float(matrix[i]) / 65536.0 for i in (0, 1, 3, 4))
    if abs(a * d - b * c) < 1e-6:
        return Orientation()
    mirrored = a * d - b * c < 0
    if mirrored:
        a = -a  # The mirror comes last and changes the sign of what is shown in x.
    quarter_turns = round(math.atan2(b, a) / (math.pi / 2)) % 4
    return Orientation(quarter_turns * 90, mirrored)
