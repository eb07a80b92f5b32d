"""Meng and Wen's networks and their baselines on the same shots, each trained for as long:

    python -m benchmarks.meng_networks [--seconds 72] [--minutes 4] [--networks meng,laine]

Each network learns in its preview size, and in as many epochs as fit into so many minutes of one processor core (an
epoch is measured first; what other programs do meanwhile does not count). "-paper" is as Meng and Wen have their
baselines: pictures as they are, not whitened, and a linear layer of 160 before that of the principal components.
Beside them stand the landmark fit, the frame of the training footage that looks most alike, the mean pose, and the
face of the frame before. Printed and kept in `benchmarks/results/`: vertex RMSE on test shots; motion D (equation 5),
and how far it is from the true one, over all frames and in transitions as in the paper's figures 15 to 18; these
figures and the losses by minutes (figure 9) as the guide's picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.equal_time import Variant, train_for
from benchmarks.ground_truth import embedding_of, observe_clip, response_of
from benchmarks.learned_actor import RESULTS, ROOT, actor_set
from benchmarks.meng_figures import Transition, draw_losses, draw_transitions, write_figure
from facecap_addon.arrays import F32
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.learn.data.frames import Frames, read_shot_frames, split_frames
from facecap_addon.learn.data.training_set import TrainingSet, open_set
from facecap_addon.render.device import use_threads
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.solvers.crop import PictureKind
from facecap_addon.solvers.solver import TrainedSolver

NARROW = 160
MOVING_M = 5e-4
TRANSITIONS = {
    "mouth opens": "jawOpen",
    "smile": "mouthSmileLeft",
    "mouth to the left": "mouthLeft",
    "blink": "eyeBlinkLeft",
}
_FRAMES, _RISE = 5, 0.35
"""The paper shows five frames of a transition; so much a key rises over them."""
_THUMBNAIL = PictureKind(40, 30)


VARIANTS = {
    "meng": Variant("meng"),
    "vgg-lstm": Variant("vgg-lstm"),
    "pointwise": Variant("pointwise"),
    "laine": Variant("laine"),
    "vgg-lstm-paper": Variant("vgg-lstm", whitened=False),
    "pointwise-paper": Variant("pointwise", whitened=False, narrow=NARROW),
    "laine-paper": Variant("laine", narrow=NARROW),
    "meng-images": Variant("meng", with_images=True),
    "meng-classes": Variant("meng", mining="semi-hard"),
}
USUAL = tuple(VARIANTS)[:7]


def say_nothing(*_: object) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True)
class Judges:
    """The test shots: frames as the benchmark names them, and true positions (N, M, 3) m of the vertices that move."""

    training_set: TrainingSet
    frames: Frames
    moving: NDArray[np.intp]
    wanted: F32

    def place(self, weights: F32) -> F32:
        """(N, M, 3) m of weights (N, K)."""
        return self.training_set.rig.vertices_at(weights)[:, self.moving].astype(np.float32)


def open_judges(training_set: TrainingSet) -> Judges:
    """Frames of the test shots, small and grey: what is the same for all networks."""
    frames = read_shot_frames(
        training_set, training_set.choose_judges(), _THUMBNAIL, say_nothing, kept_only=True
    )  # fmt: skip
    moving = np.flatnonzero(np.linalg.norm(training_set.rig.deltas, axis=2).max(0) > MOVING_M)
    return Judges(
        training_set, frames, moving, training_set.rig.vertices_at(frames.weights)[:, moving].astype(np.float32)
    )


def solve_with(out: Path, judges: Judges, threads: int) -> F32:
    """(N, M, 3) m that a solver gives, frame by frame, the state kept within shots."""
    bundle = load_bundle(out)
    solver = TrainedSolver(bundle, threads=threads)
    frames = read_shot_frames(
        judges.training_set, judges.frames.shots, bundle.facts.picture, say_nothing, kept_only=True
    )
    found = np.empty_like(judges.wanted)
    for i in range(frames.count):
        if i == 0 or frames.shot[i] != frames.shot[i - 1]:
            solver.start_shot()
        found[i] = solver.to_full_mesh(
            judges.training_set.rig, solver.solve_crop(frames.read_pictures(np.array([i]))[0])
        )[judges.moving]
    return found


def find_simple(judges: Judges) -> Iterator[tuple[str, F32]]:
    """What needs no network of its own: name and (N, M, 3) m."""
    rig, frames = judges.training_set.rig, judges.frames
    fitted = []
    for number, shot in enumerate(frames.shots):
        seen = observe_clip(
            judges.training_set.resolve_video(shot), fresh=True
        )  # shots of other sets have its name, too
        take = solve_take(
            seen, rig, embedding_of(rig, "sample_head"), FitSettings(match="weights"),
            response=response_of(rig, "sample_head"),
        )  # fmt: skip
        fitted.append(take.weights[frames.row[frames.shot == number]])
    yield "landmark fit", judges.place(np.concatenate(fitted))
    learned = split_frames(judges.training_set, _THUMBNAIL, say_nothing)[0]
    pictures = [one.read_pictures(np.arange(one.count)).reshape(one.count, -1) for one in (learned, frames)]
    known, given = (p.astype(np.float32) for p in pictures)
    nearest = ((known**2).sum(1) - 2 * given @ known.T).argmin(1)
    yield "most alike", judges.place(learned.weights[nearest])
    yield "mean pose", judges.place(np.tile(learned.weights.mean(0), (frames.count, 1)))
    before = np.maximum(np.arange(frames.count) - 1, 0)
    yield "frame before (true)", judges.wanted[before]


def measure_motion_mm(points: NDArray) -> NDArray:
    """(N - 1,) D: mean distance that vertices move to the next frame."""
    return 1000 * np.linalg.norm(np.diff(points, axis=0), axis=2).mean(1)


def find_transitions(judges: Judges) -> dict[str, list[int]]:
    """First frames of five over which a key rises, by the transition's name."""
    channels, frames = judges.training_set.rig.channels, judges.frames
    found = {}
    for name, channel in TRANSITIONS.items():
        key = frames.weights[:, channels.index(channel)]
        found[name] = [int(i) for i in frames.find_starts(_FRAMES + 1) if key[i + _FRAMES] - key[i] > _RISE]
    return found


