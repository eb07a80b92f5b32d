"""The frames of a training set: their pictures from disk, what the face does in them, and how they are whitened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, Rows
from ...errors import FacecapError
from ...solvers.crop import PictureKind
from ...solvers.whitening import Whitening
from .crops import frame_shot, prepare_pictures
from .overlaps import check_kept_frames, find_kept_frames
from .training_set import ShotFacts, TrainingSet

_WHITENING_FRAMES, _EXAMPLES, _SAME_RATE = 400, 200, 0.1
_GAP_STEPS = 1.75
"""Frames of a shot further apart than so many of its usual steps do not follow each other."""


@dataclass(frozen=True)
class Frames:
    """Frames of some shots, one after the other.

    Attributes:
        shots: facts.  shot: (N,) int, whose frame it is.  row: (N,) int, row within the shot.
        pictures: per shot (F, C, H, W) uint8, mapped from disk.
        weights: (N, K) float32.  vertices: per shot (F, V, 3) float32 m, mapped, or None where weights are the target.
        face: (N, 3, 2) float32, see `ShotRows`, in parts of the crop.  time_s: (N,).
        points: (N, 68, 2) float32, the same; (N, 0, 2) in sets of older versions.
    """

    shots: tuple[ShotFacts, ...]
    shot: Rows
    row: Rows
    pictures: list[NDArray[np.uint8]]
    weights: F32
    vertices: list[F32 | None]
    face: F32
    time_s: NDArray[np.float64]
    points: F32

    @property
    def count(self) -> int:
        return len(self.shot)

    def read_pictures(self, frames: Rows) -> NDArray[np.uint8]:
        """(B, C, H, W) uint8."""
        return np.stack([self.pictures[self.shot[i]][self.row[i]] for i in frames])

    def find_followed(self) -> NDArray[np.bool_]:
        """(N - 1,) whether the next frame is of the same shot and was taken right after."""
        steps = np.diff(self.time_s)
        followed = (np.diff(self.shot) == 0) & (np.diff(self.row) == 1)
        for shot in np.unique(self.shot[:-1][followed]):
            of_shot = followed & (self.shot[:-1] == shot)
            followed &= ~of_shot | (steps <= _GAP_STEPS * np.median(steps[of_shot]))
        return followed

    def find_starts(self, length: int) -> Rows:
        """Frames from which `length` frames of the same shot follow without a gap."""
        gaps = np.concatenate([[0], np.cumsum(~self.find_followed())])
        return np.flatnonzero(gaps[length - 1 :] == gaps[: max(self.count - length + 1, 0)])


def read_shot_frames(
    training_set: TrainingSet,
    shots: tuple[ShotFacts, ...],
    kind: PictureKind,
    on_progress: Callable[[int, int], None],
    *,
    kept_only: bool = False,
) -> Frames:
    """Frames of some shots that show a face, pictures cut now or as kept.

    Args:
        on_progress: called with frames done and frames in all; it may raise to cancel.
        kept_only: of shots for validation or test, leave out what other shots learn from, too.
    """
    total, done = sum(shot.frames for shot in shots), 0
    parts: list[tuple[Rows, Rows, F32, F32, NDArray[np.float64], F32]] = []
    pictures, vertices = [], []
    for i, shot in enumerate(shots):
        front = prepare_pictures(training_set, shot, kind, lambda n, done=done: on_progress(done + n, total))
        if shot.side_video is not None:
            aside = prepare_pictures(training_set, shot, kind, lambda _: None, side=True)
            pictures.append(_TwoCameras(front, aside))
        else:
            pictures.append(front)
        vertices.append(training_set.read_vertices(shot))
        rows = training_set.read_rows(shot)
        kept = find_kept_frames(training_set, shot) if kept_only else True
        seen = np.flatnonzero(np.isfinite(rows.box).all(1) & kept)
        crop = frame_shot(training_set, shot, kind)
        face, points = (((at[seen] - crop[:2]) / crop[2:]).astype(np.float32) for at in (rows.face, rows.points))
        parts.append((np.full(len(seen), i), seen, rows.weights[seen], face, rows.time_s[seen], points))
        done += shot.frames
    if not parts or not sum(len(part[0]) for part in parts):
        raise FacecapError("No frame of the training set shows a face.", "Look at its contact sheet.")
    if len({part[5].shape[1] for part in parts}) > 1:  # some shots are of an older version
        parts = [(*part[:5], part[5][:, :0]) for part in parts]
    shot_of, row, weights, face, time_s, points = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Frames(shots, shot_of, row, pictures, weights, vertices, face, time_s, points)


def split_frames(
    training_set: TrainingSet, kind: PictureKind, on_progress: Callable[[str, int, int], None]
) -> tuple[Frames, Frames | None]:
    """Frames to train on and frames that choose the checkpoint, if there are any; pictures prepared.

    Args:
        on_progress: told ("pictures", frames done, frames in all); it may raise to cancel.
    """
    check_kept_frames(training_set)
    check_cameras(training_set)
    splits = training_set.split_shots()
    done = sum(shot.frames for shot in splits.train)
    total = done + sum(shot.frames for shot in splits.validation)
    train_frames = read_shot_frames(training_set, splits.train, kind, lambda n, _: on_progress("pictures", n, total))
    if not splits.validation:
        return train_frames, None
    return train_frames, read_shot_frames(
        training_set, splits.validation, kind, lambda n, _: on_progress("pictures", done + n, total),
        kept_only=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Judge:
    """Frames of a kind that say how good a solver is.

    Attributes:
        label: for people, what shots they are.  is_drawn: whether our renderer drew them.
        is_test: False if they also chose the checkpoint, which makes them too kind.
    """

    label: str
    is_drawn: bool
    is_test: bool
    frames: Frames

    def name_figures(self, figures: dict[str, float], known: dict[str, object]) -> dict[str, object]:
        """Figures under the names a solver's report gives them: plain ones are those of the first judge."""
        if "judged_on" not in known:
            return {**figures, "judged_on": self.label.lower()}
        return {f"{'rendered' if self.is_drawn else 'recorded'}_{name}": value for name, value in figures.items()}


