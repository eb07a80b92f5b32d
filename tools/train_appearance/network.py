"""The appearance network: a small trunk that turns crops into features, and a head that reads changes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from facecap_addon.fit.energies.appearance import LEAST_LOG_VARIANCE
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.landmarks.face_crops import CROPS
from facecap_addon.rig.channels import ARKIT_CHANNELS

FEATURES = 48
"""Of each crop."""
WIDTH = 128


class Crop(nn.Module):
    """(N, 3, H, W) uint8 or float32 0..255 to (N, FEATURES): exposure taken out, four strided convolutions."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, kernel in ((3, 16, 5), (16, 32, 3), (32, 64, 3), (64, 96, 3)):
            layers += [nn.Conv2d(before, after, kernel, 2, kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            height, width = (height + 1) // 2, (width + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.features = nn.Linear(96 * height * width, FEATURES)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        value = picture.to(self.features.weight.dtype)
        value = value - value.mean(dim=(2, 3), keepdim=True)
        value = value / (value.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 4.0)
        return self.features(self.layers(value).flatten(1))


class Trunk(nn.Module):
    """Crops (N, H, W, 3) uint8, one picture for each of `CROPS`, to (N, 3 FEATURES)."""

    def __init__(self) -> None:
        super().__init__()
        self.crops = nn.ModuleList([Crop(shape.size[1], shape.size[0]) for shape in CROPS])

    def forward(self, *pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([crop(p.permute(0, 3, 1, 2)) for crop, p in zip(self.crops, pictures, strict=True)], dim=1)


class Head(nn.Module):
    """(N, A + 3 M + 3) of `head_input` to the weights' means and log variances, (N, K) each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        landmarks = len(load_prior().subset) * 3
        self.layers = nn.Sequential(
            nn.Linear(FEATURES * len(CROPS) + landmarks + 3, WIDTH),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, 2 * channels),
        )
        nn.init.constant_(self.layers[-1].bias[channels:], -3.0)

    def forward(self, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_variance = self.layers(given).chunk(2, dim=1)
        return mean, log_variance.clamp(LEAST_LOG_VARIANCE, 0.0)

    def linear(self) -> list[nn.Linear]:
        """Its linear layers, in turn."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


def load_trained(path: Path) -> tuple[Trunk, Head]:
    """The networks that `train` saved."""
    state = torch.load(path)
    trunk, head = Trunk(), Head(len(ARKIT_CHANNELS))
    trunk.load_state_dict(state["trunk"])
    head.load_state_dict(state["head"])
    return trunk.eval(), head.eval()
