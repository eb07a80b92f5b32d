"""The fully connected network of Laine et al. 2017, appendix B, on principal components of stabilised pictures."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ...data.pca import PcaBasis
from .convolutional import DROPOUT, apply_in_fp32, make_output_layer

MOST_PICTURES, WIDTHS = 3000, (2000, 1000)


class DenseNetwork(nn.Module):
    """Principal components of a picture through two wide layers to those of the mesh.

    Args:
        pictures: principal components of the training pictures; (N,) mean and (M, N) components, whitened.
        basis: of the meshes.  widths: of the two layers.
    """

    def __init__(self, pictures: PcaBasis, basis: PcaBasis, widths: tuple[int, int] = WIDTHS) -> None:
        super().__init__()
        size = np.maximum(np.linalg.norm(pictures.components, axis=1), 1e-12)
        # Coefficients of one scale, of unit size on average: what varies little must not count as much as the rest.
        usual = np.sqrt(np.mean(size**2))
        self.register_buffer("directions", torch.from_numpy((pictures.components.T / size / usual).astype(np.float32)))
        self.register_buffer("mean", torch.from_numpy(pictures.mean))
        self.fc1 = nn.Linear(len(pictures.components), widths[0])
        self.fc2 = nn.Linear(*widths)
        self.fc3 = nn.Linear(widths[1], len(basis.components))
        nn.init.kaiming_normal_(self.fc1.weight, nonlinearity="relu")
        nn.init.kaiming_normal_(self.fc2.weight, nonlinearity="tanh")
        nn.init.kaiming_normal_(self.fc3.weight, nonlinearity="linear")
        for layer in (self.fc1, self.fc2, self.fc3):
            nn.init.zeros_(layer.bias)
        self.output = make_output_layer(basis)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, N) m from whitened, stabilised pictures (B, 1, H, W)."""
        assert isinstance(self.mean, Tensor) and isinstance(self.directions, Tensor)
        found = (pictures.flatten(1) - self.mean) @ self.directions
        found = functional.dropout(functional.relu(self.fc1(found)), DROPOUT, self.training)
        found = functional.dropout(torch.tanh(self.fc2(found)), DROPOUT, self.training)
        return apply_in_fp32(self.output, self.fc3(found))
