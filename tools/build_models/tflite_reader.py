"""Reads a TensorFlow Lite flatbuffer into a `Graph`: NHWC becomes NCHW, float16 and sparse weights become arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import tflite
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from facecap_addon.landmarks.backends.graph import Graph, Node

_OP_NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_ACTIVATIONS = {0: "none", 1: "relu", 3: "relu6"}
_DTYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}
# Weights stay where they are; these two only change how constants are stored.
_STORAGE_OPS = ("DEQUANTIZE", "DENSIFY")


def read_tflite(data: bytes) -> Graph:
    """Parse a TensorFlow Lite model of one subgraph whose only input is a picture.

    Raises NotImplementedError for an operation or an option that the five face networks do not use.
    """
    model = tflite.Model.GetRootAsModel(data, 0)
    subgraph = model.Subgraphs(0)
    constants: dict[int, NDArray[Any]] = {}
    nodes: list[Node] = []
    used: dict[str, NDArray[Any]] = {}
    for i in range(subgraph.TensorsLength()):
        value = _constant(model, subgraph.Tensors(i))
        if value is not None:
            constants[i] = value
    for i in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        name = _OP_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if name == "CUSTOM":
            name = code.CustomCode().decode()
        inputs = [int(t) for t in operator.InputsAsNumpy()]
        outputs = [int(t) for t in operator.OutputsAsNumpy()]
        if name in _STORAGE_OPS:
            constants[outputs[0]] = constants[inputs[0]]
            continue
        nodes.append(_node(name, operator, inputs, outputs[0], subgraph, constants, used))
    picture = int(subgraph.InputsAsNumpy()[0])
    _, height, width, _ = (int(v) for v in subgraph.Tensors(picture).ShapeAsNumpy())
    return Graph(
        input_name=_name(picture),
        input_size=(height, width),
        output_names=tuple(_name(int(t)) for t in subgraph.OutputsAsNumpy()),
        nodes=tuple(_fold_padding(nodes)),
        constants=used,
    )


def _fold_padding(nodes: list[Node]) -> list[Node]:
    """Move padding of rows and columns into the convolution that alone reads it."""
    readers: dict[str, int] = {}
    for node in nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    pads = {node.output: node for node in nodes if node.op == "pad" and not any(node.attributes["pad"][4:])}
    folded: list[Node] = []
    gone: set[str] = set()
    for node in nodes:
        pad = pads.get(node.inputs[0])
        if node.op == "conv" and pad is not None and readers[pad.output] == 1:
            total = [a + b for a, b in zip(node.attributes["pad"], pad.attributes["pad"][:4], strict=True)]
            node = Node("conv", (pad.inputs[0], *node.inputs[1:]), node.output, {**node.attributes, "pad": total})
            gone.add(pad.output)
        folded.append(node)
    return [node for node in folded if node.output not in gone]


def output_labels(data: bytes) -> tuple[str, ...]:
    """The names that the model's author gave its outputs, in order."""
    subgraph = tflite.Model.GetRootAsModel(data, 0).Subgraphs(0)
    return tuple(subgraph.Tensors(int(t)).Name().decode() for t in subgraph.OutputsAsNumpy())


def _name(tensor: int) -> str:
    return f"t{tensor}"


def _shape(subgraph: Any, tensor: int) -> list[int]:
    found = subgraph.Tensors(tensor)
    return [int(v) for v in found.ShapeAsNumpy()] if found.ShapeLength() else []


def _constant(model: Any, tensor: Any) -> NDArray[Any] | None:
    buffer = model.Buffers(tensor.Buffer())
    if buffer.DataLength() == 0:
        return None
    shape = tuple(int(v) for v in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype=_DTYPES[tensor.Type()])
    sparsity = tensor.Sparsity()
    if sparsity is not None:
        return _densify(values, shape, sparsity)
    return values.reshape(shape)


def _densify(values: NDArray[Any], shape: tuple[int, ...], sparsity: Any) -> NDArray[Any]:
    """Expand TensorFlow Lite's compressed sparse storage (dimensions in traversal order, blocks last)."""
    order = [int(v) for v in sparsity.TraversalOrderAsNumpy()]
    block_dims = [int(v) for v in sparsity.BlockMapAsNumpy()] if sparsity.BlockMapLength() else []
    levels = [sparsity.DimMetadata(i) for i in range(sparsity.DimMetadataLength())]
    rank = len(shape)
    # (stored position, index along each level so far); grows one level at a time
    paths: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    for level in levels:
        grown: list[tuple[int, tuple[int, ...]]] = []
        if level.Format() == tflite.DimensionType.DENSE:
            size = level.DenseSize()
            grown = [(position * size + k, (*path, k)) for position, path in paths for k in range(size)]
        else:
            segments = _index_vector(level.ArraySegments(), level.ArraySegmentsType())
            indices = _index_vector(level.ArrayIndices(), level.ArrayIndicesType())
            grown = [
                (k, (*path, int(indices[k])))
                for position, path in paths
                for k in range(int(segments[position]), int(segments[position + 1]))
            ]
        paths = grown
    block_sizes = {dim: levels[order.index(rank + i)].DenseSize() for i, dim in enumerate(block_dims)}
    dense = np.zeros(shape, dtype=values.dtype)
    for position, path in paths:
        along = dict(zip(order, path, strict=True))
        index = [along[dim] * block_sizes.get(dim, 1) for dim in range(rank)]
        for i, dim in enumerate(block_dims):
            index[dim] += along[rank + i]
        dense[tuple(index)] = values[position]
    return dense