def read_judges(
    training_set: TrainingSet, kind: PictureKind, on_progress: Callable[[str, int, int], None]
) -> list[Judge]:
    """What says how good a solver is, recorded footage before drawn; none where all is learned from.

    Args:
        on_progress: told ("pictures", frames done, frames in all); it may raise to cancel.
    """
    splits, judges = training_set.split_shots(), list[Judge]()
    for drawn in (False, True):
        shots = tuple(shot for shot in training_set.choose_judges() if shot.is_drawn == drawn)
        if not shots:
            continue
        is_test = shots[0] in splits.test
        frames = read_shot_frames(
            training_set, shots, kind, lambda n, total: on_progress("pictures", n, total), kept_only=True
        )
        label = f"{'Rendered' if drawn else 'Recorded'} {'test' if is_test else 'validation'} shots"
        judges.append(Judge(label, drawn, is_test, frames))
    return judges


def check_cameras(training_set: TrainingSet) -> None:
    """Raises FacecapError where some shots have footage of a second camera, and others none."""
    alone = [shot.name for shot in training_set.shots if shot.side_video is None]
    if alone and len(alone) < len(training_set.shots):
        raise FacecapError(
            f"Some shots of the set were seen from the side, too, but not {', '.join(alone[:3])}"
            f"{' and others' if len(alone) > 3 else ''}.",
            "Add these again with --side-video (rendered ones with --side), or keep one-camera shots in another set.",
        )


def split_into_phases(training_set: TrainingSet, frames: Frames) -> Frames:
    """Frames whose rows follow each other at the set's slowest rate, for networks that learn motion.

    A shot that is twice as fast becomes two, of its even and of its odd frames: nothing of it is lost.

    Raises:
        FacecapError: a shot's rate is no multiple of the slowest one.
    """
    slowest = training_set.find_rate()
    parts: list[tuple[int, int, int]] = []  # shot, step, phase
    for number, shot in enumerate(frames.shots):
        ratio = training_set.measure_rate(shot) / slowest
        step = max(1, round(ratio))
        if abs(ratio / step - 1) > _SAME_RATE:
            raise FacecapError(
                f"{shot.name} has {slowest * ratio:.4g} frames per second and another shot {slowest:.4g}; this network "
                "learns motion from frame to frame, which has to last as long in all.",
                "Convert the footage to one rate, or train dfcn or laine, which look at one frame at a time.",
            )
        parts += [(number, step, phase) for phase in range(step)]
    if len(parts) == len(frames.shots):
        return frames
    rows = [np.flatnonzero((frames.shot == number) & (frames.row % step == phase)) for number, step, phase in parts]
    every = np.concatenate(rows)
    return replace(
        frames,
        shots=tuple(frames.shots[number] for number, _, _ in parts),
        shot=np.concatenate([np.full(len(some), i) for i, some in enumerate(rows)]),
        row=np.concatenate([frames.row[some] // part[1] for some, part in zip(rows, parts, strict=True)]),
        pictures=[frames.pictures[number][phase::step] for number, step, phase in parts],
        vertices=[None if (v := frames.vertices[number]) is None else v[phase::step] for number, step, phase in parts],
        weights=frames.weights[every],
        face=frames.face[every],
        time_s=frames.time_s[every],
        points=frames.points[every],
    )


class _TwoCameras:
    """Pictures of two cameras as one with twice the channels, still mapped from disk."""

    def __init__(self, front: NDArray[np.uint8], aside: NDArray[np.uint8]) -> None:
        self._front, self._aside = front, aside

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        return np.concatenate([self._front[row], self._aside[row]])


def fit_whitening(frames: Frames, *, whitened: bool = True) -> Whitening:
    """Mean and deviation over all pixels of frames spread over the set; unless whitened, what changes nothing."""
    if not whitened:
        return Whitening(0.0, 1.0)
    some = np.unique(np.linspace(0, frames.count - 1, min(_WHITENING_FRAMES, frames.count)).astype(np.intp))
    sums = np.zeros(2)
    pixels = 0
    for first in range(0, len(some), 32):
        part = frames.read_pictures(some[first : first + 32]).astype(np.float64) / 255
        sums += part.sum(), (part**2).sum()
        pixels += part.size
    mean = sums[0] / pixels
    return Whitening(float(mean), float(np.sqrt(max(sums[1] / pixels - mean**2, 1e-6))))


def sample_calibration_pictures(
    look: Callable[[Rows], NDArray[np.uint8]], count: int, whitening: Whitening
) -> Iterator[F32]:
    """Whitened pictures (1, C, H, W) of frames spread over `count`: what ranges of 8-bit numbers are found from.

    Args:
        look: pictures (B, C, H, W) of some frames, as a network sees them.
    """
    for row in np.unique(np.linspace(0, count - 1, min(_EXAMPLES, count)).astype(np.intp)):
        yield whitening(look(np.array([row])) / np.float32(255)).astype(np.float32)
