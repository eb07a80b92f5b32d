"""What distillation is worth where labels are wrong: `python -m benchmarks.distillation` (half an hour on one core).

The sample head is drawn in shots of six seconds. In four of thirteen the labels are spoilt as they are in practice:
late by four frames, left and right swapped, one key stuck, closed lips labelled open. One teacher learns from them, and
the same student learns from the labels alone, with the paper's threshold on the distance of the whole face (where that
finds anything), and with one on each number; with `--clean` also from clean labels. All are judged on clean labels of
shots that nobody has learned from. Chance is seeded and one thread computes, so the table comes out again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.learned_actor import RESULTS, ROOT, finished
from benchmarks.processor import processor
from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.training.dataset import run as make_set
from facecap_addon.learn.data.frames import Frames, fit_whitening, split_frames
from facecap_addon.learn.data.mirror import find_mirror
from facecap_addon.learn.data.training_set import TrainingSet, open_set
from facecap_addon.learn.engine.augment import fit_augmentation
from facecap_addon.learn.engine.mesh_targets import MeshTargets
from facecap_addon.learn.engine.schedule import Schedule
from facecap_addon.learn.engine.trainer import Options, train
from facecap_addon.learn.networks.dfcn.distillation import estimate_outlier, measure_distances
from facecap_addon.learn.networks.dfcn.inception_resnet import InceptionResNet
from facecap_addon.learn.networks.dfcn.mobilenet import MobileNet
from facecap_addon.learn.networks.dfcn.task import POINTS, FaceTask
from facecap_addon.learn.networks.dfcn.train import begin_at_mean, distil
from facecap_addon.learn.networks.presets import get_preset
from facecap_addon.render.device import use_threads

WORK = ROOT / ".cache" / "distillation"
SHOTS, VALIDATION, SHOT_S = 16, 3, 6.0
LATE, SWAPPED, STUCK, OPEN = 1, 4, 7, 10
"""Shots whose labels are spoilt; all four are speech."""
EMPHASIS, SEEDS = 1.5, (0, 1)
LATE_FRAMES, STUCK_AT, OPENED_BY = 4, 0.4, 0.35
EVERY = 2
"""Of so many frames one is used: neighbours teach little."""
TEACHER, STUDENT, AS_LONG = Schedule(18, 6, 2, 1e-3), Schedule(30, 10, 2, 4e-3), Schedule(90, 30, 2, 4e-3)
"""The last takes as long as the first two together."""


def drawn_set() -> TrainingSet:
    """The clean footage, made once."""
    folder = WORK / "set"
    for number in range(SHOTS):
        if not (folder / "shots" / f"drawn-{number:04d}.npz").is_file():
            use = "validation" if number >= SHOTS - VALIDATION else "train"
            finished(make_set(DatasetSettings(folder=folder, draw_seconds=SHOT_S, seed=number, use=use, threads=1)))
    return open_set(folder)


def spoil(weights: NDArray[np.float32], shot: NDArray[np.intp], channels: Sequence[str], swap: NDArray[np.intp]):
    """(N, K) labels with mistakes, and (N, K) bool where they are wrong by more than a twentieth."""
    out = weights.copy()
    late = np.flatnonzero(shot == LATE)
    out[late] = weights[late[np.maximum(np.arange(len(late)) - LATE_FRAMES // EVERY, 0)]]
    out[shot == SWAPPED] = weights[shot == SWAPPED][:, swap]
    out[shot == STUCK, channels.index("mouthPucker")] = STUCK_AT
    jaw, close = channels.index("jawOpen"), channels.index("mouthClose")
    closed = (shot == OPEN) & (weights[:, jaw] - weights[:, close] < 0.08)
    out[closed, jaw] += OPENED_BY
    return out, np.abs(out - weights) > 0.05


def thin_out(frames: Frames) -> Frames:
    """Some of the frames."""
    some = slice(None, None, EVERY)
    names = ("shot", "row", "weights", "face", "time_s", "points")
    return replace(frames, **{name: getattr(frames, name)[some] for name in names})


@dataclass(frozen=True)
class Footage:
    """What all networks share: frames with clean labels, and how they are seen.

    Attributes:
        training_set: the footage.  train_frames, judged: frames with clean labels.  threads: for torch.
    """

    training_set: TrainingSet
    train_frames: Frames
    judged: Frames

    def make_task(self, kind: str, weights: NDArray[np.float32], seed: int = 0) -> FaceTask:
        """A network of preview's size, before its training on labels (N, K)."""
        preset, rig = get_preset("preview", "dfcn"), self.training_set.rig
        frames = replace(self.train_frames, weights=weights)
        torch.manual_seed(seed)
        outputs, sizes = len(rig.channels) + 2 * POINTS, preset.faces
        network = (
            InceptionResNet(outputs, blocks=sizes.blocks, width=sizes.teacher_width)
            if kind == "teacher"
            else MobileNet(outputs, width=sizes.student_width)
        )
        targets = MeshTargets(self.training_set, frames, mirror=find_mirror(rig))
        limits = replace(fit_augmentation(frames.face), padding=True)
        task = FaceTask(network, frames, self.judged, targets, fit_whitening(frames), rig, limits)
        begin_at_mean(task)
        return task


