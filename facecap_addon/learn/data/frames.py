"""The frames of a training set as a network takes them: pictures from disk, targets as moving vertices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import F32, Rows
from ...errors import FacecapError
from ...solvers.crop import PictureKind
from .crops import prepare_pictures
from .mesh_stabilisation import apply_stabilisation, fit_stabilisation
from .mirror import Mirror
from .pca import MOST_COMPONENTS, PcaBasis, fit_pca, fit_pca_from_weights
from .training_set import ShotFacts, TrainingSet

MOVING_M = 2e-5
"""A vertex that no frame moves further is left out of the network."""
_BASIS_FRAMES, _WHITENING_FRAMES, _EXAMPLES = 1500, 400, 200


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

    def pictures_at(self, frames: Rows) -> NDArray[np.uint8]:
        """(B, C, H, W) uint8."""
        return np.stack([self.pictures[self.shot[i]][self.row[i]] for i in frames])

    def starts(self, length: int) -> Rows:
        """Frames from which `length` frames of the same shot follow without a gap."""
        last = np.arange(self.count) + length - 1
        inside = last < self.count
        last = np.minimum(last, self.count - 1)
        same = inside & (self.shot[last] == self.shot) & (self.row[last] - self.row == length - 1)
        return np.flatnonzero(same)


def read_shot_frames(
    training_set: TrainingSet, shots: tuple[ShotFacts, ...], kind: PictureKind, on_progress: Callable[[int, int], None]
) -> Frames:
    """Frames of some shots that show a face, pictures cut now or as kept.

    Args:
        on_progress: called with frames done and frames in all; it may raise to cancel.
    """
    total, done = sum(shot.frames for shot in shots), 0
    parts: list[tuple[Rows, Rows, F32, F32, NDArray[np.float64], F32]] = []
    pictures, vertices = [], []
    crop = training_set.crop
    for i, shot in enumerate(shots):
        both = shot.side_video is not None and training_set.side_crop is not None
        front = prepare_pictures(training_set, shot, kind, lambda n, done=done: on_progress(done + n, total))
        if both:
            aside = prepare_pictures(training_set, shot, kind, lambda _: None, side=True)
            pictures.append(_TwoCameras(front, aside))
        else:
            pictures.append(front)
        vertices.append(training_set.vertices_of(shot))
        rows = training_set.rows_of(shot)
        seen = np.flatnonzero(np.isfinite(rows.box).all(1))
        assert crop is not None
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
    """Frames to train on and frames for validation, if there are any; pictures prepared.

    Args:
        on_progress: told ("pictures", frames done, frames in all); it may raise to cancel.
    """
    names = training_set.choose_validation_shots()
    train_shots = tuple(shot for shot in training_set.shots if shot.name not in names)
    validation_shots = tuple(shot for shot in training_set.shots if shot.name in names)
    total = sum(shot.frames for shot in training_set.shots)
    done = sum(shot.frames for shot in train_shots)
    train_frames = read_shot_frames(training_set, train_shots, kind, lambda n, _: on_progress("pictures", n, total))
    if not validation_shots:
        return train_frames, None
    return train_frames, read_shot_frames(
        training_set, validation_shots, kind, lambda n, _: on_progress("pictures", done + n, total)
    )


class _TwoCameras:
    """Pictures of two cameras as one with twice the channels, still mapped from disk."""

    def __init__(self, front: NDArray[np.uint8], aside: NDArray[np.uint8]) -> None:
        self._front, self._aside = front, aside

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        return np.concatenate([self._front[row], self._aside[row]])


@dataclass(frozen=True)
class Whitening:
    """What makes pictures zero on average with variance one, the same for all (Laine et al. section 3.1)."""

    mean: float
    deviation: float

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures in 0..1, whitened."""
        return (pictures - self.mean) / self.deviation


def fit_whitening(frames: Frames) -> Whitening:
    """Mean and deviation over all pixels of frames spread over the training set."""
    some = np.unique(np.linspace(0, frames.count - 1, min(_WHITENING_FRAMES, frames.count)).astype(np.intp))
    sums = np.zeros(2)
    pixels = 0
    for first in range(0, len(some), 32):
        part = frames.pictures_at(some[first : first + 32]).astype(np.float64) / 255
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
        picture = look(np.array([row])) / np.float32(255)
        yield ((picture - whitening.mean) / whitening.deviation).astype(np.float32)


class MeshTargets:
    """Vertices that move, of frames of a set.

    Args:
        training_set: whose character and shots.  train_frames: those that say what moves.
        stabilise: whether point caches of shots are brought to rest first (appendix A.2).
        mirror: of a symmetric character whose mirrored faces are learned from, too.
    """

    def __init__(
        self, training_set: TrainingSet, train_frames: Frames, *, stabilise: bool = False, mirror: Mirror | None = None
    ) -> None:
        rig = training_set.rig
        self.mirror = mirror
        self.from_weights = all(one is None for one in train_frames.vertices)
        self._transforms: dict[str, NDArray[np.float64]] = {}
        self._stabilise, self._rest = stabilise and not self.from_weights, rig.neutral
        if self.from_weights:
            used = np.abs(train_frames.weights).max(0) > 1e-4
            reach = np.linalg.norm(rig.deltas, axis=2) * np.abs(train_frames.weights).max(0)[:, None]
            self.moving = np.flatnonzero(reach[used].max(0, initial=0.0) > MOVING_M) if used.any() else np.zeros(0, int)
        else:
            some = self._sample_rows(train_frames)
            found = np.stack([self._read_vertices(train_frames, int(i)) for i in some])
            self.moving = np.flatnonzero(np.ptp(found, axis=0).max(1) > MOVING_M)
        if not len(self.moving):
            raise FacecapError("Nothing moves in the training set.", "Look at its targets: they are all the same.")
        if mirror is not None:
            self.moving = np.union1d(self.moving, mirror.vertices[self.moving])
            self._mirrored_vertices = torch.from_numpy(np.searchsorted(self.moving, mirror.vertices[self.moving]))
        flat = rig.deltas[:, self.moving].reshape(len(rig.channels), -1)
        self.deltas = torch.from_numpy(np.ascontiguousarray(flat, np.float32))
        self.rest = torch.from_numpy(rig.neutral[self.moving].reshape(-1).astype(np.float32))

    def at(self, frames: Frames, which: Rows) -> F32:
        """Targets of some frames: (B, K) weights or (B, 3 M) m; `positions` makes vertices of either."""
        if self.from_weights:
            return frames.weights[which]
        return np.stack([self._read_vertices(frames, int(i))[self.moving].reshape(-1) for i in which]).astype(
            np.float32
        )

    def positions(self, targets: Tensor) -> Tensor:
        """(B, 3 M) float32 m, whatever the precision around it: what is learned from and judged by is not rounded."""
        if not self.from_weights:
            return targets
        given = targets.float()
        with torch.autocast(given.device.type, enabled=False):
            return torch.addmm(self.rest.to(given), given, self.deltas.to(given))

    def mirrored(self, targets: Tensor, which: Tensor) -> Tensor:
        """Targets (B, …, K or 3 M), those of `which` (B,) of the face in a mirror."""
        assert self.mirror is not None
        if self.from_weights:
            other = targets[..., torch.from_numpy(self.mirror.channels).to(targets.device)]
        else:
            at = targets.unflatten(-1, (-1, 3))[..., self._mirrored_vertices.to(targets.device), :]
            flipped = at * at.new_tensor([-1, 1, 1]) + at.new_tensor([2 * self.mirror.middle, 0, 0])
            other = flipped.flatten(-2)
        return torch.where(which.to(targets.device).view(-1, *[1] * (targets.dim() - 1)), other, targets)

    def basis(self, train_frames: Frames, most: int = MOST_COMPONENTS) -> PcaBasis:
        """Principal components of the targets."""
        if self.from_weights:
            return fit_pca_from_weights(
                self._with_mirrored(train_frames.weights), self.deltas.numpy(), self.rest.numpy(), most
            )
        return fit_pca(self._with_mirrored(self.at(train_frames, self._sample_rows(train_frames))), most)

    def _with_mirrored(self, targets: F32) -> F32:
        """Targets and, of a symmetric character, the same in a mirror."""
        if self.mirror is None:
            return targets
        return np.concatenate([targets, self.mirrored(torch.from_numpy(targets), torch.ones(len(targets)) > 0).numpy()])

    def _sample_rows(self, frames: Frames) -> Rows:
        return np.unique(np.linspace(0, frames.count - 1, min(_BASIS_FRAMES, frames.count)).astype(np.intp))

    def _read_vertices(self, frames: Frames, i: int) -> F32:
        cache = frames.vertices[frames.shot[i]]
        if cache is None:
            raise FacecapError(
                "Some shots of the set have curves, others point caches.", "Train on shots of one kind: remake the set."
            )
        frame = np.asarray(cache[frames.row[i]], np.float32)
        if not self._stabilise:
            return frame
        name = frames.shots[frames.shot[i]].name
        if name not in self._transforms:
            every = cache[:: max(1, len(cache) // 200)]
            self._transforms[name] = fit_stabilisation(every, self._rest)
        return apply_stabilisation(frame[None], self._transforms[name])[0]
