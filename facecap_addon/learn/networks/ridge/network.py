"""The first layers of the landmark network, left as they are, and a linear map from what they see to vertices.

These layers have seen the faces of many people (MediaPipe, Apache-2.0): what little footage of one actor has to teach
is the map alone, and that has a closed form.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ....landmarks.backends.graph import Graph, load_graph
from ....landmarks.backends.model_files import MODELS_FOLDER
from ....refine.networks.graph_module import GraphModule
from ....refine.networks.landmark_module import MESH_GRAPH
from ...data.pca import PcaBasis
from ..laine.convolutional import apply_in_fp32, make_output_layer

_HALVED = 3
"""How often the layers that are used halve the picture: further down, lips and lids are a pixel or two."""
_POOLED = 2


class RidgeNetwork(nn.Module):
    """Layers of the landmark network, a linear map of what they see, and the output layer.

    Args:
        basis: of the vertices; the output layer holds it.  side: of the square picture, px.
    """

    def __init__(self, basis: PcaBasis, side: int) -> None:
        super().__init__()
        self.layers = GraphModule(cut_graph(load_graph(MODELS_FOLDER / MESH_GRAPH)), prelu=_prelu)
        with torch.no_grad():
            seen = self.see(torch.zeros(1, 3, side, side)).shape[1]
        self.map = nn.Linear(seen, len(basis.components))
        self.output = make_output_layer(basis, fixed=True)

    def see(self, pictures: Tensor) -> Tensor:
        """(B, D) what the layers see of RGB pictures (B, 3, H, W) in 0..1."""
        return functional.avg_pool2d(self.layers(pictures)[0], _POOLED).flatten(1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, N) m from RGB pictures (B, 3, H, W) in 0..1."""
        return apply_in_fp32(self.output, self.map(self.see(pictures)))


def cut_graph(graph: Graph) -> Graph:
    """The layers before the picture is halved once more than `_HALVED` times."""
    halving = [i for i, node in enumerate(graph.nodes) if node.op == "conv" and 2 in node.attributes["stride"]]
    end = halving[_HALVED]
    nodes = graph.nodes[:end]
    used = {name for node in nodes for name in node.inputs}
    constants = {name: value for name, value in graph.constants.items() if name in used}
    return replace(graph, nodes=nodes, constants=constants, output_names=(graph.nodes[end].inputs[0],))


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    """x where positive, slope·x elsewhere, in operators that solvers may use."""
    return functional.relu(x) * (1 - slope) + slope * x
