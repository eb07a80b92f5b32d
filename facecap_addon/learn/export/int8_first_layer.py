"""A first layer laid out so that 8 bits gain from it, too.

A 3×3 convolution of stride two on a grey picture gathers nine single bytes for each of its places, which takes longer
than multiplying them. Four neighbouring pixels taken as four channels of a picture of half the size make it a 2×2
convolution that gathers four times four bytes in a row: the same numbers, in half the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_FEW_CHANNELS = 4
_FORM = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "group": 1}


def rewrite_first_layers(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, 3×3 convolutions of stride two that see pictures of even size rewritten; changes `model`."""
    graph: Any = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        one.name: [axis.dim_value for axis in one.type.tensor_type.shape.dim]
        for one in (*graph.input, *graph.value_info)
    }
    weights = {one.name: one for one in model.graph.initializer}
    for place, node in reversed(list(enumerate(model.graph.node))):
        shape = shapes.get(node.input[0], []) if node.input else []
        if node.op_type != "Conv" or len(shape) != 4 or not _sees_pictures(node, shape):
            continue
        given = numpy_helper.to_array(weights[node.input[1]])
        weights[node.input[1]].CopyFrom(numpy_helper.from_array(fold_into_fours(given), node.input[1]))
        fours = f"{node.name or node.output[0]}_fours"
        model.graph.node.insert(place, helper.make_node("SpaceToDepth", [node.input[0]], [fours], blocksize=2))
        node.input[0] = fours
        del node.attribute[:]
        node.attribute.extend(
            helper.make_attribute(name, value)
            for name, value in (("kernel_shape", [2, 2]), ("strides", [1, 1]), ("pads", [1, 1, 0, 0]), ("group", 1))
        )
    return model


def fold_into_fours(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(O, 4 C, 2, 2) weights for `SpaceToDepth` of what (O, C, 3, 3) weights see at stride two, padded by one."""
    out, channels = weights.shape[:2]
    fours = np.zeros((out, 2, 2, channels, 2, 2), np.float32)  # row and column within four, channel, row and column
    for row in range(3):
        for column in range(3):
            cell_row, within_row = divmod(row + 1, 2)
            cell_column, within_column = divmod(column + 1, 2)
            fours[:, within_row, within_column, :, cell_row, cell_column] = weights[:, :, row, column]
    return fours.reshape(out, 4 * channels, 2, 2)


def _sees_pictures(node: onnx.NodeProto, shape: list[int]) -> bool:
    form = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    even = shape[2] > 0 and shape[3] > 0 and shape[2] % 2 == 0 and shape[3] % 2 == 0
    return even and 0 < shape[1] <= _FEW_CHANNELS and all(form.get(name) == value for name, value in _FORM.items())
