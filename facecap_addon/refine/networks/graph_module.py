"""A `Graph` as a differentiable torch module: any batch, NCHW, float32 or float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ...landmarks.backends.graph import Graph, Node


def functional_prelu(x: Tensor, slope: Tensor) -> Tensor:
    """x where positive, slope·x elsewhere; x (N, C, H, W), slope (C, 1, 1)."""
    return functional.prelu(x, slope.reshape(-1))


class GraphModule(nn.Module):
    """Runs the nodes of a `Graph` in order; every operation has a gradient.

    `forward` takes the picture, (N, 3, H, W) in the range the network was trained on, and returns the graph's outputs
    in order. An exporter may want `prelu` in another form.
    """

    def __init__(self, graph: Graph, prelu: Callable[[Tensor, Tensor], Tensor] = functional_prelu) -> None:
        super().__init__()
        self.graph = graph
        self._prelu = prelu
        for name, value in graph.constants.items():
            self.register_buffer(name, torch.from_numpy(value.astype(np.float32)))
        # A tensor is let go after its last use, or a batch would hold every activation at once.
        last_use: dict[str, int] = {}
        for i, node in enumerate(graph.nodes):
            last_use.update(dict.fromkeys(node.inputs, i))
        kept = set(graph.output_names) | set(graph.constants)
        self.dead_after = [
            [name for name in set(node.inputs) if last_use[name] == i and name not in kept]
            for i, node in enumerate(graph.nodes)
        ]

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        tensors: dict[str, Tensor] = dict(self.named_buffers())
        tensors[self.graph.input_name] = picture
        for node, dead in zip(self.graph.nodes, self.dead_after, strict=True):
            inputs = [tensors[name] for name in node.inputs]
            tensors[node.output] = self._prelu(*inputs) if node.op == "prelu" else run_node(node, inputs)
            for name in dead:
                del tensors[name]
        return tuple(tensors[name] for name in self.graph.output_names)


def run_node(node: Node, inputs: list[Any]) -> Tensor:
    """One operation of a graph on its inputs; a convolution's bias may be None."""
    x, a = inputs[0], node.attributes
    match node.op:
        case "conv":
            uneven = is_uneven_convolution(node)
            if uneven:
                x = functional.pad(x, a["pad"])
            padding = (0, 0) if uneven else (a["pad"][2], a["pad"][0])
            y = functional.conv2d(x, inputs[1], inputs[2], a["stride"], padding, 1, a["groups"])
            return _activate(y, a["activation"])
        case "relu":
            return functional.relu(x)
        case "add":
            return _activate(x + inputs[1], a["activation"])
        case "multiply":
            return x * inputs[1]
        case "max_pool":
            if any(a["pad"]):
                x = functional.pad(x, a["pad"], value=float("-inf"))
            return functional.max_pool2d(x, a["size"], a["stride"])
        case "pad":
            return functional.pad(x, a["pad"])
        case "reshape":
            if x.ndim == 4:
                x = x.permute(0, 2, 3, 1)
            y = x.reshape(-1, *a["shape"])
            return y.permute(0, 3, 1, 2) if y.ndim == 4 else y
        case "concatenate":
            return torch.cat(inputs, a["axis"])
        case "resize_bilinear":
            return functional.interpolate(x, a["size"], mode="bilinear", align_corners=False)
        case "depth_to_space":
            return depth_to_space(x, a["block"])
        case "identity":
            return x
        case "crop_matrix":
            return crop_matrix(x, a)
        case "sample_bilinear":
            return sample_bilinear(x, inputs[1], a["output_height"], a["output_width"])
        case "transform_points":
            return x @ inputs[1][:, :2, :2].transpose(1, 2) + inputs[1][:, None, :2, 3]
        case _:
            raise NotImplementedError(node.op)


def is_uneven_convolution(node: Node) -> bool:
    """Whether a node is a convolution whose padding differs between opposite sides."""
    if node.op != "conv":
        return False
    left, right, top, bottom = node.attributes["pad"]
    return left != right or top != bottom


def _activate(x: Tensor, activation: str) -> Tensor:
    if activation == "relu":
        return functional.relu(x)
    return functional.relu6(x) if activation == "relu6" else x


