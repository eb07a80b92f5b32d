"""The five networks: where each lies in the wheel, what its picture's range is, and how its ONNX file presents itself.

Every ONNX file takes `image`, (N, H, W, 3) uint8 RGB: scaling and the change of layout run inside the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facecap_addon.landmarks.backends.graph import Graph
from facecap_addon.refine.networks.graph_module import GraphModule
from facecap_addon.refine.networks.landmark_module import (
    MESH_LANDMARKS,
    attention_order,
    attention_subsets,
    refined_places,
)

IRIS_REFINED_LANDMARKS = 478


@dataclass(frozen=True)
class Network:
    """One network of the wheel.

    Attributes:
        name: file stem of what is built.
        member: path of the `.tflite` inside the wheel.
        pixel_range: what bytes 0 and 255 become.
        labels: the outputs, in the graph's order, as the graph's author named them.
        onnx_outputs: names of the ONNX file's outputs.
    """

    name: str
    member: str
    pixel_range: tuple[float, float]
    labels: tuple[str, ...]
    onnx_outputs: tuple[str, ...]


NETWORKS = (
    Network(
        "face_detection_short_range",
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        (-1.0, 1.0),
        ("regressors", "classificators"),
        ("boxes", "scores"),
    ),
    Network(
        "face_detection_full_range",
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        (-1.0, 1.0),
        ("Identity", "Identity_1"),
        ("boxes", "scores"),
    ),
    Network(
        "face_landmarks",
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        (0.0, 1.0),
        ("conv2d_21", "conv2d_31"),
        ("landmarks", "presence"),
    ),
    Network(
        "face_landmarks_attention",
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        (0.0, 1.0),
        (
            "output_mesh_identity",
            "output_lips",
            "output_left_eye",
            "output_right_eye",
            "output_left_iris",
            "output_right_iris",
            "conv_faceflag",
        ),
        ("landmarks", "presence"),
    ),
    Network(
        "iris",
        "mediapipe/modules/iris_landmark/iris_landmark.tflite",
        (0.0, 1.0),
        ("output_eyes_contours_and_brows", "output_iris"),
        ("eye", "iris"),
    ),
)


class OnnxNetwork(nn.Module):
    """A graph with uint8 pictures in and the outputs that the landmarker reads.

    Detectors: `boxes` (N, A, 16), `scores` (N, A) logits. Landmark networks: `landmarks` (N, L, 3) in crop pixels,
    `presence` (N,) in 0..1. Iris: `eye` (N, 71, 3) and `iris` (N, 5, 3) in crop pixels.
    """

    def __init__(self, network: Network, graph: Graph) -> None:
        super().__init__()
        self.network = network
        self.graph_module = GraphModule(graph)
        if network.name == "face_landmarks_attention":
            self._order = torch.tensor(attention_order(graph))
            self._eyes = (
                torch.tensor(attention_subsets(graph)[1][:16]),
                torch.tensor(attention_subsets(graph)[2][:16]),
            )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        low, high = self.network.pixel_range
        picture = image.permute(0, 3, 1, 2).to(torch.float32) * ((high - low) / 255.0) + low
        outputs = self.graph_module(picture)
        match self.network.onnx_outputs:
            case ("boxes", "scores"):
                return outputs[0], outputs[1].reshape(outputs[1].shape[0], -1)
            case ("landmarks", "presence"):
                landmarks = outputs[0].reshape(-1, MESH_LANDMARKS, 3)
                if self.network.name == "face_landmarks_attention":
                    landmarks = self._refined(landmarks, outputs)
                return landmarks, torch.sigmoid(outputs[-1].reshape(-1))
            case _:
                return outputs[0].reshape(-1, 71, 3), outputs[1].reshape(-1, 5, 3)

    def _refined(self, mesh: Tensor, outputs: tuple[Tensor, ...]) -> Tensor:
        """Put the refined lips, eyes and irises in their places; depth is the mesh's, an iris takes its eye's mean."""
        batch = mesh.shape[0]
        xy = refined_places(outputs, batch, self._order)
        depth = mesh[..., 2:]
        irises = [depth[:, eye].mean(dim=1, keepdim=True).expand(batch, 5, 1) for eye in self._eyes]
        return torch.cat((xy, torch.cat((depth, *irises), dim=1)), dim=2)
