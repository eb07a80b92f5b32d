"""Looks into an ONNX file before a runtime opens it: which operators it uses, whether it reaches for other files.

Only the few fields that matter are read, with the wire format of protocol buffers: Blender's Python has no onnx
package.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import FacecapError

ALLOWED = frozenset(
    {
        *("Add", "AveragePool", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "Div", "Flatten"),
        *("Gather", "Gemm", "Identity", "LSTM", "Pad"),
        *(
            "MatMul",
            "MaxPool",
            "Mul",
            "Pow",
            "ReduceMean",
            "ReduceSum",
            "Relu",
            "Reshape",
            "Shape",
            "Slice",
            "Split",
            "Sqrt",
        ),
        *("SpaceToDepth", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"),
        *("QuantizeLinear", "DequantizeLinear"),
    }
)
_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
# Field numbers of onnx.proto3.
_GRAPH, _FUNCTIONS = 7, 25
_NODE, _INITIALIZER = 1, 5
_OP_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 5, 6, 11
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def check_onnx(model: bytes, name: str) -> None:
    """Raises FacecapError if a model uses operators FaceCap does not write, calls other files, or is no model."""
    try:
        graphs = 0
        for field, value in _read_fields(model):
            if field == _FUNCTIONS:
                raise _make_refusal(name, "it defines functions of its own")
            if field == _GRAPH and isinstance(value, bytes):
                graphs += 1
                _check_graph(value, name)
        if graphs != 1:
            raise _make_refusal(name, "it holds no network")
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise _make_refusal(name, "it is damaged") from error


def _check_graph(graph: bytes, name: str) -> None:
    for field, value in _read_fields(graph):
        if not isinstance(value, bytes):
            continue
        if field == _INITIALIZER:
            _check_tensor(value, name)
        elif field == _NODE:
            parts = list(_read_fields(value))
            operator = next((v.decode() for f, v in parts if f == _OP_TYPE and isinstance(v, bytes)), "")
            domain = next((v.decode() for f, v in parts if f == _DOMAIN and isinstance(v, bytes)), "")
            if operator not in ALLOWED or domain not in _DOMAINS:
                raise _make_refusal(name, f"it uses the foreign operator {domain + '.' if domain else ''}{operator}")
            for attribute in (v for f, v in parts if f == _ATTRIBUTE and isinstance(v, bytes)):
                for inner, content in _read_fields(attribute):
                    if inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                        raise _make_refusal(name, "it holds networks within the network")
                    if inner == _ATTRIBUTE_TENSOR and isinstance(content, bytes):
                        _check_tensor(content, name)


def _check_tensor(tensor: bytes, name: str) -> None:
    for field, value in _read_fields(tensor):
        if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0):
            raise _make_refusal(name, "its numbers lie in another file")


def _read_fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Field number and value of each field; lengths are checked, nested messages are not entered."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _read_varint(message, at)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            number, at = _read_varint(message, at)
            yield field, number
        elif kind == 2:
            length, at = _read_varint(message, at)
            if length > end - at:
                raise ValueError("a field runs over the end")
            yield field, message[at : at + length]
            at += length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            if at > end:
                raise ValueError("a field runs over the end")
        else:
            raise ValueError("an unknown kind of field")


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _make_refusal(name: str, why: str) -> FacecapError:
    return FacecapError(
        f"The network {name} is refused: {why}.", "Use solvers that FaceCap trained, from people you trust."
    )
