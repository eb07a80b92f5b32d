"""What 8-bit numbers cost and gain on this processor: `python -m benchmarks.eight_bits [SOLVER.facecap SET ...]`.

The same networks quantised three ways: signed 8-bit weights, signed 7-bit weights (what FaceCap writes), unsigned 8-bit
weights. For each: how far its answers are off those of 32-bit numbers; how far they are off what a processor gives that
cuts nothing off; and its speed, in multiples of 32 bits: the processor's own time, taken in turns.

What a processor gives that cuts nothing off is found on any: with 128 added to weights and their zero points the
numbers are the same, and onnxruntime adds products of unsigned weights in 32 bits everywhere, as VNNI does all.

Without arguments the networks are of full size with random weights. With trained solvers and the training sets they
belong to, these are quantised anew, and errors are in mm on validation shots. Printed, and kept in
`benchmarks/results/`.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from facecap_addon.learn.data.frames import read_shot_frames
from facecap_addon.learn.data.pca import PcaBasis
from facecap_addon.learn.data.training_set import TrainingSet, open_set
from facecap_addon.learn.export.onnx_export import Scheme, quantise, to_onnx
from facecap_addon.learn.networks.dfcn.mobilenet import MobileNet
from facecap_addon.learn.networks.laine.convolutional import HEIGHT, WIDTH, LaineNetwork
from facecap_addon.learn.networks.meng.facenet import FaceNet
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.solvers.probes import open_network, run_on_pictures

F32 = NDArray[np.float32]
RESULTS = Path(__file__).resolve().parent / "results" / "eight_bits.txt"
SCHEMES = {
    "signed, 8-bit weights": Scheme(signed=True, bits=8),
    "signed, 7-bit weights": Scheme(signed=True, bits=7),
    "unsigned, 8-bit weights": Scheme(signed=False, bits=8),
}
VERTICES, COMPONENTS, ROUNDS, CALIBRATED, EVALUATED = 5000, 160, 60, 24, 120


@dataclass(frozen=True)
class Case:
    """A 32-bit network, whitened pictures to find ranges from and to evaluate on, and what it is in mm.

    Attributes:
        truth: (N, V, 3) mm of the pictures evaluated, or None.  faces: what makes vertices in mm of outputs (N, …).
    """

    name: str
    model: bytes
    calibrate: F32
    evaluate: F32
    truth: F32 | None = None
    training_set: TrainingSet | None = None
    moving: NDArray[np.int32] | None = None

    def faces(self, found: F32) -> F32:
        """(N, M, 3) mm of outputs (N, …)."""
        assert self.training_set is not None and self.moving is not None
        rig = self.training_set.rig
        if len(self.moving):
            return 1000 * found.reshape(len(found), -1, 3)
        weights = found[:, : len(rig.channels)]
        return 1000 * np.stack([rig.vertices_at(np.clip(w, rig.ranges[:, 0], rig.ranges[:, 1])) for w in weights])


def processor() -> str:
    """Its name, and which instructions for 8-bit products it has."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    text = info.read_text(encoding="utf-8")
    facts = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in facts.items()}
    flags = named.get("flags", named.get("Features", "")).split()
    known = ("avx2", "avx512bw", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm")
    return f"{named.get('model name', platform.machine())}: " + ", ".join(
        f"{'' if flag in flags else 'no '}{flag}" for flag in known if flag in flags or flag in known[:4]
    )


def unsigned(model: bytes) -> bytes:
    """The same quantised network, 128 added to its signed weights and to their zero points."""
    loaded = onnx.load_from_string(model)
    held = {item.name: item for item in loaded.graph.initializer}
    for node in loaded.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in held:
            continue
        if held[node.input[0]].data_type == onnx.TensorProto.INT8:
            for name in (node.input[0], node.input[2]):
                values = numpy_helper.to_array(held[name]).astype(np.int16) + 128
                held[name].CopyFrom(numpy_helper.from_array(values.astype(np.uint8), name))
    return loaded.SerializeToString()


def drawn(channels: int, height: int, width: int, count: int, seed: int) -> F32:
    """(N, C, H, W) float32: smooth pictures with a little noise, whitened."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(count, channels, height // 8, width // 8)).astype(np.float32)
    large = [[cv2.resize(p, (width, height), interpolation=cv2.INTER_CUBIC) for p in planes] for planes in coarse]
    return (np.array(large) + 0.1 * random.normal(size=(count, channels, height, width))).astype(np.float32)


def untrained() -> Iterator[Case]:
    """The three networks that FaceCap quantises, of full size."""
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    basis = PcaBasis(
        np.zeros(3 * VERTICES, np.float32),
        random.normal(size=(COMPONENTS, 3 * VERTICES)).astype(np.float32) * 1e-3,
        1.0,
    )
    networks: tuple[tuple[str, torch.nn.Module, tuple[int, int, int]], ...] = (
        ("laine", LaineNetwork(basis), (1, HEIGHT, WIDTH)),
        ("meng's embedding", FaceNet(), (3, 160, 160)),
        ("dfcn's student", MobileNet(188), (1, 160, 160)),
    )
    for name, network, shape in networks:
        model = to_onnx(network, {"picture": torch.zeros(1, *shape)}, ("found",))
        yield Case(name, model, drawn(*shape, 8, 1), drawn(*shape, 6, 2))


def trained(path: Path, folder: Path) -> Case:
    """A solver's 32-bit network and its training set's pictures."""
    bundle, training_set = load_bundle(path), open_set(folder)
    table = bundle.facts.whitening.make_table()
    model = bundle.networks["mesh" if bundle.facts.kind == "mesh" else "face"]
    seen, truth = [], np.zeros(0, np.float32)
    validation = {shot.name for shot in training_set.choose_judges()}
    for evaluated, most in ((False, CALIBRATED), (True, EVALUATED)):
        shots = tuple(shot for shot in training_set.shots if (shot.name in validation) == evaluated)
        frames = read_shot_frames(training_set, shots, bundle.facts.picture, lambda *_: None)
        rows = np.unique(np.linspace(0, frames.count - 1, most).astype(np.intp))
        seen.append(table[frames.read_pictures(rows)])
        truth = np.stack([1000 * training_set.rig.vertices_at(w) for w in frames.weights[rows]])
    moving = bundle.moving
    chosen = truth[:, moving] if len(moving) else truth
    return Case(f"{path.stem}, trained", model, seen[0], seen[1], chosen.astype(np.float32), training_set, moving)


def rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def report(case: Case) -> Iterator[str]:
    """A line for each scheme."""
    sessions = {"32 bits": open_network(case.model, 1)}
    plain = run_on_pictures(sessions["32 bits"], case.evaluate)
    moved = rms(plain - plain.mean(0))
    said: dict[str, str] = {}
    if case.truth is not None:
        said["32 bits"] = f"{mm(case, plain):.3f} mm from the truth"
    for name, scheme in SCHEMES.items():
        model = quantise(case.model, (picture[None] for picture in case.calibrate), scheme)
        sessions[name] = open_network(model, 1)
        here, uncut = (
            run_on_pictures(sessions[name], case.evaluate),
            run_on_pictures(open_network(unsigned(model), 1), case.evaluate),
        )
        said[name] = (
            f"off 32 bits by {rms(here - plain) / moved:.1%} of the motion here, {rms(uncut - plain) / moved:.1%} "
            f"where nothing is cut off; largest difference of the two {np.abs(here - uncut).max() / moved:.2%}"
        )
        if case.truth is not None:
            said[name] += f"; {mm(case, here):.3f} mm from the truth here, {mm(case, uncut):.3f} where nothing is"
    seconds = dict.fromkeys(sessions, np.inf)
    for turn in range(ROUNDS):
        picture = case.evaluate[turn % len(case.evaluate)][None]
        for name, session in sessions.items():
            began = time.thread_time()
            session.run(None, {"picture": picture})
            seconds[name] = min(seconds[name], time.thread_time() - began)
    for name in sessions:
        yield f"{case.name}, {name}: {seconds['32 bits'] / seconds[name]:.2f} times the speed; {said.get(name, '')}"


def mm(case: Case, found: F32) -> float:
    """RMSE over vertices, mm."""
    assert case.truth is not None
    return float(np.sqrt(np.square(case.faces(found) - case.truth, dtype=np.float64).sum(-1).mean()))


def main() -> None:
    given = [Path(argument) for argument in sys.argv[1:]]
    lines = [f"{processor()}; onnxruntime {onnxruntime.__version__}, one thread"]
    print(lines[0], flush=True)
    cases = (trained(*given[i : i + 2]) for i in range(0, len(given), 2)) if given else untrained()
    for case in cases:
        for line in report(case):
            print(line, flush=True)
            lines.append(line)
    before = RESULTS.read_text(encoding="utf-8") + "\n" if given and RESULTS.is_file() else ""
    command = " ".join(["python -m benchmarks.eight_bits", *(path.name for path in given)])
    RESULTS.write_text("\n".join([before + command, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
