"""An actor learned and judged against the truth: `python -m benchmarks.learned_actor [--preset preview]`.

The sample head is drawn under varied curves; whole shots are held out. Printed, and kept in `benchmarks/results/` with
the training's picture: held-out vertex RMSE, that of the mean pose, minutes, share of time waiting for data, the
largest difference between torch and ONNX, and what quantising costs.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from facecap_addon.jobs.dataset import run as make_set
from facecap_addon.jobs.dataset_settings import DatasetSettings
from facecap_addon.jobs.train import run as train
from facecap_addon.jobs.train_settings import TrainSettings
from facecap_addon.learn.bundle import load_bundle

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


def actor_set(seconds: float) -> Path:
    """The drawn training set, made once."""
    folder = SET / f"{seconds:g}s"
    if not (folder / "sheet.png").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        finished(make_set(DatasetSettings(folder=folder, draw_seconds=seconds)))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--preset", choices=("preview", "full"), default="preview")
    parser.add_argument("--network", default="laine")
    options = parser.parse_args()
    folder = actor_set(options.seconds)
    out = folder / f"{options.network}-{options.preset}.facecap"
    shutil.rmtree(out.parent / f".{out.stem}.training", ignore_errors=True)
    began = time.perf_counter()
    settings = TrainSettings(
        folder=folder, out=out, network=options.network, preset=options.preset, int8=options.network == "laine"
    )
    result = finished(train(settings))
    minutes = (time.perf_counter() - began) / 60
    report = load_bundle(out).facts.report
    lines = [
        f"python -m benchmarks.learned_actor --seconds {options.seconds:g} --preset {options.preset} "
        f"--network {options.network}",
        f"{minutes:.1f} minutes in all",
        *result.lines,  # type: ignore[attr-defined]
        *(f"{name}: {value:.4g}" for name, value in report.items() if isinstance(value, float)),
    ]
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    name = f"{options.network}_{options.preset}"
    (RESULTS / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copy(result.picture, RESULTS / f"{name}.png")  # type: ignore[attr-defined]
    shutil.copy(result.picture.parent / "log.jsonl", RESULTS / f"{name}.jsonl")  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
