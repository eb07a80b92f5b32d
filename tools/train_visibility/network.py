"""The visibility network: a crop of the face in, how far each of its cells is covered out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from facecap_addon.landmarks.face_crops import WHOLE_FACE

WIDTHS = (16, 32, 48, 64)


def _layer(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())


class Visibility(nn.Module):
    """(N, H, W, 3) uint8 crops to (N, H / 4, W / 4), exposure taken out; convolutions down to 1/16, two back up.

    Attributes:
        as_logits: give what goes into the sigmoid; to train with.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.down_2, self.down_4 = _layer(5, a, 5, 2), _layer(a, b, 3, 2)
        self.down_8, self.down_16 = _layer(b, c, 3, 2), _layer(c, d, 3, 2)
        self.whole = nn.Sequential(_layer(d, d, 3, 1), _layer(d, d, 3, 1))
        self.up_8, self.up_4 = _layer(d + c, c, 3, 1), _layer(c + b, b, 3, 1)
        self.out = nn.Conv2d(b, 1, 1)
        width, height = WHOLE_FACE.size
        v, u = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        self.register_buffer("where", torch.stack([u, v])[None])
        self.as_logits = False

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        value = crop.permute(0, 3, 1, 2).to(self.out.weight.dtype)
        value = value - value.mean(dim=(2, 3), keepdim=True)
        value = value / (value.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 4.0)
        place = self.where.expand(value.shape[0], -1, -1, -1)
        half = self.down_2(torch.cat([value, place], dim=1))
        quarter = self.down_4(half)
        eighth = self.down_8(quarter)
        whole = self.whole(self.down_16(eighth))
        near = self.up_8(torch.cat([nn.functional.interpolate(whole, scale_factor=2.0), eighth], dim=1))
        near = self.up_4(torch.cat([nn.functional.interpolate(near, scale_factor=2.0), quarter], dim=1))
        logits = self.out(near)[:, 0]
        return logits if self.as_logits else torch.sigmoid(logits)


def load_trained(path: Path) -> Visibility:
    """The network that `train` saved."""
    network = Visibility()
    network.load_state_dict(torch.load(path))
    return network.eval()
