"""Writes a network as an ONNX file, opset 17, with a dynamic batch axis."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch

from facecap_addon.landmarks.backends.graph import Graph
from facecap_addon.refine.networks.graph_module import is_uneven_convolution

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
    model = onnx.load(str(temporary))
    fold_padding(model.graph, graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(temporary))
    temporary.replace(path)


def fold_padding(model: onnx.GraphProto, graph: Graph) -> None:
    """Move uneven zero padding into the convolution behind it: torch cannot say it, ONNX can.

    The convolutions with uneven padding come in the same order in both graphs.
    """
    uneven = iter([node.attributes["pad"] for node in graph.nodes if is_uneven_convolution(node)])
    producers = {node.output[0]: node for node in model.node if node.op_type == "Pad"}
    for conv in [node for node in model.node if node.op_type == "Conv" and node.input[0] in producers]:
        left, right, top, bottom = next(uneven)
        pads = next(attribute for attribute in conv.attribute if attribute.name == "pads")
        pads.ints[:] = [top, left, bottom, right]
        conv.input[0] = producers[conv.input[0]].input[0]
    read = {name for node in model.node for name in node.input}
    for pad in [node for node in producers.values() if node.output[0] not in read]:
        model.node.remove(pad)
