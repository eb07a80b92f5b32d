"""Are lips and lids nearer where a loss counts them more? `python -m benchmarks.region_loss [--minutes 4] [--times 8]`.

Laine et al. (section 5.3) miss a loss that is closer to what people look at. `laine` learns from the same shots for
equally long with the plain one, and with one that counts vertices on lips and lids so many times, the others less the
further from them. Printed, and kept in `benchmarks/results/region_loss.txt`, on test shots: vertex RMSE of lips, of
lids, and of all that moves; how far gaps between lips and between lids are off.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.equal_time import Variant, train_for
from benchmarks.ground_truth import embedding_of
from benchmarks.learned_actor import RESULTS, actor_set
from benchmarks.meng_networks import Judges, open_judges, say_nothing, solve_with
from facecap_addon.arrays import F32, F64
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.landmarks.layout import Layout, layout_of
from facecap_addon.learn.data.training_set import TrainingSet, open_set
from facecap_addon.learn.engine.distributed import ProcessGroup
from facecap_addon.learn.engine.losses import CM
from facecap_addon.learn.engine.training_run import TrainingRun
from facecap_addon.learn.networks.laine.bundle import MeshOptions, plan_mesh
from facecap_addon.learn.networks.laine.task import MeshTask
from facecap_addon.learn.networks.laine.train import judge_and_save
from facecap_addon.learn.networks.presets import get_preset
from facecap_addon.render.device import use_threads
from facecap_addon.rig.embedding import LandmarkEmbedding
from facecap_addon.solvers.bundle import load_bundle

BAND_M, NEAR_M = 0.006, 0.004
"""How far the weight reaches beyond lips and lids; what is measured as theirs."""


def find_landmarks(layout: Layout) -> dict[str, tuple[list[int], list[int]]]:
    """Landmarks of facing edges of lips and of lids, corners left out."""
    lids = ([*layout.upper_lid_right[1:-1], *layout.upper_lid_left[1:-1]],)
    lids += ([*layout.lower_lid_right[1:-1], *layout.lower_lid_left[1:-1]],)
    return {"lips": (list(layout.lips_inner_upper[1:-1]), list(layout.lips_inner_lower[1:-1])), "lids": lids}


def measure_reach(training_set: TrainingSet, embedding: LandmarkEmbedding, landmarks: list[int]) -> F64:
    """(V,) m of each vertex at rest to the nearest of some landmarks."""
    rig = training_set.rig
    at = place_landmarks(training_set, embedding, rig.neutral[None])[0, landmarks]
    return np.linalg.norm(rig.neutral[:, None] - at[None], axis=2).min(1)


def place_landmarks(training_set: TrainingSet, embedding: LandmarkEmbedding, vertices: F32) -> F32:
    """(F, L, 3) m of meshes (F, V, 3) m."""
    corners = vertices[:, training_set.rig.triangles[embedding.triangle]]
    return np.einsum("flcx,lc->flx", corners, embedding.barycentric)


@dataclass
class WeightedTask(MeshTask):
    """`laine`'s training, each coordinate counting by a weight (3 M,) of mean one."""

    weights: Tensor = field(default_factory=lambda: torch.ones(1))

    def measure_distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        """The loss, weighted, cm²."""
        return (((found - wanted) * CM).square() * self.weights).mean()


def train_weighted(training_set: TrainingSet, near_m: F64, times: float, epochs: int, out: Path) -> list[str]:
    """Train with the weighted loss; near_m: (V,) of lips and lids."""
    folder = out.parent / f".{out.stem}.training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = TrainSettings(folder=training_set.folder, preset="preview", epochs=epochs, tensorboard=False)
    run = TrainingRun(settings, folder, out, "", say_nothing, "cpu", ProcessGroup())
    preset = get_preset("preview", "laine")
    plan = plan_mesh(training_set, "laine", preset, say_nothing, MeshOptions(mirror=True, cutmix=True))
    weights = 1 + (times - 1) * np.exp(-np.square(near_m[plan.task.targets.moving] / BAND_M))
    task = WeightedTask(
        **vars(plan.task), weights=torch.from_numpy(weights / weights.mean()).float().repeat_interleave(3)
    )
    run.train(task, preset.schedule, run.make_options(preset.batch), "train", "weighted loss and validation error")
    return judge_and_save(run, training_set, preset, replace(plan, task=task), {"network": "laine", "epochs": epochs})


def describe(judges: Judges, embedding: LandmarkEmbedding, found: F32) -> str:
    """Errors of what a solver gives (N, M, 3) m, and of gaps."""
    training_set = judges.training_set
    squared = np.square(found - judges.wanted).sum(-1)
    parts = []
    for name, (upper, lower) in find_landmarks(layout_of(embedding.scheme)).items():
        near = measure_reach(training_set, embedding, [*upper, *lower])[judges.moving] < NEAR_M
        gaps = []
        for vertices in (found, judges.wanted):
            full = np.tile(training_set.rig.neutral, (len(vertices), 1, 1)).astype(np.float32)
            full[:, judges.moving] = vertices
            at = place_landmarks(training_set, embedding, full)
            gaps.append(np.linalg.norm(at[:, upper] - at[:, lower], axis=2))
        parts.append(
            f"{name} {1000 * np.sqrt(squared[:, near].mean()):.2f} mm ({near.sum()} vertices), their gaps off by "
            f"{1000 * np.abs(gaps[0] - gaps[1]).mean():.2f} mm"
        )
    return f"{'; '.join(parts)}; all that moves {1000 * np.sqrt(squared.mean()):.2f} mm"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=72.0)
    parser.add_argument("--minutes", type=float, default=4.0, help="of one core")
    parser.add_argument("--times", type=float, default=8.0, help="how much more lips and lids count")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    training_set = open_set(actor_set(options.seconds, threads=options.threads))
    embedding, judges = embedding_of(training_set.rig, "sample_head"), open_judges(training_set)
    plain = training_set.folder / f"laine-{options.minutes:g}min.facecap"
    if not plain.is_file():  # `benchmarks.laine_figures` trains the same one
        train_for(Variant("laine"), training_set, plain, options.minutes)
    epochs = load_bundle(plain).facts.report["epochs"]
    assert isinstance(epochs, int)
    edges = [i for upper, lower in find_landmarks(layout_of(embedding.scheme)).values() for i in (*upper, *lower)]
    weighted = training_set.folder / f"laine-weighted-{options.times:g}-{epochs}.facecap"
    train_weighted(training_set, measure_reach(training_set, embedding, edges), options.times, epochs, weighted)
    lines = [
        f"python -m benchmarks.region_loss --seconds {options.seconds:g} --minutes {options.minutes:g} "
        f"--times {options.times:g}",
        f"{epochs} epochs each",
    ]
    for name, out in (("plain", plain), (f"lips and lids {options.times:g} times", weighted)):
        lines.append(f"{name}: {describe(judges, embedding, solve_with(out, judges, options.threads))}")
    print("\n".join(lines))
    (RESULTS / "region_loss.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