def train_task(task: FaceTask, schedule: Schedule, name: str, seed: int = 0) -> dict[str, float]:
    """Train to the end, without a look at the clean labels; errors on these."""
    folder = WORK / "training" / name
    folder.mkdir(parents=True, exist_ok=True)
    judged, task.validation_frames = task.validation_frames, None
    began = time.monotonic()
    train(task, schedule, Options(batch=50, seed=seed), folder, lambda *_: None, lambda _: None, key=name)
    task.validation_frames = judged
    errors = task.evaluate()
    print(f"{name}: {errors['rmse_mm']:.3f} mm in {time.monotonic() - began:.0f} s", flush=True)
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clean", action="store_true", help="train a student on clean labels, too, for comparison")
    options = parser.parse_args()
    use_threads(1)
    training_set = drawn_set()
    preset = get_preset("preview", "dfcn")
    train_frames, judged = split_frames(training_set, preset.picture, lambda *_: None)
    assert judged is not None
    footage = Footage(training_set, thin_out(train_frames), thin_out(judged))
    rig = training_set.rig
    mirror = find_mirror(rig)
    assert mirror is not None
    clean = footage.train_frames.weights
    spoilt, wrong = spoil(clean, footage.train_frames.shot, rig.channels, mirror.channels)
    lines = ["python -m benchmarks.distillation", processor()]
    teacher = footage.make_task("teacher", spoilt)
    errors = {"teacher": train_task(teacher, TEACHER, "spoilt-teacher")}
    for name, judge in (("the whole face", distil_whole), ("each number", distil_each)):
        for seed in SEEDS:
            student = footage.make_task("student", spoilt, seed)
            judge(student, teacher)
            assert student.wrong is not None
            if seed == SEEDS[0]:
                lines.append(describe_flags(name, student.wrong[:, : clean.shape[1]], wrong))
            if student.wrong.any():
                folder = f"spoilt-{name.replace(' ', '-')}{'' if not seed else f'-{seed}'}"
                errors[f"student distilled, by {name}, seed {seed}"] = train_task(student, STUDENT, folder, seed)
    for seed in SEEDS:
        student, folder = footage.make_task("student", spoilt, seed), f"spoilt{'' if not seed else f'-{seed}'}"
        errors[f"plain student, seed {seed}"] = train_task(student, STUDENT, folder, seed)
    longer = footage.make_task("student", spoilt)
    errors[f"plain student, {AS_LONG.epochs} epochs, about as long as teacher and student"] = train_task(
        longer, AS_LONG, "spoilt-long"
    )
    if options.clean:
        errors["plain student, clean labels"] = train_task(footage.make_task("student", clean), STUDENT, "clean")
    lines += [
        f"{name}: {error['rmse_mm']:.3f} mm, landmarks {error['landmarks_percent']:.2f} percent of the picture"
        for name, error in errors.items()
    ]
    print("\n".join(lines))
    (RESULTS / "dfcn_distillation.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def distil_whole(student: FaceTask, teacher: FaceTask) -> None:
    """The paper's own: a label is wrong as a whole, beyond an estimated distance."""
    rows = np.arange(teacher.train_frames.count)
    labels, said = teacher.make_labels(teacher.train_frames, rows), teacher.predict(teacher.train_frames, rows)
    distil(student, teacher, EMPHASIS, estimate_outlier(measure_distances(labels, said)), None)


def distil_each(student: FaceTask, teacher: FaceTask) -> None:
    """Each number of a label is judged for itself."""
    for line in distil(student, teacher, EMPHASIS, None, None)[0]:
        print(line)


def describe_flags(kind: str, found: NDArray[np.bool_], truly: NDArray[np.bool_]) -> str:
    """How many of the wrong numbers are found, and how many right ones are suspected."""
    return (
        f"judged by {kind}: {found[truly].mean():.1%} of {truly.sum()} wrong numbers found, "
        f"{found[~truly].mean():.2%} of {(~truly).sum()} right ones suspected"
    )


if __name__ == "__main__":
    main()
