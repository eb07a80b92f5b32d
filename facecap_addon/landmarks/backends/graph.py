"""A network as plain data: constants by name and a list of nodes, saved as one `.npz` without pickles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Node:
    """One operation: reads the tensors named in `inputs`, writes `output`."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A network with one picture in and named tensors out.

    Tensors of rank 4 are (N, C, H, W); convolution weights are in torch's layout (out, in / groups, kh, kw).

    Attributes:
        input_name: the picture, (N, 3, H, W) float32.
        input_size: its (height, width), px.
        output_names: tensors returned, in order.
        nodes: in the order they run.
        constants: weights by name; float16 where the source is float16, so nothing is lost by storing them.
    """

    input_name: str
    input_size: tuple[int, int]
    output_names: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[Any]]


def save_graph(path: Path, graph: Graph) -> None:
    """Write a graph to `path` (.npz) by atomic rename."""
    description = {
        "input_name": graph.input_name,
        "input_size": list(graph.input_size),
        "output_names": list(graph.output_names),
        "nodes": [[n.op, list(n.inputs), n.output, n.attributes] for n in graph.nodes],
    }
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("wb") as stream:
        constants = {f"constant/{name}": value for name, value in graph.constants.items()}
        np.savez(stream, graph=np.array(json.dumps(description)), **constants)
    temporary.replace(path)


def load_graph(path: Path) -> Graph:
    """Read what `save_graph` wrote."""
    with np.load(path, allow_pickle=False) as data:
        description = json.loads(str(data["graph"]))
        prefix = "constant/"
        constants = {name.removeprefix(prefix): data[name] for name in data.files if name.startswith(prefix)}
    height, width = description["input_size"]
    return Graph(
        input_name=description["input_name"],
        input_size=(height, width),
        output_names=tuple(description["output_names"]),
        nodes=tuple(Node(op, tuple(inputs), output, attrs) for op, inputs, output, attrs in description["nodes"]),
        constants=constants,
    )