def describe(found: F32, judges: Judges) -> list[str]:
    """Errors, and D and how far it is from the true one, over all frames and in transitions of a key."""
    inside = judges.frames.find_followed()
    given, true = measure_motion_mm(found), measure_motion_mm(judges.wanted)
    parts = {"all": inside}
    for name, starts in find_transitions(judges).items():
        parts[name] = np.isin(np.arange(len(inside)), [i + k for i in starts for k in range(_FRAMES)])
    rmse = 1000 * float(np.sqrt(((found - judges.wanted) ** 2).sum(-1).mean()))
    return [f"test RMSE of vertices that move {rmse:.2f} mm"] + [
        f"{name} ({part.sum()} frames): D {given[part].mean():.3f} mm a frame (true {true[part].mean():.3f}), "
        f"|D - true| {np.abs(given - true)[part].mean():.3f}"
        for name, part in parts.items()
        if part.any()
    ]


def choose_examples(judges: Judges) -> list[Transition]:
    """The strongest rise of each transition, with some frames before and after."""
    channels, frames = judges.training_set.rig.channels, judges.frames
    out = []
    for name, starts in find_transitions(judges).items():
        if starts:
            key = frames.weights[:, channels.index(TRANSITIONS[name])]
            best = max(starts, key=lambda i: key[i + _FRAMES] - key[i])
            out.append(Transition(name, max(best - 3, 0), min(best + _FRAMES + 3, frames.count - 1)))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=72.0)
    parser.add_argument("--minutes", type=float, default=4.0, help="of one core, for each network")
    parser.add_argument("--networks", help=f"some of {','.join(VARIANTS)}, or none: printed, not kept")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    folder = actor_set(options.seconds, threads=options.threads)
    training_set = open_set(folder)
    judges = open_judges(training_set)
    lines = [f"python -m benchmarks.meng_networks --seconds {options.seconds:g} --minutes {options.minutes:g}"]
    motion = {"true": measure_motion_mm(judges.wanted)}
    losses: dict[str, tuple[NDArray, list[float]]] = {}

    def note(name: str, said: list[str]) -> None:
        lines.extend(f"{name}: {line}" for line in said)
        print("\n".join(lines[-len(said) :]), flush=True)

    chosen = USUAL if options.networks is None else () if options.networks == "none" else options.networks.split(",")
    for name in chosen:
        out = folder / f"{name}-{options.minutes:g}min.facecap"
        trained = train_for(VARIANTS[name], training_set, out, options.minutes)
        found = solve_with(out, judges, options.threads)
        note(name, [*trained.lines, *describe(found, judges)])
        motion[name] = measure_motion_mm(found)
        count = len(trained.losses)
        losses[name] = (
            trained.began + (trained.minutes - trained.began) * np.arange(1, count + 1) / count,
            trained.losses,
        )
    for name, found in find_simple(judges):
        note(name, describe(found, judges))
        if name == "landmark fit":
            motion[name] = measure_motion_mm(found)
    if options.networks is not None:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "meng_networks.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    figure = np.concatenate([draw_transitions(choose_examples(judges), motion), draw_losses(losses)])
    write_figure(ROOT / "docs" / "images" / "learn-meng.png", figure)


if __name__ == "__main__":
    main()
