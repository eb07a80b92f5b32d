"""An actor learned and evaluated against the truth: `python -m benchmarks.learned_actor [--preset preview] [--side]`.

The sample head is drawn under varied curves; whole shots are for validation and test. Printed, and kept in
`benchmarks/results/` with the training's picture: vertex RMSE on test shots, that of the mean pose, minutes, share of
time waiting for data, the largest difference between torch and ONNX, what quantising costs, and how well a jaw that is
pushed forward is seen: from the front it hardly is, which is why Laine et al. (section 5.1) ask for a camera from the
side (`--side`).
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np

from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.training.dataset import run as make_set
from facecap_addon.jobs.training.train import run as train
from facecap_addon.learn.data.frames import read_shot_frames
from facecap_addon.learn.data.training_set import open_set
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.solvers.solver import TrainedSolver

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SET = ROOT / ".cache" / "learned_actor"


def finished(job: object) -> object:
    """Run a job to its end; returns its result."""
    while True:
        try:
            next(job)  # type: ignore[call-overload]
        except StopIteration as stop:
            return stop.value


def actor_set(seconds: float, *, side: bool = False, threads: int = 2) -> Path:
    """The drawn training set, made once."""
    folder = SET / (f"{seconds:g}s-side" if side else f"{seconds:g}s")
    if not (folder / "sheet.png").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        finished(make_set(DatasetSettings(folder=folder, draw_seconds=seconds, side=side, threads=threads)))
    return folder


def jaw_forward(folder: Path, out: Path) -> str:
    """How far the forward key of what a solver gives follows the true one on test shots: their correlation."""
    bundle, training_set = load_bundle(out), open_set(folder)
    if (
        bundle.facts.kind != "mesh"
        or bundle.facts.aligned_eyes is not None
        or "jawForward" not in training_set.rig.channels
    ):
        return ""
    shots, picture = training_set.choose_judges(), bundle.facts.picture
    frames = read_shot_frames(training_set, shots, picture, lambda *_: None, kept_only=True)
    solver, moving = TrainedSolver(bundle, threads=2), bundle.moving
    found = np.stack([solver.solve_crop(frames.read_pictures(np.array([i]))[0]).ravel() for i in range(frames.count)])
    keys = training_set.rig.deltas[:, moving].reshape(len(training_set.rig.channels), -1).astype(np.float64)
    products = keys @ keys.T
    ridge = 1e-6 * np.trace(products) / len(keys) * np.eye(len(keys))
    weights = np.linalg.solve(products + ridge, keys @ (found - training_set.rig.neutral[moving].ravel()).T).T
    k = training_set.rig.channels.index("jawForward")
    true = frames.weights[:, k]
    return f"jawForward: correlation with the truth {np.corrcoef(weights[:, k], true)[0, 1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--preset", choices=("preview", "full"), default="preview")
    parser.add_argument("--network", default="laine")
    parser.add_argument("--side", action="store_true")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    folder = actor_set(options.seconds, side=options.side, threads=options.threads)
    out = folder / f"{options.network}-{options.preset}.facecap"
    shutil.rmtree(out.parent / f".{out.stem}.training", ignore_errors=True)
    began = time.perf_counter()
    settings = TrainSettings(
        folder=folder,
        out=out,
        network=options.network,
        preset=options.preset,
        int8=options.network in ("laine", "dfcn"),
        compare=not options.side and options.epochs is None,
        epochs=options.epochs,
        threads=options.threads,
    )
    result = finished(train(settings))
    minutes = (time.perf_counter() - began) / 60
    report = load_bundle(out).facts.report
    lines = [
        f"python -m benchmarks.learned_actor --seconds {options.seconds:g} --preset {options.preset} "
        f"--network {options.network}{' --side' if options.side else ''}"
        + (f" --epochs {options.epochs}" if options.epochs else ""),
        f"{minutes:.1f} minutes in all",
        *result.lines,  # type: ignore[attr-defined]
        *(f"{name}: {value:.4g}" for name, value in report.items() if isinstance(value, float)),
        jaw_forward(folder, out),
    ]
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    name = f"{options.network}_{options.preset}{'_side' if options.side else ''}"
    if options.epochs:
        name += f"_{options.seconds:g}s_{options.epochs}"
    (RESULTS / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copy(result.picture, RESULTS / f"{name}.png")  # type: ignore[attr-defined]
    log = result.picture.parent / "log.jsonl"  # type: ignore[attr-defined]
    if log.is_file():
        shutil.copy(log, RESULTS / f"{name}.jsonl")


if __name__ == "__main__":
    main()
