"""The convolutional network of Laine et al. 2017, section 3.1: a grey picture in, vertex positions out."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ...data.pca import PcaBasis

HEIGHT, WIDTH = 320, 240
"""The paper writes its pictures 240×320, width first."""
MAPS = (64, 96, 144, 216, 324, 486)
DROPOUT = 0.2


class Tower(nn.Module):
    """Twelve layers in pairs, the first of each of stride two: a picture in, features out.

    Args:
        maps: feature maps of the six pairs; a quarter of them for a preview.
        colours: of the picture.  first_kernel: of each pair's first layer; 1 is Meng and Wen's table 3.
    """

    def __init__(self, maps: tuple[int, ...], *, colours: int = 1, first_kernel: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = colours
        for count in maps:
            for kernel, stride, given in ((first_kernel, 2, before), (3, 1, count)):
                if kernel == 1 and stride > 1:
                    layers.append(EverySecond())
                    stride = 1
                convolution = nn.Conv2d(given, count, kernel, stride, padding=kernel // 2)
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # He et al. 2015, as in section 4.2
                assert convolution.bias is not None
                nn.init.zeros_(convolution.bias)
                layers += [convolution, nn.ReLU(inplace=True)]
            before = count
        self.layers = nn.Sequential(*layers)
        self.maps = maps

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, D) features of pictures (B, C, H, W)."""
        return self.layers(pictures).flatten(1)

    def count_features(self, size: tuple[int, int]) -> int:
        """D for pictures of (height, width)."""
        for _ in self.maps:
            size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        return self.maps[-1] * size[0] * size[1]


class EverySecond(nn.Module):
    """Every second row and column: what a 1×1 convolution of stride two sees.

    Torch 2.13 writes outside its memory in the derivative of such a convolution on processors, channels last.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H/2, W/2), rounded up."""
        return maps[:, :, ::2, ::2]


class LaineNetwork(nn.Module):
    """Twelve 3×3 layers, dropout, a bottleneck, the output layer; one tower of layers per camera.

    The paper sees the face from the front alone, finds that this cannot tell a jaw that is pushed forward, and expects
    a second camera from the side to mend it (section 5.1): two towers, whose features the bottleneck takes together.

    Args:
        basis: initialises the output layer, which then learns with the others unless it is `fixed` (appendix A.1).
        maps: feature maps of the six pairs; a quarter of them for a preview.
        size: height and width of the picture.  cameras: one or two.
        colours, first_kernel: see `Tower`.
        narrow: numbers that a linear layer of its own leaves before the bottleneck (Meng and Wen's table 3); 0: none.
    """

    def __init__(
        self,
        basis: PcaBasis,
        maps: tuple[int, ...] = MAPS,
        size: tuple[int, int] = (HEIGHT, WIDTH),
        *,
        cameras: int = 1,
        colours: int = 1,
        first_kernel: int = 3,
        fixed: bool = False,
        narrow: int = 0,
    ) -> None:
        super().__init__()
        self.colours = colours
        self.towers = nn.ModuleList(Tower(maps, colours=colours, first_kernel=first_kernel) for _ in range(cameras))
        tower = self.towers[0]
        assert isinstance(tower, Tower)
        components = torch.from_numpy(basis.components)
        features = cameras * tower.count_features(size)
        self.narrow = make_linear_layer(features, narrow) if narrow else nn.Identity()
        self.bottleneck = make_linear_layer(narrow or features, len(components))
        self.output = make_output_layer(basis, fixed=fixed)

    def predict_coefficients(self, pictures: Tensor) -> Tensor:
        """(B, M) in standard deviations of the principal components."""
        parts = pictures.split(self.colours, dim=1)
        features = torch.cat([tower(part) for tower, part in zip(self.towers, parts, strict=True)], 1)
        return self.bottleneck(self.narrow(functional.dropout(features, DROPOUT, self.training)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, N) m from whitened pictures (B, cameras × colours, H, W)."""
        return apply_in_fp32(self.output, self.predict_coefficients(pictures))


def apply_in_fp32(layer: nn.Linear, values: Tensor) -> Tensor:
    """A layer in 32 bits whatever the precision around it: 16 bits hold a head's coordinates to millimetres."""
    with torch.autocast(values.device.type, enabled=False):
        return layer(values.float())


def make_linear_layer(inputs: int, outputs: int) -> nn.Linear:
    """A layer that nothing rectifies, begun as He et al. 2015 have it."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    nn.init.zeros_(layer.bias)
    return layer


def make_output_layer(basis: PcaBasis, *, fixed: bool = False) -> nn.Linear:
    """A layer that begins as the principal components; `fixed` ones do not learn."""
    components = torch.from_numpy(basis.components)
    layer = nn.Linear(len(components), components.shape[1])
    with torch.no_grad():
        layer.weight.copy_(components.T)
        layer.bias.copy_(torch.from_numpy(basis.mean))
    return layer.requires_grad_(not fixed)
