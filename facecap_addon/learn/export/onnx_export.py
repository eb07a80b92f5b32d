"""Networks to ONNX, checked against torch; and the quantised form, with what it costs."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import FacecapError
from .int8_first_layer import rewrite_first_layers

OPSET = 17
_PARITY_MM, _PARITY = 0.01, 1e-3


def to_onnx(network: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...]) -> bytes:
    """A network as ONNX; the first axis of inputs and outputs is free where the first input's is the batch.

    Args:
        inputs: name to an example.  outputs: names.
    """
    stream = io.BytesIO()
    given = list(inputs.values())
    example: Any = _make_arguments(given)
    free = {name: {0: "batch"} for name in (*inputs, *outputs)} if len(given) == 1 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own successor
        torch.onnx.export(
            network.cpu().eval(),
            example,
            stream,  # pyright: ignore[reportArgumentType] (a stream is what it takes)
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamic_axes=free,
            dynamo=False,
        )
    return stream.getvalue()


def _make_arguments(given: list[Tensor]) -> tuple[Any, ...]:
    """What a network is called with: an LSTM takes its two memories as a pair."""
    return (given[0], (given[1], given[2])) if len(given) == 3 else tuple(given)


def measure_parity(network: nn.Module, model: bytes, inputs: dict[str, Tensor]) -> float:
    """Largest difference between torch's answer and onnxruntime's for the same inputs."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    given = list(inputs.values())
    with torch.no_grad():
        wanted = network.cpu().eval()(*_make_arguments(given))
    pairs = zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True)
    return max(float(np.abs(a - b.numpy()).max()) for a, b in pairs)


def check_parity(difference: float, unit: str) -> None:
    """Raises FacecapError where ONNX does not say what torch says."""
    if difference > (_PARITY_MM / 1000 if unit == "m" else _PARITY):
        raise FacecapError(
            f"The exported network differs from the trained one by {difference:.2g} {unit}.",
            "Report this: the file was not written.",
        )


@dataclass(frozen=True)
class Scheme:
    """How weights become integers. Activations become unsigned 8-bit numbers.

    Attributes:
        signed: as unsigned numbers they are never cut off, and hardly faster than 32-bit floats.  bits: 7 or 8.
    """

    signed: bool = True
    bits: int = 7


SEVEN_BITS = Scheme()

_CORRECTED_OVER = 64
"""Pictures over which the mean of what rounding costs is taken."""


def quantise(model: bytes, pictures: Iterator[NDArray[np.float32]], scheme: Scheme = SEVEN_BITS) -> bytes:
    """The same network with 8-bit activations and 7-bit weights; ranges from whitened pictures (1, C, H, W).

    x86 without VNNI adds pairs of products of unsigned and signed numbers in 16 bits and cuts off what does not fit:
    2 · 255 · 127 does not, 2 · 255 · 64 does. With 8-bit weights a face would depend on the processor
    (`python -m benchmarks.eight_bits`).

    What rounding shifts on average is taken off the outputs (bias correction; Nagel et al., "Data-free quantization
    through weight equalization and bias correction", ICCV 2019).
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    shown: list[NDArray[np.float32]] = []

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
            picture = next(pictures, None)
            if picture is None:
                return None
            if len(shown) < _CORRECTED_OVER:
                shown.append(picture)
            return {"picture": picture}

    with tempfile.TemporaryDirectory(prefix="facecap-int8-") as folder:
        plain, ready, small = (Path(folder) / name for name in ("plain.onnx", "ready.onnx", "small.onnx"))
        plain.write_bytes(model)
        quant_pre_process(plain, ready)
        onnx.save(rewrite_first_layers(onnx.load(ready)), ready)
        # The output layer is a basis in metres: rounding it would move the face at rest.
        names = _find_last_products(ready)
        quantize_static(
            ready,
            small,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=scheme.bits == 7,
            weight_type=QuantType.QInt8 if scheme.signed else QuantType.QUInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_exclude=names,
            op_types_to_quantize=["Conv", "Relu", "Clip", "Add", "Flatten", "Concat", "Gemm"],
        )
        return _correct_bias(model, small.read_bytes(), shown)


def _correct_bias(model: bytes, small: bytes, pictures: list[NDArray[np.float32]]) -> bytes:
    """The quantised network with what its outputs are off by on average, over some pictures, taken off them."""
    wanted, found = (_run_network(network, pictures) for network in (model, small))
    changed = onnx.load_from_string(small)
    for output, right, wrong in zip(changed.graph.output, wanted, found, strict=True):
        off = (right - wrong).mean(0, dtype=np.float64).astype(np.float32)
        inside, shift = f"{output.name}_rounded", f"{output.name}_shift"
        for node in changed.graph.node:
            node.input[:] = [inside if name == output.name else name for name in node.input]
            node.output[:] = [inside if name == output.name else name for name in node.output]
        changed.graph.initializer.append(onnx.numpy_helper.from_array(off, shift))
        changed.graph.node.append(
            onnx.helper.make_node("Add", [inside, shift], [output.name], f"{output.name}_corrected")
        )
    return changed.SerializeToString()


def _run_network(network: bytes, pictures: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Of each output, its values over all pictures: (N, …) float32."""
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    every = [session.run(None, {"picture": picture}) for picture in pictures]
    return [np.concatenate([np.asarray(one[index]) for one in every]) for index in range(len(every[0]))]


def _find_last_products(path: Path) -> list[str]:
    """Matrix products that no other one follows."""
    names, leads_to_product = [], set()
    for node in reversed(onnx.load(path).graph.node):
        product = node.op_type in ("Gemm", "MatMul")
        followed = any(name in leads_to_product for name in node.output)
        if product and not followed:
            names.append(node.name)
        if product or followed:
            leads_to_product.update(node.input)
    return names