def _index_vector(table: Any, kind: int) -> NDArray[np.int64]:
    vector = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}[kind]()
    vector.Init(table.Bytes, table.Pos)
    return vector.ValuesAsNumpy().astype(np.int64)


def _options(operator: Any, kind: Any) -> Any:
    options = kind()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _node(
    name: str,
    operator: Any,
    inputs: list[int],
    output: int,
    subgraph: Any,
    constants: dict[int, NDArray[Any]],
    used: dict[str, NDArray[Any]],
) -> Node:
    def keep(tensor: int, value: NDArray[Any]) -> str:
        used[_name(tensor)] = np.ascontiguousarray(value)
        return _name(tensor)

    x = _name(inputs[0])
    x_shape, y_shape = _shape(subgraph, inputs[0]), _shape(subgraph, output)
    match name:
        case "CONV_2D" | "DEPTHWISE_CONV_2D":
            depthwise = name != "CONV_2D"
            options = _options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
            if options.DilationHFactor() != 1 or options.DilationWFactor() != 1:
                raise NotImplementedError("dilated convolution")
            weight = constants[inputs[1]].transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
            names = (x, keep(inputs[1], weight), keep(inputs[2], constants[inputs[2]]))
            stride = (options.StrideH(), options.StrideW())
            attributes: dict[str, Any] = {
                "stride": list(stride),
                "pad": _padding(options.Padding(), x_shape[1:3], weight.shape[2:], stride),
                "groups": x_shape[3] if depthwise else 1,
                "activation": _ACTIVATIONS[options.FusedActivationFunction()],
            }
            return Node("conv", names, _name(output), attributes)
        case "PRELU":
            slope = constants[inputs[1]].reshape(-1, 1, 1)
            return Node("prelu", (x, keep(inputs[1], slope)), _name(output), {})
        case "RELU":
            return Node("relu", (x,), _name(output), {})
        case "ADD":
            activation = _ACTIVATIONS[_options(operator, tflite.AddOptions).FusedActivationFunction()]
            return Node("add", (x, _name(inputs[1])), _name(output), {"activation": activation})
        case "MUL":
            return Node("multiply", (x, keep(inputs[1], constants[inputs[1]])), _name(output), {})
        case "MAX_POOL_2D":
            options = _options(operator, tflite.Pool2DOptions)
            size, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
            attributes = {"size": list(size), "stride": list(stride)}
            attributes["pad"] = _padding(options.Padding(), x_shape[1:3], size, stride)
            return Node("max_pool", (x,), _name(output), attributes)
        case "PAD":
            _, height, width, channels = ([int(v) for v in row] for row in constants[inputs[1]])
            return Node("pad", (x,), _name(output), {"pad": [*width, *height, *channels]})
        case "RESHAPE":
            return Node("reshape", (x,), _name(output), {"shape": y_shape[1:]})
        case "CONCATENATION":
            axis = _options(operator, tflite.ConcatenationOptions).Axis()
            if len(y_shape) == 4:
                axis = (0, 2, 3, 1)[axis]
            return Node("concatenate", tuple(_name(t) for t in inputs), _name(output), {"axis": axis})
        case "RESIZE_BILINEAR":
            options = _options(operator, tflite.ResizeBilinearOptions)
            if not options.HalfPixelCenters():
                raise NotImplementedError("bilinear resize without half-pixel centres")
            return Node("resize_bilinear", (x,), _name(output), {"size": y_shape[1:3]})
        case "DEPTH_TO_SPACE":
            block = _options(operator, tflite.DepthToSpaceOptions).BlockSize()
            return Node("depth_to_space", (x,), _name(output), {"block": block})
        case "STRIDED_SLICE":
            if x_shape != y_shape:
                raise NotImplementedError("a slice that is not the identity")
            return Node("identity", (x,), _name(output), {})
        case "Landmarks2TransformMatrix":
            attributes = dict(flexbuffers.Loads(operator.CustomOptionsAsNumpy().tobytes()))
            return Node("crop_matrix", (x,), _name(output), attributes)
        case "TransformTensorBilinear":
            attributes = dict(flexbuffers.Loads(operator.CustomOptionsAsNumpy().tobytes()))
            return Node("sample_bilinear", (x, _name(inputs[1])), _name(output), attributes)
        case "TransformLandmarks":
            return Node("transform_points", (x, _name(inputs[1])), _name(output), {})
        case _:
            raise NotImplementedError(name)


def _padding(kind: int, size: Any, kernel: Any, stride: Any) -> list[int]:
    """(left, right, top, bottom) of TensorFlow's SAME (the odd pixel goes right and below) or VALID padding."""
    if kind == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    pads: list[int] = []
    for length, k, s in zip(reversed(list(size)), reversed(list(kernel)), reversed(list(stride)), strict=True):
        total = max((-(-length // s) - 1) * s + k - length, 0)
        pads += [total // 2, total - total // 2]
    return pads
