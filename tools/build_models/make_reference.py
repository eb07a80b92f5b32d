"""Makes the stored reference outputs with MediaPipe's own interpreter (needed only when the pinned wheel changes).

It needs the `mediapipe` package itself, which the project otherwise never installs. In an environment of its own:
`pip install mediapipe==0.10.21 torch tflite`, then `python -m tools.build_models.make_reference`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .networks import NETWORKS, Network
from .reference import REFERENCE_FILE, reference_pictures

# Detectors have thousands of anchors: the best ones and every 16th stand for all.
_BEST_ANCHORS = 32
_ANCHOR_STEP = 16


def run_mediapipe(tflite: Path, network: Network, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Outputs of a `.tflite` in MediaPipe's inference calculator (with its custom operations), one row per picture."""
    import mediapipe
    from google.protobuf import text_format
    from mediapipe.calculators.core import split_vector_calculator_pb2  # noqa: F401 (registers options)
    from mediapipe.calculators.tensor import inference_calculator_pb2, tensor_converter_calculator_pb2  # noqa: F401
    from mediapipe.framework import calculator_pb2
    from mediapipe.python import packet_creator, packet_getter
    from mediapipe.python._framework_bindings import calculator_graph

    count = len(network.labels)
    low, high = network.pixel_range
    ranges = " ".join(f"ranges: {{ begin: {i} end: {i + 1} }}" for i in range(count))
    split = " ".join(f'output_stream: "part{i}"' for i in range(count))
    text = f"""
        input_stream: "image"
        node {{ calculator: "TensorConverterCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:in"
          options {{ [mediapipe.TensorConverterCalculatorOptions.ext] {{
            output_tensor_float_range {{ min: {low} max: {high} }} }} }} }}
        node {{ calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:resolver" }}
        node {{ calculator: "InferenceCalculator" input_side_packet: "OP_RESOLVER:resolver"
          input_stream: "TENSORS:in" output_stream: "TENSORS:out"
          options {{ [mediapipe.InferenceCalculatorOptions.ext] {{
            model_path: "{tflite}" delegate {{ tflite {{}} }} }} }} }}
        node {{ calculator: "SplitTensorVectorCalculator" input_stream: "out" {split}
          options {{ [mediapipe.SplitVectorCalculatorOptions.ext] {{ {ranges} }} }} }}"""
    for i in range(count):
        text += f"""
        output_stream: "floats{i}"
        node {{ calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:part{i}"
          output_stream: "FLOATS:floats{i}" }}"""
    graph = calculator_graph.CalculatorGraph(
        graph_config=text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
    )
    received: dict[str, list[NDArray[np.float32]]] = {f"floats{i}": [] for i in range(count)}

    def receive(stream: str, packet: Any) -> None:
        received[stream].append(np.array(packet_getter.get_float_list(packet), dtype=np.float32))

    for stream in received:
        graph.observe_output_stream(stream, receive)
    graph.start_run()
    for i, picture in enumerate(pictures):
        packet = packet_creator.create_image_frame(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
        )
        graph.add_packet_to_input_stream("image", packet.at(i))
    graph.close_all_packet_sources()
    graph.wait_until_done()
    return [np.stack(rows) for rows in received.values()]


def main() -> int:
    """Write the reference file; 0 when done."""
    import mediapipe

    root = Path(mediapipe.__file__).resolve().parents[1]
    stored: dict[str, NDArray[Any]] = {}
    for network in NETWORKS:
        pictures = reference_pictures(network)
        outputs = run_mediapipe(root / network.member, network, pictures)
        if network.onnx_outputs == ("boxes", "scores"):
            row_count = outputs[1].shape[1]
            best = np.argsort(outputs[1].max(axis=0))[-_BEST_ANCHORS:]
            rows = np.union1d(best, np.arange(0, row_count, _ANCHOR_STEP))
            outputs = [output.reshape(len(pictures), row_count, -1)[:, rows] for output in outputs]
            stored[f"{network.name}/rows"] = rows.astype(np.int32)
            stored[f"{network.name}/row_count"] = np.array(row_count)
        for label, output in zip(network.labels, outputs, strict=True):
            stored[f"{network.name}/{label}"] = output
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **stored)
    temporary = REFERENCE_FILE.with_name(REFERENCE_FILE.name + ".partial")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(REFERENCE_FILE)
    print(f"{REFERENCE_FILE}: {len(buffer.getvalue()) / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
