"""How fast trained solvers run: `python -m benchmarks.solver_speed`.

Networks of full size with random weights, batch 1: through `TrainedSolver`, as Blender's process runs them, and bare
onnxruntime on the same model. Laine's in fp32 and quantised on one core, embedding and LSTM on two; FACEGOOD's student
with crop and live filter, on one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnxruntime
import torch

from facecap_addon.learn.data.pca import PcaBasis
from facecap_addon.learn.export.onnx_export import quantise, to_onnx
from facecap_addon.learn.networks.dfcn.mobilenet import MobileNet
from facecap_addon.learn.networks.dfcn.task import POINTS
from facecap_addon.learn.networks.dfcn.train import Unscaled
from facecap_addon.learn.networks.laine.convolutional import HEIGHT, WIDTH, LaineNetwork
from facecap_addon.learn.networks.meng.facenet import EMBEDDING, FaceNet
from facecap_addon.learn.networks.meng.lstm import WeightLstm
from facecap_addon.solvers.bundle import SolverBundle, SolverFacts
from facecap_addon.solvers.crop import PictureKind
from facecap_addon.solvers.solver import TrainedSolver
from facecap_addon.takes.filters.apply import OnlineFilter, make_online_filter
from facecap_addon.takes.filters.options import FilterChoice

VERTICES, COMPONENTS, CHANNELS = 5000, 160, 52
ROUNDS = 60


def per_second(step: Callable[[], object]) -> float:
    """Best of three rounds."""
    for _ in range(8):
        step()
    found = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(ROUNDS // 3):
            step()
        found.append(ROUNDS // 3 / (time.perf_counter() - began))
    return max(found)


def facts(kind: str, picture: PictureKind) -> SolverFacts:
    """Facts of a solver."""
    channels = tuple(f"key{k}" for k in range(CHANNELS))
    return SolverFacts("speed", kind, (0.0, 0.0, 1.0, 1.0), None, picture, 0.5, 0.25, channels, VERTICES, {})


def bare(model: bytes, threads: int, picture: np.ndarray) -> Callable[[], object]:
    """A step of onnxruntime alone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"picture": picture})


def main() -> None:
    random = np.random.default_rng(0)
    frame = random.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    basis = PcaBasis(
        np.zeros(3 * VERTICES, np.float32),
        random.normal(size=(COMPONENTS, 3 * VERTICES)).astype(np.float32) * 1e-3,
        1.0,
    )
    torch.manual_seed(0)
    model = to_onnx(LaineNetwork(basis), {"picture": torch.zeros(1, 1, HEIGHT, WIDTH)}, ("vertices",))
    pictures = (random.normal(size=(1, 1, HEIGHT, WIDTH)).astype(np.float32) for _ in range(8))
    small = quantise(model, pictures)
    moving, neutral = np.arange(VERTICES, dtype=np.int32), np.zeros((VERTICES, 3), np.float32)
    bundle = SolverBundle(
        facts("mesh", PictureKind(HEIGHT, WIDTH)), {"mesh": model, "mesh.int8": small}, moving, neutral
    )
    for precision, network in (("fp32", model), ("int8", small)):
        solver = TrainedSolver(bundle, threads=1, precision=precision)
        with_all = per_second(lambda solver=solver: solver.solve(frame))
        alone = per_second(bare(network, 1, random.normal(size=(1, 1, HEIGHT, WIDTH)).astype(np.float32)))
        print(
            f"laine {precision}, one core: {with_all:.1f} frames a second with crop and whitening, "
            f"{alone:.1f} in onnxruntime alone ({1 - with_all / alone:.1%} slower)"
        )
    looking = to_onnx(FaceNet(), {"picture": torch.zeros(1, 3, 160, 160)}, ("embedding",))
    state = torch.zeros(1, 1, 256)
    step = {"embedding": torch.zeros(1, 1, EMBEDDING), "hidden": state, "cell": state.clone()}
    following = to_onnx(WeightLstm(EMBEDDING, torch.zeros(CHANNELS)), step, ("weights", "hidden_after", "cell_after"))
    both = replace(
        bundle,
        facts=facts("weights", PictureKind(160, 160, colour=True)),
        networks={"embedding": looking, "sequence": following},
    )
    small = quantise(looking, (random.normal(size=(1, 3, 160, 160)).astype(np.float32) for _ in range(8)))
    both = replace(both, networks={**both.networks, "embedding.int8": small})
    for precision, network in (("fp32", looking), ("int8", small)):
        solver = TrainedSolver(both, threads=2, precision=precision)
        with_all = per_second(lambda solver=solver: solver.solve(frame))
        alone = per_second(bare(network, 2, random.normal(size=(1, 3, 160, 160)).astype(np.float32)))
        print(
            f"embedding {precision} and LSTM, two cores: {with_all:.1f} frames a second, "
            f"{alone:.1f} in onnxruntime's embedding alone ({1 - with_all / alone:.1%} slower)"
        )
    student(frame, random)


def student(frame: np.ndarray, random: np.random.Generator) -> None:
    """FACEGOOD's student: crop, inference and the live filter."""
    picture = PictureKind(160, 160)
    network = Unscaled(MobileNet(CHANNELS + 2 * POINTS), CHANNELS)
    model = to_onnx(network, {"picture": torch.zeros(1, 1, 160, 160)}, ("weights", "landmarks"))
    small = quantise(model, (random.normal(size=(1, 1, 160, 160)).astype(np.float32) for _ in range(8)))
    bundle = SolverBundle(
        facts("weights", picture),
        {"face": model, "face.int8": small},
        np.zeros(0, np.int32),
        np.zeros((VERTICES, 3), np.float32),
    )
    for precision, network_bytes in (("fp32", model), ("int8", small)):
        solver, curve = TrainedSolver(bundle, threads=1, precision=precision), make_online_filter(FilterChoice())
        frames = 0

        def step(solver: TrainedSolver = solver, curve: OnlineFilter = curve) -> None:
            nonlocal frames
            frames += 1
            weights = solver.solve(frame)
            assert solver.landmarks is not None
            curve.step(frames / 60, np.concatenate([weights, solver.landmarks.ravel()]).astype(np.float64))

        with_all = per_second(step)
        alone = per_second(bare(network_bytes, 1, random.normal(size=(1, 1, 160, 160)).astype(np.float32)))
        print(
            f"student {precision}, one core: {with_all:.1f} frames a second with crop and filter, "
            f"{alone:.1f} in onnxruntime alone"
        )


if __name__ == "__main__":
    main()
