"""Landmark networks as differentiable torch modules: a crop of a picture in, landmarks in crop pixels out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ...errors import FacecapError
from ...landmarks.backends.graph import Graph, load_graph
from ...landmarks.backends.heatmap import CROP_SIZE as HEATMAP_CROP
from ...landmarks.backends.heatmap import HEATMAP_SIZE, SOFT_ARGMAX_BETA
from ...landmarks.backends.mediapipe import CROP_SIZE as MESH_CROP
from ...landmarks.backends.model_files import MODELS_FOLDER
from ...landmarks.backends.torchscript import open_torchscript
from .graph_module import GraphModule

MESH_GRAPH = "face_landmarks_attention.graph.npz"
MESH_LANDMARKS = 468


class LandmarkModule(Protocol):
    """A landmark network that derivatives can be taken of."""

    scheme: str
    crop_size: int

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, L, 2) crop pixels from (N, 3, S, S) sRGB in 0..1."""
        ...


class MeshModule(nn.Module):
    """MediaPipe's 478 landmarks with attention; the same graph as `face_landmarks_attention.onnx`."""

    scheme = "mediapipe-478"
    crop_size = MESH_CROP

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph_module = GraphModule(graph)
        self._order = attention_order(graph)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 478, 2) crop pixels from (N, 3, 192, 192) sRGB in 0..1."""
        return self.assemble(self.graph_module(pictures), pictures.shape[0])

    def assemble(self, outputs: Sequence[Tensor], batch: int) -> Tensor:
        """(N, 478, 2) from the graph's outputs (or their derivatives): refined lips, eyes and irises in place."""
        return refined_places(outputs, batch, self._order)


def refined_places(outputs: Sequence[Tensor], batch: int, order: Sequence[int] | Tensor) -> Tensor:
    """(N, 478, 2) crop pixels: the mesh with refined lips, eyes and irises in their places (see `attention_order`)."""
    mesh = outputs[0].reshape(batch, MESH_LANDMARKS, 3)
    parts = [mesh[..., :2], *(output.reshape(batch, -1, 2) for output in outputs[1:6])]
    return torch.cat(parts, dim=1)[:, order]


def attention_subsets(graph: Graph) -> list[list[int]]:
    """Mesh indices of the lips (80), the person's right eye (71) and left eye (71), as the graph itself crops them."""
    return [list(node.attributes["subset_idxs"]) for node in graph.nodes if node.op == "crop_matrix"]


def attention_order(graph: Graph) -> list[int]:
    """For each of the 478 landmarks its row in the stack mesh 468, lips 80, eye 71, eye 71, iris 5, iris 5.

    A landmark that two parts refine takes the later part's place, as MediaPipe's own graph does.
    """
    order = list(range(MESH_LANDMARKS))
    row = MESH_LANDMARKS
    for subset in attention_subsets(graph):
        for index in subset:
            order[index] = row
            row += 1
    return order + list(range(row, row + 10))


class HeatmapModule(nn.Module):
    """68 landmarks from a network that answers with heatmaps of 64×64 (the FAN family).

    Bao et al. section 4: the coordinates of equation 3 times 4 are those of the 256×256 crop.
    """

    scheme = "ibug-68"
    crop_size = HEATMAP_CROP

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 68, 2) crop pixels from (N, 3, 256, 256) sRGB in 0..1."""
        answer: Any = self.network(pictures)
        heatmaps = cast(Tensor, answer[-1] if isinstance(answer, (list, tuple)) else answer)
        return soft_argmax(heatmaps) * (HEATMAP_CROP / HEATMAP_SIZE)


def soft_argmax(heatmaps: Tensor, beta: float = SOFT_ARGMAX_BETA) -> Tensor:
    """Sub-pixel peak of each heatmap, differentiable: m̂ = Σ m·exp(β H(m)) / Σ exp(β H(m)) over the argmax's 3×3 patch.

    Bao et al., equation 3. At the border the patch holds only the pixels that exist.

    Args:
        heatmaps: (N, L, H, W).  beta: sharpness.
    Returns:
        (N, L, 2), (x, y) in heatmap pixels; the centre of column i is at x = i.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.reshape(*heatmaps.shape[:2], height * width)
    peak = flat.detach().argmax(dim=-1, keepdim=True)
    step = torch.arange(-1, 2, device=heatmaps.device)
    dy, dx = (grid.reshape(-1) for grid in torch.meshgrid(step, step, indexing="ij"))
    x, y = peak % width + dx, peak // width + dy
    there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    value = flat.gather(-1, index)
    # The peak is subtracted so that exp cannot overflow; the ratio stays the same.
    weight = torch.exp(beta * (value - flat.gather(-1, peak))) * there
    weight = weight / weight.sum(-1, keepdim=True)
    return torch.stack([(weight * x).sum(-1), (weight * y).sum(-1)], dim=-1)


def open_module(name: str, model_path: Path | None, device: str = "cpu") -> LandmarkModule:
    """Open a landmark network as a torch module, frozen.

    Args:
        name: "mediapipe-478" or "heatmap-68".  model_path: as in `landmarks.registry.open_landmarker`.
    Raises:
        FacecapError: the network is missing, or of a kind that has no derivatives here.
    """
    if name == "mediapipe-478":
        path = (model_path or MODELS_FOLDER) / MESH_GRAPH
        if not path.is_file():
            raise FacecapError(
                f"The landmark network {path.name} is missing from {path.parent}.",
                "Install the FaceCap extension again; from a source checkout, run `python -m tools.build_models`.",
            )
        module: nn.Module = MeshModule(load_graph(path))
    elif model_path is not None and model_path.suffix.lower() != ".onnx":
        module = HeatmapModule(open_torchscript(model_path, _WAY_OUT))
    else:
        raise FacecapError("Deep energies need the derivatives of the landmark network, which ONNX lacks.", _WAY_OUT)
    frozen = module.eval().to(device).requires_grad_(False)
    return cast(LandmarkModule, frozen)


_WAY_OUT = "Use mediapipe-478, or a TorchScript heatmap network (.pt) with --landmark-model."
