"""How much footage of an actor does it take? `python -m benchmarks.actor_seconds [--networks ridge,laine]`.

The drawn actor of `benchmarks.learned_actor`, learned from the first 12, 24, 48, 96 and all seconds of what is learned
from in 180, and judged on the same test shots, whose faces are in none of it. Printed, and kept in
`benchmarks/results/actor_seconds.txt`: error on test shots, how many times less that is than the mean pose's, minutes.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.learned_actor import RESULTS, actor_set, finished
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.train import run as train
from facecap_addon.learn.data.training_set import open_set, save_set
from facecap_addon.solvers.bundle import load_bundle

SECONDS = (12, 24, 48, 96, 132)


def take_part(whole: Path, seconds: float) -> Path:
    """A set that learns from the first so many seconds of another, and shares its footage and pictures."""
    part = whole.parent / f"{whole.name}-{seconds:g}"
    part.mkdir(exist_ok=True)
    for name in ("rig.npz", "shots", "footage", "pictures"):
        (whole / name).mkdir(exist_ok=True) if name == "pictures" else None
        if not (part / name).exists():
            (part / name).symlink_to(whole / name)
    training_set = open_set(whole)
    kept, splits = 0.0, training_set.split_shots()
    chosen = [*splits.validation, *splits.test]
    for shot in splits.train:
        if kept < seconds - 1e-6:
            chosen.append(shot)
            kept += shot.frames / training_set.measure_rate(shot)
    shots = tuple(shot for shot in training_set.shots if shot in chosen)
    save_set(replace(training_set, folder=part, shots=shots))
    return part


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", default="ridge")
    parser.add_argument("--seconds", default=",".join(map(str, SECONDS)))
    parser.add_argument("--epochs", type=int, help="of networks that learn in epochs")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    whole = actor_set(180.0, threads=options.threads)
    given = "".join(f" --{k} {v}" for k, v in vars(options).items() if v is not None and v != parser.get_default(k))
    lines = [f"python -m benchmarks.actor_seconds{given}"]
    for network in options.networks.split(","):
        for seconds in map(float, options.seconds.split(",")):
            folder = take_part(whole, seconds)
            out = folder / f"{network}.facecap"
            began = time.perf_counter()
            finished(
                train(
                    TrainSettings(
                        folder=folder,
                        out=out,
                        network=network,
                        preset="preview",
                        epochs=options.epochs,
                        compare=False,
                        threads=options.threads,
                    )
                )
            )
            minutes, report = (time.perf_counter() - began) / 60, load_bundle(out).facts.report
            lines.append(
                f"{network}, {seconds:g} s: {report['rmse_mm']:.2f} mm, the mean pose {report['mean_pose_mm']:.2f} mm "
                f"({report['mean_pose_mm'] / report['rmse_mm']:.1f} times), {minutes:.1f} min"
            )
            print(lines[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "actor_seconds.txt"
    before = path.read_text(encoding="utf-8") if path.is_file() and given else ""
    path.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
