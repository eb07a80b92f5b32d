"""The footage of a take, as the refinement reads it: pictures by row, and what was detected in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..landmarks.regions import Region, region_around
from .networks.crop_ensemble import CropEnsemble, cut
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


@dataclass(frozen=True)
class Cuts:
    """Rows of a shot, cut to the face: `views.Plates` before the network has looked at them."""

    fine: NDArray[np.float32]
    image_from_fine: NDArray[np.float64]
    seen: NDArray[np.bool_]


def cut_plates(shot: Shot, rows: NDArray[np.intp], size: int) -> Cuts:
    """Cut rows of a shot for a network whose crops have `size` pixels.

    Rows without a face hold a grey square and are marked unseen.
    """
    crops: list[NDArray[np.float32]] = []
    maps: list[NDArray[np.float64]] = []
    seen = shot.seen[rows]
    for row, there in zip(rows.tolist(), seen.tolist(), strict=True):
        if there:
            fine, image_from_fine = cut(shot.picture(row), shot.region(shot.landmarks_px[row]), size)
        else:
            somewhere = region_around(np.array([[0.0, 0.0], [size, size]]), np.array([1.0, 0.0]), 1.0)
            fine, image_from_fine = cut(np.full((size, size, 3), 128, np.uint8), somewhere, size)
        crops.append(fine)
        maps.append(image_from_fine)
    return Cuts(np.stack(crops), np.stack(maps), seen)


def detect_landmarks(cuts: Cuts, ensemble: CropEnsemble, device: str, target: list[Tensor] | None = None) -> Plates:
    """What the network sees of cut rows, unless that is known: a (L, 2) per row."""
    fine = torch.from_numpy(cuts.fine).to(device)
    if target is not None:
        found = torch.stack(target)
    else:
        with torch.no_grad():
            found = ensemble(fine)
    return Plates(fine, cuts.image_from_fine, found, cuts.seen)
