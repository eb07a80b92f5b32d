"""Inception-ResNet-v2 (Szegedy et al. 2017): FACEGOOD's teacher, accurate and slow.

Layers and numbers of feature maps are those of the network its authors published, whose stem differs a little from the
paper's figure.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..laine.convolutional import apply_in_fp32

_EPSILON = 1e-3
_DROPOUT = 0.2
Kernel = int | tuple[int, int]


class InceptionResNet(nn.Module):
    """A picture in, numbers out; FACEGOOD leaves out any activation on them.

    Args:
        outputs: how many numbers.  colours: of the picture.
        blocks: how often each of the three residual blocks is repeated.  width: factor on the feature maps.
    """

    def __init__(
        self, outputs: int, *, colours: int = 1, blocks: tuple[int, int, int] = (10, 20, 9), width: float = 1.0
    ) -> None:
        super().__init__()

        def n(maps: int) -> int:
            return max(4, round(maps * width))

        def conv(before: int, after: int, kernel: Kernel, stride: int = 1, *, same: bool = True) -> nn.Sequential:
            return _conv(before, n(after), kernel, stride, same=same)

        def chain(before: int, *layers: tuple[int, Kernel]) -> nn.Sequential:
            """Convolutions one after the other."""
            parts = []
            for after, kernel in layers:
                parts.append(conv(before, after, kernel))
                before = n(after)
            return nn.Sequential(*parts)

        def shrink(before: int, *layers: tuple[int, Kernel]) -> nn.Sequential:
            """The same, the last of them halving the picture."""
            *some, (after, kernel) = layers
            inside = n(some[-1][0]) if some else before
            return nn.Sequential(*chain(before, *some), conv(inside, after, kernel, 2, same=False))

        self.stem = nn.Sequential(
            conv(colours, 32, 3, 2, same=False),
            conv(n(32), 32, 3, same=False),
            conv(n(32), 64, 3),
            nn.MaxPool2d(3, 2),
            conv(n(64), 80, 1),
            conv(n(80), 192, 3, same=False),
            nn.MaxPool2d(3, 2),
        )
        maps = n(192)
        self.mixed = Branches(
            chain(maps, (96, 1)),
            chain(maps, (48, 1), (64, 5)),
            chain(maps, (64, 1), (96, 3), (96, 3)),
            nn.Sequential(nn.AvgPool2d(3, 1, padding=1, count_include_pad=False), *chain(maps, (64, 1))),
        )
        maps = n(96) + n(64) + n(96) + n(64)
        self.first = nn.Sequential(*(
            Residual(maps, n(32) + n(32) + n(64), 0.17,
                     chain(maps, (32, 1)), chain(maps, (32, 1), (32, 3)), chain(maps, (32, 1), (48, 3), (64, 3)))
            for _ in range(blocks[0])
        ))  # fmt: skip
        self.to_second = Branches(
            shrink(maps, (384, 3)), shrink(maps, (256, 1), (256, 3), (384, 3)), nn.MaxPool2d(3, 2)
        )
        maps += n(384) + n(384)
        self.second = nn.Sequential(*(
            Residual(maps, n(192) + n(192), 0.10,
                     chain(maps, (192, 1)), chain(maps, (128, 1), (160, (1, 7)), (192, (7, 1))))
            for _ in range(blocks[1])
        ))  # fmt: skip
        self.to_third = Branches(
            shrink(maps, (256, 1), (384, 3)),
            shrink(maps, (256, 1), (288, 3)),
            shrink(maps, (256, 1), (288, 3), (320, 3)),
            nn.MaxPool2d(3, 2),
        )
        maps += n(384) + n(288) + n(320)
        self.third = nn.Sequential(*(
            Residual(maps, n(192) + n(256), 1.0 if last else 0.20,
                     chain(maps, (192, 1)), chain(maps, (192, 1), (224, (1, 3)), (256, (3, 1))), activated=not last)
            for last in [False] * blocks[2] + [True]
        ))  # fmt: skip
        self.end = conv(maps, 1536, 1)
        self.dropout = nn.Dropout(_DROPOUT)
        self.output = nn.Linear(n(1536), outputs)
        nn.init.normal_(self.output.weight, 0, 1e-3)  # else the sums of so many blocks begin far from any label
        nn.init.zeros_(self.output.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, N) of whitened pictures (B, C, H, W), 75 px or more."""
        maps = self.first(self.mixed(self.stem(pictures)))
        maps = self.third(self.to_third(self.second(self.to_second(maps))))
        return apply_in_fp32(self.output, self.dropout(self.end(maps).mean((2, 3))))


class Branches(nn.Module):
    """Several ways side by side, their maps one after the other."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, ΣC', H', W')."""
        return torch.cat([branch(maps) for branch in self.branches], 1)


class Residual(nn.Module):
    """Branches whose sum, scaled down, is added to what came in: without the scale, wide ones die in training.

    Args:
        maps: that come in.  inside: that the branches give together.  scale: see the paper's section 3.3.
    """

    def __init__(self, maps: int, inside: int, scale: float, *branches: nn.Module, activated: bool = True) -> None:
        super().__init__()
        self.branches = Branches(*branches)
        self.together = nn.Conv2d(inside, maps, 1)
        self.scale, self.activated = scale, activated

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        found = maps + self.scale * self.together(self.branches(maps))
        return torch.relu(found) if self.activated else found


def _conv(before: int, after: int, kernel: Kernel, stride: int, *, same: bool) -> nn.Sequential:
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (height // 2, width // 2) if same else 0
    return nn.Sequential(
        nn.Conv2d(before, after, (height, width), stride, padding=padding, bias=False),
        nn.BatchNorm2d(after, eps=_EPSILON),
        nn.ReLU(inplace=True),
    )
