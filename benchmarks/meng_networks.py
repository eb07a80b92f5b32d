"""Meng and Wen's four networks on the same shots: `python -m benchmarks.meng_networks [--seconds 180] [--epochs N]`.

Their embedding with LSTM (learned from labelled images, and from the footage by how far faces differ and by class), the
1×1 variant, the 1×1 variant with LSTM trained together, and Laine et al.'s network, each in its preview size. Printed
and kept in `benchmarks/results/`: vertex RMSE and jitter D (equation 5) on test shots, how far D is from the true one,
in all frames and in transitions as in the paper's figures 15 to 18, how far apart classes lie in the embedding, and the
loss curves in one figure (the paper's figure 9).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled_images import draw_labelled_images
from benchmarks.learned_actor import RESULTS, SET, actor_set, finished
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.train import run as train
from facecap_addon.learn.data.frames import Frames, read_shot_frames
from facecap_addon.learn.data.training_set import TrainingSet, open_set
from facecap_addon.learn.engine.plots import draw_curves
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.solvers.solver import TrainedSolver

NETWORKS = ("meng", "meng-graded", "meng-classes", "vgg-lstm", "pointwise", "laine")
MINING = {"meng-graded": "graded", "meng-classes": "semi-hard"}
MOVING_M = 5e-4
TRANSITIONS = {
    "mouth opens": "jawOpen",
    "smile": "mouthSmileLeft",
    "mouth to the left": "mouthLeft",
    "blink": "eyeBlinkLeft",
}
_FRAMES, _RISE = 5, 0.35
"""The paper shows five frames of a transition; so much a key rises over them."""


def positions(solver: TrainedSolver, training_set: TrainingSet, frames: Frames, moving: NDArray) -> NDArray:
    """(N, M, 3) m of the vertices that move, frame by frame, the state kept within shots."""
    out = np.empty((frames.count, len(moving), 3), np.float32)
    for i in range(frames.count):
        if i == 0 or frames.shot[i] != frames.shot[i - 1]:
            solver.start_shot()
        found = solver.solve_crop(frames.read_pictures(np.array([i]))[0])
        out[i] = solver.to_full_mesh(training_set.rig, found)[moving]
    return out


def measure_motion_mm(points: NDArray) -> NDArray:
    """(N - 1,) D: mean distance that vertices move to the next frame."""
    return 1000 * np.linalg.norm(np.diff(points, axis=0), axis=2).mean(1)


def describe_motion(found: NDArray, wanted: NDArray, frames: Frames, channels: tuple[str, ...]) -> list[str]:
    """D and how far it is from the true one, over all frames and in transitions of a key."""
    inside = frames.find_followed()
    given, true = measure_motion_mm(found), measure_motion_mm(wanted)
    parts = {"all": inside}
    for name, channel in TRANSITIONS.items():
        if channel in channels:
            key = frames.weights[:, channels.index(channel)]
            starts = [i for i in frames.find_starts(_FRAMES + 1) if key[i + _FRAMES] - key[i] > _RISE]
            parts[name] = np.isin(np.arange(len(inside)), [i + k for i in starts for k in range(_FRAMES)])
    return [
        f"{name} ({part.sum()} frames): D {given[part].mean():.3f} mm a frame (true {true[part].mean():.3f}), "
        f"|D - true| {np.abs(given - true)[part].mean():.3f}"
        for name, part in parts.items()
        if part.any()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--networks", help=f"some of {','.join(NETWORKS)}: printed, not kept")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    folder = actor_set(options.seconds, threads=options.threads)
    training_set = open_set(folder)
    shots = training_set.choose_judges()
    moving = np.flatnonzero(np.linalg.norm(training_set.rig.deltas, axis=2).max(0) > MOVING_M)
    lines = [f"python -m benchmarks.meng_networks --seconds {options.seconds:g} --epochs {options.epochs}"]
    losses: dict[str, list[float]] = {}
    chosen = options.networks.split(",") if options.networks else NETWORKS
    images = draw_labelled_images(SET / "labelled_images") if "meng" in chosen else None
    for network in chosen:
        out = folder / f"{network}-{options.epochs}.facecap"
        settings = TrainSettings(
            folder=folder,
            out=out,
            network="meng" if network in MINING else network,
            mining=MINING.get(network, "auto"),
            preset="preview",
            epochs=options.epochs,
            compare=False,
            threads=options.threads,
            labelled_images=images if network == "meng" else None,
        )
        result = finished(train(settings))
        log = (out.parent / f".{out.stem}.training" / "log.jsonl").read_text(encoding="utf-8").splitlines()
        losses[network] = [json.loads(line)["loss"] for line in log]
        bundle = load_bundle(out)
        frames = read_shot_frames(training_set, shots, bundle.facts.picture, lambda *_: None, kept_only=True)
        found = positions(TrainedSolver(bundle, threads=options.threads), training_set, frames, moving)
        wanted = training_set.rig.vertices_at(frames.weights)[:, moving]
        rmse = 1000 * float(np.sqrt(((found - wanted) ** 2).sum(-1).mean()))
        lines += [f"{network}: {line}" for line in result.lines]  # type: ignore[attr-defined]
        lines.append(f"{network}: vertices that move, test RMSE {rmse:.2f} mm")
        lines += [f"{network}: {line}" for line in describe_motion(found, wanted, frames, training_set.rig.channels)]
        print("\n".join(line for line in lines if line.startswith(f"{network}: ")), flush=True)
    if options.networks:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "meng_networks.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    figure = draw_curves(losses, "training loss, cm2, by epoch (Meng and Wen, figure 9)")
    cv2.imwrite(str(RESULTS / "meng_losses.png"), cv2.cvtColor(figure, cv2.COLOR_RGB2BGR))
    picture = Path(folder / f".meng-{options.epochs}.training" / "embedding" / "progress.png")
    (RESULTS / "meng_embedding.png").write_bytes(picture.read_bytes())


if __name__ == "__main__":
    main()
