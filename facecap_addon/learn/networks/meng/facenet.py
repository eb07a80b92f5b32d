"""The expression embedding of Meng and Wen 2019, table 1: FaceNet's layers, a picture to a point on the unit sphere."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

SIZE, EMBEDDING = 160, 128
# Depth radius, alpha, beta and k of the local response normalisation: FaceNet's own.
_NORM = (5, 1e-4, 0.75, 1.0)


class FaceNet(nn.Module):
    """Table 1: conv1 7×7/2, four poolings, 1×1 and 3×3 convolutions between, two dense layers, unit length.

    The table leaves conv3a's and the dense layers' activations blank; rectified as in FaceNet, the last one linear.

    Args:
        width: factor on the number of feature maps; a quarter for a preview.  size: height and width of the picture.
    """

    def __init__(self, width: float = 1.0, size: int = SIZE) -> None:
        super().__init__()

        def maps(count: int) -> int:
            return max(8, round(count * width))

        def conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
            layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
            return layer

        a, b, c, d = maps(64), maps(192), maps(384), maps(256)

        def pool() -> nn.MaxPool2d:
            return nn.MaxPool2d(3, 2, padding=1)

        def relu() -> nn.ReLU:
            return nn.ReLU(inplace=True)

        def norm(count: int) -> ResponseNorm:
            return ResponseNorm(count)

        self.layers = nn.Sequential(
            *(conv(3, a, 7, 2), relu(), pool(), norm(a)),
            *(conv(a, a, 1), relu(), conv(a, b, 3), relu(), norm(b), pool()),
            *(conv(b, b, 1), relu(), conv(b, c, 3), relu(), pool()),
            *(conv(c, c, 1), relu(), conv(c, d, 3), relu()),
            *(conv(d, d, 1), relu(), conv(d, d, 3), relu()),
            *(conv(d, d, 1), relu(), conv(d, d, 3), relu(), pool()),
        )
        for _ in range(5):
            size = (size + 1) // 2
        self.fc1 = nn.Linear(d * size * size, EMBEDDING)
        self.fc2 = nn.Linear(EMBEDDING, EMBEDDING)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 128) unit vectors from whitened pictures (B, 3, 160, 160)."""
        features = self.layers(pictures).flatten(1)
        found = self.fc2(torch.relu(self.fc1(features)))
        return found / (found.square().sum(1, keepdim=True) + 1e-12).sqrt()


class ResponseNorm(nn.Module):
    """Local response normalisation: each map divided by (k + α/n Σ neighbours²)^β.

    The sum over neighbouring maps is a 1×1 convolution with a band of ones: what every runtime does fast.

    Args:
        maps: how many there are.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        size, alpha, self.beta, self.k = _NORM
        place = torch.arange(maps)
        band = ((place[:, None] - place).abs() <= size // 2).float() * alpha / size
        self.register_buffer("band", band[:, :, None, None], persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W)."""
        assert isinstance(self.band, Tensor)
        return maps / (self.k + functional.conv2d(maps.square(), self.band)).pow(self.beta)
