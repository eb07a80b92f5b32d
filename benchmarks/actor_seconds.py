"""How much footage of an actor does `ridge` need? `python -m benchmarks.actor_seconds`.

The drawn actor of `benchmarks.learned_actor`, learned from the first 12, 24, 48 and all 132 seconds of what is
learned from in 180, judged on the same test shots, whose faces are in none of it; frames are looked at once for all.
Printed, and kept in `benchmarks/results/actor_seconds.txt`: error on test shots, how many times less that is than the
mean pose's, minutes of equations; and the solver of all seconds beside the landmark fit.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from benchmarks.learned_actor import RESULTS, actor_set, finished
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.training.train_evaluation import compare_with_fit
from facecap_addon.jobs.training.train_report import write_train_report
from facecap_addon.learn.data.frames import Frames, read_judges
from facecap_addon.learn.data.training_set import open_set
from facecap_addon.learn.engine.distributed import ProcessGroup
from facecap_addon.learn.engine.training_run import TrainingRun
from facecap_addon.learn.networks.laine.train import judge_and_save
from facecap_addon.learn.networks.presets import get_preset
from facecap_addon.learn.networks.ridge.network import RidgeNetwork
from facecap_addon.learn.networks.ridge.solution import Scaling, solve_ridge
from facecap_addon.learn.networks.ridge.train import (
    View,
    find_views,
    measure_components,
    measure_error,
    plan_ridge,
    read_view,
)

SECONDS, BATCH = (12, 24, 48, 132), 32


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = actor_set(180.0, threads=options.threads)
    training_set, preset = open_set(folder), get_preset("preview", "ridge")
    out = folder / "ridge-preview.facecap"
    settings = TrainSettings(folder=folder, out=out, network="ridge", preset="preview", threads=options.threads)
    run = TrainingRun(settings, folder / "run", out, "", lambda *_: None, "cpu", ProcessGroup())
    plan = plan_ridge(run, training_set, preset)
    generator, size = torch.Generator().manual_seed(0), measure_components(plan.basis)

    def look(frames: Frames, view: View) -> tuple[np.ndarray, np.ndarray]:
        rows = [np.arange(i, min(i + BATCH, frames.count)) for i in range(0, frames.count, BATCH)]
        parts = [read_view(plan, frames, some, view, generator) for some in rows]
        return np.concatenate([seen for seen, _ in parts]), np.concatenate([wanted for _, wanted in parts])

    began = time.perf_counter()
    train = [look(plan.task.train_frames, view) for view in find_views(plan)]
    minutes = (time.perf_counter() - began) / 60
    assert plan.task.validation_frames is not None
    validation = look(plan.task.validation_frames, View())
    [judge] = read_judges(training_set, preset.picture, run.on_progress)
    tested, moving = look(judge.frames, View()), len(plan.task.targets.moving)
    mean_mm = plan.task.measure_mean_pose_mm(judge.frames)
    lines = ["python -m benchmarks.actor_seconds", f"{minutes:.1f} min to look at what is learned from, all of it"]
    network = plan.task.network
    assert isinstance(network, RidgeNetwork)
    for seconds in SECONDS:
        began = time.perf_counter()
        rows = np.flatnonzero(plan.task.train_frames.shot < round(seconds / 12))
        scaling = Scaling(train[0][0][rows[:: max(1, len(rows) // 400)]])
        parts = np.array_split(rows, max(1, len(rows) // 256))
        solution, penalty, _ = solve_ridge(
            lambda scaling=scaling, parts=parts: (
                (scaling.apply(seen[part]), wanted[part]) for seen, wanted in train for part in parts
            ),
            len(train) * len(rows),
            network.map.in_features + 1,
            lambda found, scaling=scaling: measure_error(scaling.apply(validation[0]), validation[1], size, found),
            lambda *_: None,
        )
        error_mm = 1000 * measure_error(scaling.apply(tested[0]), tested[1], size, solution) / np.sqrt(moving)
        lines.append(
            f"{seconds:3d} s: {error_mm:.2f} mm, the mean pose {mean_mm:.2f} mm ({mean_mm / error_mm:.1f} times), "
            f"penalty {penalty:g}, equations in {(time.perf_counter() - began) / 60:.1f} min"
        )
        print("\n".join(lines[-2:]) if seconds == SECONDS[0] else lines[-1], flush=True)
        weight, bias = scaling.unfold(solution)
        with torch.no_grad():
            network.map.weight.copy_(torch.from_numpy(weight.T))
            network.map.bias.copy_(torch.from_numpy(bias))
    report: dict[str, object] = {"network": "ridge", "preset": "preview"}
    lines += judge_and_save(run, training_set, preset, plan, report)
    comparison = finished(compare_with_fit(training_set, out, options.threads))
    lines += comparison.lines  # type: ignore[attr-defined]
    write_train_report(out.with_suffix(".report.html"), out.stem, lines, out.with_suffix(".png"), comparison)  # type: ignore[arg-type]
    print("\n".join(lines[2 + len(SECONDS) :]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "actor_seconds.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
