"""The convolutional network of Laine et al. 2017, section 3.1: a grey picture in, vertex positions out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

HEIGHT, WIDTH = 320, 240
"""The paper writes its pictures 240×320, width first."""
MAPS = (64, 96, 144, 216, 324, 486)
MOST_COMPONENTS, DROPOUT = 160, 0.2


@dataclass(frozen=True)
class Basis:
    """Principal components of the target meshes.

    Attributes:
        mean: (N,) float32 m.  components: (M, N) float32 m, each scaled by its standard deviation over the targets.
        explained: share of the targets' variance that the components hold.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    explained: float


def basis_of(targets: NDArray[np.floating], most: int = MOST_COMPONENTS) -> Basis:
    """Principal components of targets (F, N), as many as there are up to `most`; constant targets have none."""
    count = len(targets)
    mean = targets.mean(0, dtype=np.float64)
    away = np.asarray(targets, np.float64) - mean
    # F is far smaller than N: the eigenvectors of the frames' products give the components.
    value, vector = np.linalg.eigh(away @ away.T / count)
    order = np.argsort(-value)[:most]
    kept = order[value[order] > 1e-12 * max(value.max(initial=0.0), 1e-30)]
    components = vector[:, kept].T @ away / np.sqrt(count)  # rows of length √value: one standard deviation
    total = float(np.maximum(value, 0).sum())
    explained = float(np.maximum(value[kept], 0).sum()) / total if total > 0 else 1.0
    return Basis(mean.astype(np.float32), components.astype(np.float32), explained)


class LaineNetwork(nn.Module):
    """Twelve 3×3 layers in pairs, the first of each of stride two; dropout; a bottleneck; the output layer.

    Args:
        basis: initialises the output layer, which then learns with the others.
        maps: feature maps of the six pairs; a quarter of them for a preview.
        size: height and width of the picture.
    """

    def __init__(self, basis: Basis, maps: tuple[int, ...] = MAPS, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for count in maps:
            for stride, given in ((2, before), (1, count)):
                convolution = nn.Conv2d(given, count, 3, stride, padding=1)
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # He et al. 2015, as in section 4.2
                assert convolution.bias is not None
                nn.init.zeros_(convolution.bias)
                layers += [convolution, nn.ReLU(inplace=True)]
            before = count
        self.convolutions = nn.Sequential(*layers)
        for _ in maps:
            size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        components = torch.from_numpy(basis.components)
        self.bottleneck = nn.Linear(before * size[0] * size[1], len(components))
        nn.init.kaiming_normal_(self.bottleneck.weight, nonlinearity="linear")
        nn.init.zeros_(self.bottleneck.bias)
        self.output = nn.Linear(len(components), components.shape[1])
        with torch.no_grad():
            self.output.weight.copy_(components.T)
            self.output.bias.copy_(torch.from_numpy(basis.mean))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, N) m from whitened pictures (B, 1, H, W)."""
        features = self.convolutions(pictures).flatten(1)
        return self.output(self.bottleneck(functional.dropout(features, DROPOUT, self.training)))
