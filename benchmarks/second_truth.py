"""Accuracy against the rendered performance that is kept apart, across rigs; `benchmarks.render_truth` makes it first.

    python -m benchmarks.second_truth [--truth build/second_rom.npz] [--data ../shared/data]

Nothing was trained on it and nothing chosen by it: it says what the first truth's figures are worth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.ground_truth import (
    ROOT,
    accuracy_of,
    driven,
    embedding_of,
    observe_clip,
    read_truth,
    response_of,
    rmse_mm,
    show,
)
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--truth", type=Path, default=ROOT / "build" / "second_rom.npz")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options = parser.parse_args()
    truth = read_truth(options.truth, options.truth.with_suffix(".mp4"), options.data)
    nothing = rmse_mm(truth.rig_weights * 0, truth.rig_weights, truth.deltas)
    print(f"moving skin vertices {truth.deltas.shape[1]}; doing nothing {nothing:.2f} mm")
    rig, observations = sample_rig(), observe_clip(truth.clip)
    embedding, response = embedding_of(rig, "sample_head"), response_of(rig, "sample_head")
    for match in ("weights", "look"):
        take = solve_take(observations, rig, embedding, FitSettings(match=match), response=response)
        found = accuracy_of(take, driven(truth.rig_names, take.channels, take.weights), truth)
        show(f"across rigs, match {match}", found, 2.6, truth.focal_px)


if __name__ == "__main__":
    main()