def depth_to_space(x: Tensor, block: int) -> Tensor:
    """TensorFlow's DEPTH_TO_SPACE on NCHW: channel order is (row in block, column in block, channel)."""
    _, channels, height, width = x.shape
    inner = channels // (block * block)
    x = x.reshape(-1, block, block, inner, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(-1, inner, height * block, width * block)


def crop_matrix(points: Tensor, a: dict[str, Any]) -> Tensor:
    """The affine map from an output grid to the box around some landmarks, turned to the line between two of them.

    The first axis u runs from landmark `left_rotation_idx` to `right_rotation_idx`, v is u turned by 90° (downwards);
    the box is the extent of landmarks `subset_idxs` along u and v, enlarged by `scale_x`, `scale_y`.

    Args:
        points: (N, L, 3) landmarks; only x and y count.
        a: the operation's attributes, with `output_width` and `output_height` of the grid.
    Returns:
        (N, 4, 4): grid (column, row, 0, 1) to the landmarks' space.
    """
    xy = points[..., :2]
    delta = xy[:, a["right_rotation_idx"]] - xy[:, a["left_rotation_idx"]]
    u = delta / torch.linalg.vector_norm(delta, dim=1, keepdim=True)
    v = torch.stack((-u[:, 1], u[:, 0]), dim=1)
    axes = torch.stack((u, v), dim=2)  # columns u, v
    along = xy[:, torch.tensor(a["subset_idxs"], device=xy.device)] @ axes
    low, high = along.amin(dim=1), along.amax(dim=1)
    center = ((low + high) / 2)[:, None] @ axes.transpose(1, 2)
    size = (high - low) * xy.new_tensor([a["scale_x"], a["scale_y"]])
    corner = center[:, 0] - u * size[:, :1] / 2 - v * size[:, 1:] / 2
    step_x, step_y = u * size[:, :1] / a["output_width"], v * size[:, 1:] / a["output_height"]
    zero = torch.zeros_like(corner)
    rows = torch.stack((step_x, step_y, zero, corner), dim=2)  # (N, 2, 4)
    lower = xy.new_tensor([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]).expand(rows.shape[0], 2, 4)
    return torch.cat((rows, lower), dim=1)


def sample_bilinear(x: Tensor, matrix: Tensor, height: int, width: int) -> Tensor:
    """Resample a feature map on the grid of `crop_matrix`; cells whose centre falls outside are zero.

    Args:
        x: (N, C, H, W).  matrix: (N, 4, 4), grid to feature-map pixels, both measured from pixel corners.
    Returns:
        (N, C, height, width).
    """
    corners = bilinear_corners(x.shape, matrix, height, width)
    # One row per pixel: gathering rows is many times faster in onnxruntime than its GridSample.
    batch, channels = x.shape[0], x.shape[1]
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
    first = torch.arange(batch, device=x.device).reshape(-1, 1) * (x.shape[2] * x.shape[3])
    upper_left, upper_right, lower_left, lower_right = (pixels[first + corners.pixel[:, k]] for k in range(4))
    right, below = corners.share[..., :1], corners.share[..., 1:]
    upper = upper_left * (1 - right) + upper_right * right
    lower = lower_left * (1 - right) + lower_right * right
    sampled = (upper * (1 - below) + lower * below) * corners.inside
    return sampled.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


class Corners(NamedTuple):
    """The four pixels around each cell of a grid.

    Attributes:
        grid: (G, 2) the cells' own places.  pixel: (N, 4, G) row·W + column: upper left, upper right, lower left, lower
            right.  share: (N, G, 2) how far to the right and down.  inside: (N, G, 1) 0 or 1, within the map.
    """

    grid: Tensor
    pixel: Tensor
    share: Tensor
    inside: Tensor

    @property
    def weights(self) -> Tensor:
        """(N, 4, G) of the four pixels."""
        right, down = self.share[..., 0], self.share[..., 1]
        parts = ((1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down)
        return torch.stack(parts, 1) * self.inside[:, None, :, 0]


def bilinear_corners(shape: Sequence[int], matrix: Tensor, height: int, width: int) -> Corners:
    """Where the cells of a grid fall between the pixels of a feature map (N, C, H, W); see `sample_bilinear`."""
    down, across = (torch.arange(n, dtype=matrix.dtype, device=matrix.device) + 0.5 for n in (height, width))
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    grid = torch.stack((columns.reshape(-1), rows.reshape(-1)), dim=1)  # (height·width, 2)
    at = grid @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3] - 0.5
    limit = matrix.new_tensor([shape[3] - 1, shape[2] - 1])
    inside = ((at >= 0) & (at <= limit)).all(dim=2, keepdim=True)
    at = torch.minimum(at.clamp(min=0), limit)
    low = torch.minimum(torch.floor(at), limit - 1)
    corner = low[..., 1].long() * shape[3] + low[..., 0].long()
    pixel = torch.stack((corner, corner + 1, corner + shape[3], corner + shape[3] + 1), dim=1)
    return Corners(grid, pixel, at - low, inside.to(matrix.dtype))
