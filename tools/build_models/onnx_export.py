"""Writes a network as an ONNX file, opset 17, with a dynamic batch axis."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch

from .graph import Graph
from .networks import Network, OnnxNetwork

OPSET = 17


def export_onnx(path: Path, network: Network, graph: Graph) -> None:
    """Export `network` to `path` by atomic rename."""
    height, width = graph.input_size
    module = OnnxNetwork(network, graph).eval()
    temporary = path.with_name(path.name + ".partial")
    axes = {name: {0: "batch"} for name in ("image", *network.onnx_outputs)}
    with warnings.catch_warnings():
        # The exporter warns of tracing Python numbers; they are the network's constants, and parity is checked after.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros((2, height, width, 3), dtype=torch.uint8),),
            str(temporary),
            input_names=["image"],
            output_names=list(network.onnx_outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    os.replace(temporary, path)
