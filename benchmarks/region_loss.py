"""Are lips and lids nearer where a loss counts them more? `python -m benchmarks.region_loss [--times 1 4 8]`.

Laine et al. (section 5.3) miss a loss that is closer to what people look at. `laine` learns from the same shots for
equally many epochs with the plain one (1), and with ones that count vertices on lips and lids so many times, from
several seeds. Printed, and kept in `benchmarks/results/region_loss.txt`, on test shots: vertex RMSE of lips, of lids,
and of all that moves; how far gaps between lips and between lids are off.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from benchmarks.ground_truth import embedding_of
from benchmarks.learned_actor import RESULTS, actor_set
from benchmarks.meng_networks import Judges, open_judges, say_nothing, solve_with
from facecap_addon.arrays import F32
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.landmarks.layout import layout_of
from facecap_addon.learn.data.region_weights import find_edges, measure_reach, place_landmarks
from facecap_addon.learn.data.training_set import TrainingSet, open_set
from facecap_addon.learn.engine.distributed import ProcessGroup
from facecap_addon.learn.engine.training_run import TrainingRun
from facecap_addon.learn.networks.laine.train import train_meshes
from facecap_addon.learn.networks.presets import get_preset
from facecap_addon.render.device import use_threads
from facecap_addon.rig.embedding import LandmarkEmbedding

NEAR_M = 0.004
"""What is measured as theirs."""


def train_with(training_set: TrainingSet, embedding: LandmarkEmbedding, run_as: TrainSettings, out: Path) -> Path:
    """Train `laine`, unless it is there."""
    if out.is_file():
        return out
    folder = out.parent / f".{out.stem}.training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = TrainingRun(run_as, folder, out, "", say_nothing, "cpu", ProcessGroup(), embedding=embedding)
    train_meshes(run, training_set, get_preset("preview", "laine"))
    return out


def measure(judges: Judges, embedding: LandmarkEmbedding, found: F32) -> dict[str, float]:
    """Errors of what a solver gives (N, M, 3) m, and of gaps, mm."""
    rig, squared, figures = judges.training_set.rig, np.square(found - judges.wanted).sum(-1), dict[str, float]()
    rest = place_landmarks(rig, embedding, rig.neutral[None])[0]
    for name, (upper, lower) in find_edges(layout_of(embedding.scheme)).items():
        near = measure_reach(rig, rest[[*upper, *lower]])[judges.moving] < NEAR_M
        gaps = []
        for vertices in (found, judges.wanted):
            full = np.tile(rig.neutral, (len(vertices), 1, 1)).astype(np.float32)
            full[:, judges.moving] = vertices
            at = place_landmarks(rig, embedding, full)
            gaps.append(np.linalg.norm(at[:, upper] - at[:, lower], axis=2))
        figures[name] = 1000 * float(np.sqrt(squared[:, near].mean()))
        figures[f"gaps of {name}"] = 1000 * float(np.abs(gaps[0] - gaps[1]).mean())
    return {**figures, "all that moves": 1000 * float(np.sqrt(squared.mean()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=72.0)
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--times", type=float, nargs="+", default=[1.0, 8.0], help="how much more lips and lids count")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    training_set = open_set(actor_set(options.seconds, threads=options.threads))
    embedding, judges = embedding_of(training_set.rig, "sample_head"), open_judges(training_set)
    chosen = " ".join(f"{times:g}" for times in options.times)
    lines = [
        f"python -m benchmarks.region_loss --seconds {options.seconds:g} --epochs {options.epochs} --times {chosen} "
        f"--seeds {' '.join(map(str, options.seeds))}",
        "errors on test shots, mm",
    ]
    for seed in options.seeds:
        for times in options.times:
            out = training_set.folder / f"laine-{options.epochs}-lips-{times:g}-seed-{seed}.facecap"
            run_as = TrainSettings(
                folder=training_set.folder, preset="preview", epochs=options.epochs, seed=seed, lip_lid_weight=times,
                tensorboard=False,
            )  # fmt: skip
            found = solve_with(train_with(training_set, embedding, run_as, out), judges, options.threads)
            figures = measure(judges, embedding, found)
            told = ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
            lines.append(f"lips and lids {times:g} times, seed {seed}: {told}")
            print(lines[-1], flush=True)
    (RESULTS / "region_loss.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
