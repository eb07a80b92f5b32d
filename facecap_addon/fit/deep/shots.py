"""The footage of a take, as the refinement reads it: pictures by row, and what was detected in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...landmarks.regions import Region, region_around
from .looks import Looks, cut, look_at
from .views import Plates, View


@dataclass(frozen=True)
class Shot:
    """One camera's footage, row by row of the take.

    Attributes:
        view: the camera.
        landmarks_px: (F, L, 2) px, NaN where it shows no face.
        picture: the picture of a row, (H, W, 3) uint8 RGB; rows are asked for in ascending order where possible.
        region: the region in which the network wants known landmarks (L, 2).
    """

    view: View
    landmarks_px: NDArray[np.float32]
    picture: Callable[[int], NDArray[np.uint8]]
    region: Callable[[NDArray[np.floating]], Region]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(F,) bool: rows in which this camera shows the face."""
        return np.isfinite(self.landmarks_px[:, 0]).all(1)


def plates_of(shot: Shot, rows: NDArray[np.intp], looks: Looks, device: str) -> Plates:
    """Cut rows of a shot and look at them. Rows without a face hold a grey square and are marked unseen."""
    side = looks.size
    crops: list[NDArray[np.float32]] = []
    maps: list[NDArray[np.float64]] = []
    seen = shot.seen[rows]
    for row, there in zip(rows.tolist(), seen.tolist(), strict=True):
        if there:
            fine, image_from_fine = cut(shot.picture(row), shot.region(shot.landmarks_px[row]), side)
        else:
            somewhere = region_around(np.array([[0.0, 0.0], [side, side]]), np.array([1.0, 0.0]), 1.0)
            fine, image_from_fine = cut(np.full((side, side, 3), 128, np.uint8), somewhere, side)
        crops.append(fine)
        maps.append(image_from_fine)
    stacked, target = look_at(looks, crops, device)
    return Plates(stacked, np.stack(maps), target, seen)
