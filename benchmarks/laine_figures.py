"""Laine et al.'s network on a point cache, and their figure 9, each network for equally many minutes of one core:

    python -m benchmarks.laine_figures [--seconds 72] [--minutes 4]

A point cache holds what shape keys cannot say. The drawn actor of `benchmarks.learned_actor` gets one whose skin slides
over bumps: where the keys carry a vertex, a field of some millimetres lies that moves it once more. 160 principal
components are learned of it, as in the paper: by `laine`, by `dense`, their fully connected network (figure 9), and by
`ridge`; beside them `laine` on the same shots with the keys themselves as targets. Printed, and kept in
`benchmarks/results/laine_figures.txt`: vertex RMSE on test shots, that of the mean pose, and how near the character's
keys come to the cache at best.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.equal_time import Variant, train_epochs, train_for
from benchmarks.learned_actor import RESULTS, actor_set
from facecap_addon.arrays import F32
from facecap_addon.learn.data.training_set import TrainingSet, add_shot, open_set
from facecap_addon.learn.engine.mesh_targets import MOVING_M
from facecap_addon.render.device import use_threads
from facecap_addon.rig.blendshapes import BlendshapeRig

SLIDE_M, BUMPS_M = 0.003, 0.04
"""How far the field moves skin at most along each axis, and how far apart its bumps are."""
RUNS = (("keys", "laine"), ("cache", "laine"), ("cache", "dense"), ("cache", "ridge"))


def deform(rig: BlendshapeRig, weights: F32) -> F32:
    """(F, V, 3) float32 m of weights (F, K), skin sliding over bumps; at rest it lies where it lay."""
    placed = rig.vertices_at(weights)
    return (placed + _slide(placed) - _slide(rig.neutral)).astype(np.float32)


def _slide(places: F32) -> F32:
    """(…, 3) m: each axis moves by where on the next one a vertex is."""
    return SLIDE_M * np.sin(2 * np.pi / BUMPS_M * np.roll(places, -1, axis=-1))


def make_cache_set(training_set: TrainingSet, folder: Path) -> TrainingSet:
    """The same shots in a set of their own, with point caches as targets."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "shots").mkdir(parents=True)
    made = replace(training_set, folder=folder, shots=())
    for shot in training_set.shots:
        rows, video = training_set.read_rows(shot), str(training_set.resolve_video(shot).resolve())
        cached = replace(rows, weights=np.zeros_like(rows.weights))
        made = add_shot(made, replace(shot, video=video), cached, deform(training_set.rig, rows.weights))
    return made


def measure_beyond_keys_mm(training_set: TrainingSet) -> float:
    """RMSE of moving vertices of test shots that are as near to the cache as the character's keys come."""
    rig = training_set.rig
    moving = np.flatnonzero(np.linalg.norm(rig.deltas, axis=2).max(0) > MOVING_M)
    keys = rig.deltas[:, moving].reshape(len(rig.channels), -1).T.astype(np.float64)
    found = np.concatenate(
        [deform(rig, training_set.read_rows(shot).weights)[:, moving] for shot in training_set.choose_judges()]
    )
    away = (found - rig.neutral[moving]).reshape(len(found), -1).T.astype(np.float64)
    left = away - keys @ np.linalg.lstsq(keys, away, rcond=None)[0]
    return 1000 * float(np.sqrt(3 * np.square(left).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=72.0)
    parser.add_argument("--minutes", type=float, default=4.0, help="of one core, for each network")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    keys = open_set(actor_set(options.seconds, threads=options.threads))
    sets = {"keys": keys, "cache": make_cache_set(keys, keys.folder.with_name(f"{keys.folder.name}-cache"))}
    lines = [f"python -m benchmarks.laine_figures --seconds {options.seconds:g} --minutes {options.minutes:g}"]
    lines.append(f"the character's keys come as near to the cache as {measure_beyond_keys_mm(keys):.2f} mm, test shots")
    print("\n".join(lines), flush=True)
    for target, network in RUNS:
        out = sets[target].folder / f"{network}-{options.minutes:g}min.facecap"
        if network == "ridge":  # it has no epochs: it takes as long as it takes
            trained = train_epochs(Variant(network), sets[target], out, 1)
        else:
            trained = train_for(Variant(network), sets[target], out, options.minutes)
        lines += [f"{target}, {network}: {line}" for line in trained.lines]
        print("\n".join(lines[-len(trained.lines) :]), flush=True)
    (RESULTS / "laine_figures.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
