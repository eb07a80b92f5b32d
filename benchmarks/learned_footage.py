"""Real actors learned from their own landmark fits, and judged on footage that was kept apart:

    python -m benchmarks.learned_footage [--network meng] [--epochs 30]

Neither renderer drew these clips, and no true weights are known. The landmark fit solves the footage that is learned
from; the network trained on that, and the landmark fit, each solve other seconds (or another clip) of the same actor.
Both are judged as in `benchmarks.seen`: does the head show what the footage shows? Printed beside it: how far the
network's face is from the fit's, and motion D (Meng and Wen's equation 5) of the quarter of the frames in which the
footage moves least. Kept in `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.dlib_judge import has_dlib
from benchmarks.ground_truth import ROOT, embedding_of, observe_clip
from benchmarks.learned_actor import RESULTS, finished
from benchmarks.sample_head import sample_rig
from benchmarks.seen import Head, Seen, judge, rows_of
from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.solve import run as solve
from facecap_addon.jobs.training.dataset import run as add_to_set
from facecap_addon.jobs.training.train import run as train
from facecap_addon.landmarks.face_measures import align_faces, points_of
from facecap_addon.landmarks.observations import Observations
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take

WORK = ROOT / ".cache" / "learned_footage"
_CLIPS = ROOT.parent / "shared" / "data" / "clips"
_STILL_SHARE, _STILL_STEPS, _BETWEEN_S = 0.25, 3, 0.1
MOVING_M = 5e-4


@dataclass(frozen=True)
class Actor:
    """Footage of one actor.

    Attributes:
        train: clips that are learned from, up to `until` s where that is given.
        apart: the clip that judges, from a little after `until` on where that is given.
    """

    name: str
    train: tuple[str, ...]
    apart: str
    until: float | None = None


ACTORS = (
    Actor("f1", ("faces/f1.mp4",), "faces/f1.mp4", 22.0),
    Actor("f2", ("faces/f2.mp4",), "faces/f2.mp4", 8.0),
    Actor("s1", ("grid/s1_bbaf2n.mpg", "grid/s1_bwba7a.mpg", "grid/s1_pwij3s.mpg"), "grid/s1_pbac2p.mpg"),
)


def solve_clip(clip: str, out: Path, method: str, *, start: float | None = None, end: float | None = None) -> Path:
    """Solve some of a clip on the sample head; the take."""
    shutil.rmtree(out, ignore_errors=True)
    first, last = (None if at is None else f"{at}s" for at in (start, end))
    settings = SolveSettings(
        video=_CLIPS / clip, out=out, method=method, blend=False, report=False, live_link=False, threads=1,
        start=first, end=last,
    )  # fmt: skip
    finished(solve(settings))
    return next(out.glob("*.take.npz"))


def train_on(actor: Actor, network: str, epochs: int | None, folder: Path) -> Path:
    """The solver that learned from the actor's landmark fits."""
    training_set = folder / "set"
    shutil.rmtree(training_set, ignore_errors=True)
    for k, clip in enumerate(actor.train):
        take = solve_clip(clip, folder / f"train{k}", "landmarks", end=actor.until)
        finished(add_to_set(DatasetSettings(folder=training_set, take=take, use="train", threads=1)))
    out = training_set / f"{network}.facecap"
    settings = TrainSettings(
        folder=training_set, out=out, network=network, preset="preview", epochs=epochs, compare=False, threads=1,
        tensorboard=False,
    )  # fmt: skip
    print("\n".join(finished(train(settings)).lines), flush=True)  # type: ignore[attr-defined]
    return out


def find_still_steps(observations: Observations) -> NDArray[np.bool_]:
    """(N - 1,) the quarter of the steps about which the footage's landmarks move least, over seven frames."""
    points = align_faces(points_of(observations))
    moved = np.full(len(points) - 1, np.nan)
    for i in range(_STILL_STEPS, len(moved) - _STILL_STEPS):
        moved[i] = np.linalg.norm(points[i + _STILL_STEPS + 1] - points[i - _STILL_STEPS], axis=1).mean()
    return moved <= np.nanquantile(moved, _STILL_SHARE)


def describe(name: str, seen: Seen, take: Take, positions: NDArray[np.floating], still: NDArray[np.bool_]) -> str:
    """A line on one take."""
    motion = 1000 * np.linalg.norm(np.diff(positions, axis=0), axis=2).mean(1)
    dlib = "" if seen.dlib is None else f", dlib {seen.dlib.mean_correlation:.2f} and {seen.dlib.median_gain:.2f}"
    return (
        f"{name}, {len(take.time_s)} frames: correlation {seen.network.mean_correlation:.2f}, "
        f"gain {seen.network.median_gain:.2f}{dlib}; "
        f"D {motion.mean():.2f} mm a frame, at rest {motion[still].mean():.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--network", default="meng")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--actors", default=",".join(actor.name for actor in ACTORS))
    options = parser.parse_args()
    rig = sample_rig()
    head = Head(rig, embedding_of(rig, "sample_head"))
    moving = np.flatnonzero(np.linalg.norm(rig.deltas, axis=2).max(0) > MOVING_M)
    lines = [f"python -m benchmarks.learned_footage --network {options.network}"]
    if options.epochs:
        lines[0] += f" --epochs {options.epochs}"

    def note(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    for actor in (actor for actor in ACTORS if actor.name in options.actors.split(",")):
        folder = WORK / f"{actor.name}-{options.network}"
        solver = train_on(actor, options.network, options.epochs, folder)
        clip = _CLIPS / actor.apart
        placed = []
        for name, method in (("landmark fit", "landmarks"), (options.network, str(solver))):
            take = load_take(
                solve_clip(actor.apart, folder / "apart", method, start=actor.until and actor.until + _BETWEEN_S)
            )
            seen = rows_of(observe_clip(clip), take)
            found = judge(actor.name, clip, seen, take, head, dlib=has_dlib(), sheets=ROOT / "build" / "footage" / name)
            placed.append(rig.vertices_at(take.weights)[:, moving])
            note(f"{actor.name}: {describe(name, found, take, placed[-1], find_still_steps(seen))}")
        fitted = load_take(next((folder / "train0").glob("*.take.npz"))).weights
        rest = rig.vertices_at(fitted.mean(0, keepdims=True))[:, moving]
        apart, moved = (1000 * np.sqrt(((placed[0] - other) ** 2).sum(-1).mean()) for other in (placed[1], rest))
        note(f"{actor.name}: {options.network} lies {apart:.2f} mm from the fit, the mean face {moved:.2f} mm")
    (RESULTS / f"learned_footage_{options.network}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
