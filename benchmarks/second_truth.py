"""Accuracy against the rendered performance that is kept apart, across rigs; `benchmarks.render_truth` makes it first.

    python -m benchmarks.second_truth [--truth build/second_rom.npz] [--data ../shared/data]

Nothing was trained on it and nothing chosen by it: it says what the first truth's figures are worth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.ground_truth import (
    MOVING_M,
    ROOT,
    SKIN,
    Truth,
    accuracy_of,
    driven,
    embedding_of,
    observe_clip,
    response_of,
    rmse_mm,
    show,
)
from benchmarks.ict import load_ict_rig
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.geometry.camera import focal_px_from_lens


def load_second_truth(path: Path, data: Path) -> Truth:
    """Read what `benchmarks.render_truth` wrote; `data`: the development data with the head's mesh."""
    with np.load(path, allow_pickle=False) as truth:
        deltas = truth["deltas_m"].astype(np.float32)[:, :SKIN]
        return Truth(
            clip=path.with_suffix(".mp4"),
            weights=truth["weights"],
            rig_names=tuple(str(name) for name in truth["rig_names"]),
            rig_weights=truth["rig_weights"],
            rig=load_ict_rig(data / "rig" / "ict_facekit_arkit.npz", truth["neutral_m"]),
            deltas=deltas[:, np.linalg.norm(deltas, axis=2).max(0) > MOVING_M],
            focal_px=focal_px_from_lens(float(truth["lens_mm"]), float(truth["sensor_mm"]), *truth["resolution"]),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--truth", type=Path, default=ROOT / "build" / "second_rom.npz")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options = parser.parse_args()
    truth = load_second_truth(options.truth, options.data)
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
