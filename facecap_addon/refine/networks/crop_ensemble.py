"""What the landmark network sees of a crop, the mean over several slightly different crops.

The network's answer on one crop errs by how pixels happen to fall; on crops that are a little turned, shifted, closer
and wider it errs differently, so their mean is steadier (test-time augmentation). All of them are cut from one crop
that the footage and the render share, by the same steps.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import F64
from ...landmarks.regions import Region, crop, image_from_crop
from .landmark_module import LandmarkModule

FINER = 2
"""The crop is cut with this many times the network's pixels on a side."""
# Size, turn (rad) and shift (parts of the crop's side) of each; the first is the crop itself. All are about as large as
# the crops in which the footage was solved: in closer ones the network sees a chin move by half as much.
_CROPS = (
    (1.0, 0.0, 0.0, 0.0),
    (1.06, 0.05, 0.01, 0.0),
    (0.95, -0.04, -0.01, 0.005),
    (1.03, -0.06, 0.0, -0.01),
    (0.98, 0.03, 0.005, 0.01),
)
MOST_CROPS = len(_CROPS)


class CropEnsemble:
    """A landmark network whose answers on several crops of a picture are averaged.

    Args:
        network: the landmark network.  count: crops per picture, 1 to MOST_CROPS.
    """

    def __init__(self, network: LandmarkModule, count: int, device: str = "cpu") -> None:
        size = network.crop_size
        self.network, self.size = network, size
        place = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
        row, column = torch.meshgrid(place, place, indexing="ij")
        base = torch.stack([column, row], -1)
        turns, grids = [], []
        for scale, turn, x, y in _CROPS[:count]:
            cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
            matrix = torch.tensor([[cosine, sine], [-sine, cosine]], dtype=torch.float32, device=device)
            shift = torch.tensor([2 * x, 2 * y], dtype=torch.float32, device=device)
            turns.append((matrix, shift))
            grids.append(base @ matrix + shift)
        self._turns, self._grids = turns, torch.stack(grids)

    def __call__(self, fine: Tensor) -> Tensor:
        """(N, L, 2) pixels of the network's own crop, from fine crops (N, 2 S, 2 S, 3) sRGB in 0..1."""
        count, crops = len(fine), len(self._turns)
        pictures = fine.permute(0, 3, 1, 2)
        views = functional.grid_sample(
            pictures.repeat_interleave(crops, 0),
            self._grids.repeat(count, 1, 1, 1),
            padding_mode="border",
            align_corners=False,
        )
        found = self.network(views).reshape(count, crops, -1, 2)
        half = self.size / 2
        total = torch.zeros_like(found[:, 0])
        for i, (matrix, shift) in enumerate(self._turns):
            total = total + (((found[:, i] + 0.5) / half - 1) @ matrix + shift + 1) * half - 0.5
        return total / crops


def cut(picture: NDArray[np.uint8], region: Region, size: int) -> tuple[NDArray[np.float32], F64]:
    """The crop that both pictures share.

    Args:
        picture: (H, W, 3) uint8.  region: the face's.  size: the network's crop size.
    Returns:
        (2 S, 2 S, 3) float32 in 0..1; (2, 3) float64, picture pixels from the crop's.
    """
    fine = FINER * size
    return crop(picture, region, fine).astype(np.float32) / 255.0, image_from_crop(region, fine)
