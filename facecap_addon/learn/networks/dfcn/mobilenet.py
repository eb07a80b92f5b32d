"""MobileNetV2 (Sandler et al. 2018, table 2): FACEGOOD's student, fast enough for every frame of a camera."""

from __future__ import annotations

from torch import Tensor, nn

from ..laine.convolutional import apply_in_fp32

# Expansion, feature maps, repetitions, stride of the first.
_BOTTLENECKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_FIRST, _LAST = 32, 1280


class MobileNet(nn.Module):
    """A picture in, numbers out, without activation on them, and without the dropout of the published classifier.

    Args:
        outputs: how many numbers.  colours: of the picture.  width: factor on the feature maps.
    """

    def __init__(self, outputs: int, *, colours: int = 1, width: float = 1.0) -> None:
        super().__init__()
        before = _round_to_eights(_FIRST * width)
        last = _round_to_eights(_LAST * max(0.5, width))  # the paper keeps them all; a preview needs fewer
        layers: list[nn.Module] = [_conv(colours, before, 3, 2)]
        for expansion, maps, count, stride in _BOTTLENECKS:
            for i in range(count):
                after = _round_to_eights(maps * width)
                layers.append(Bottleneck(before, after, expansion, stride if i == 0 else 1))
                before = after
        layers.append(_conv(before, last, 1))
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear(last, outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        nn.init.normal_(self.output.weight, 0, 1e-3)  # numbers of a face are small and begin at their mean
        nn.init.zeros_(self.output.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, N) of whitened pictures (B, C, H, W)."""
        return apply_in_fp32(self.output, self.layers(pictures).mean((2, 3)))


class Bottleneck(nn.Module):
    """The inverted residual: widened by a 1×1 convolution, filtered map by map, narrowed again without activation."""

    def __init__(self, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = before * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv(before, wide, 1)]
        layers += [_conv(wide, wide, 3, stride, groups=wide), nn.Conv2d(wide, after, 1, bias=False)]
        layers.append(nn.BatchNorm2d(after))
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H/stride, W/stride)."""
        found = self.layers(maps)
        return maps + found if self.adds else found


def _conv(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU6(inplace=True),
    )


def _round_to_eights(count: float) -> int:
    """Feature maps in eights, never less than nine tenths of what was asked for."""
    rounded = max(8, int(count + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * count else rounded + 8
