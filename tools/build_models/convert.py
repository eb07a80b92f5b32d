"""Each network of the wheel, converted, written and compared with the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from facecap_addon.landmarks.backends.graph import load_graph, save_graph
from facecap_addon.landmarks.probes import Probe, save_probe
from facecap_addon.refine.networks.graph_module import GraphModule

from .networks import NETWORKS, Network, OnnxNetwork
from .onnx_export import export_onnx
from .reference import TOLERANCE, drawn_picture, parity_error, reference_pictures
from .tflite_reader import output_labels, read_tflite


@dataclass(frozen=True)
class Converted:
    """One network, built: its files, and its largest difference from MediaPipe's own answers."""

    name: str
    files: tuple[Path, ...]
    parity: float
    tolerance: float = TOLERANCE


def convert(read_member: Callable[[str], bytes], folder: Path) -> Iterator[Converted]:
    """Write `<name>.onnx`, `.graph.npz` and `.probe.npz` for each network into `folder`; yields each when done."""
    for network in NETWORKS:
        data = read_member(network.member)
        if output_labels(data) != network.labels:
            raise ValueError(f"{network.member} has other outputs than expected: {output_labels(data)}")
        graph_path, onnx_path = folder / f"{network.name}.graph.npz", folder / f"{network.name}.onnx"
        save_graph(graph_path, read_tflite(data))
        export_onnx(onnx_path, network, load_graph(graph_path))
        probe_path = save_probe(onnx_path, probe_of(network, graph_path))
        yield Converted(network.name, (onnx_path, graph_path, probe_path), parity(network, graph_path, onnx_path))


def probe_of(network: Network, graph_path: Path) -> Probe:
    """A drawn picture and torch's answers to it: what onnxruntime has to give on every computer."""
    picture = drawn_picture(network)[None]
    with torch.no_grad():
        answers = OnnxNetwork(network, load_graph(graph_path))(torch.from_numpy(picture))
    outputs = {name: answer.numpy() for name, answer in zip(network.onnx_outputs, answers, strict=True)}
    return Probe({"image": picture}, outputs)


def parity(network: Network, graph_path: Path, onnx_path: Path) -> float:
    """Largest difference of the torch graph from MediaPipe's stored answers, or of the ONNX file from that graph."""
    pictures = reference_pictures(network)
    graph = load_graph(graph_path)
    low, high = network.pixel_range
    with torch.no_grad():
        scaled = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() * ((high - low) / 255.0) + low
        raw = tuple(output.numpy() for output in GraphModule(graph)(scaled))
        presented: tuple[NDArray[Any], ...] = tuple(
            output.numpy() for output in OnnxNetwork(network, graph)(torch.from_numpy(pictures))
        )
    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    from_onnx = session.run(list(network.onnx_outputs), {"image": pictures})
    worst = parity_error(network, raw)
    for ours, theirs in zip(from_onnx, presented, strict=True):
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst
