"""The neutral face as a generator sees it: how it differs from the mean of those learned, in a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, F64
from ..sequence import LandmarkSequence

COUNT = 8
_SUBJECTS_PER_NUMBER = 8
_ALIKE_M = 2e-4
_MOST = 2.5


@dataclass(frozen=True)
class FaceSpace:
    """Faces of one size, as the mean and what sets them apart (principal components of landmarks).

    Attributes:
        mean: (L, 3) float32 m, head space, centred where faces learned were.
        components: (COUNT, L, 3) float32 m, one standard deviation each; zero where faces did not differ.
    """

    mean: F32
    components: F32

    def measure(self, rest: NDArray[np.floating]) -> F32:
        """(COUNT,) float32: a neutral face (L, 3), head space, any size, in standard deviations.

        Faces unlike any that were learned are taken for the nearest that are not: each number stays within ±2.5.
        """
        flat = self.components.reshape(len(self.components), -1).astype(np.float64)
        apart = (fit_size(rest, self.mean)[0] - self.mean).ravel()
        out = flat @ apart / np.maximum((flat**2).sum(axis=1), 1e-12)
        return np.clip(out, -_MOST, _MOST).astype(np.float32)

    def restore(self, numbers: NDArray[np.floating]) -> F32:
        """(L, 3) float32 m: the face that numbers (COUNT,) stand for."""
        return (self.mean + np.tensordot(numbers, self.components, axes=1)).astype(np.float32)


def fit_size(rest: NDArray[np.floating], mean: NDArray[np.floating]) -> tuple[F64, float]:
    """A face (L, 3) at the place and size of another one, and the factor that took it there."""
    rest, mean = np.asarray(rest, np.float64), np.asarray(mean, np.float64)
    factor = _measure_size(mean) / max(_measure_size(rest), 1e-12)
    return mean.mean(axis=0) + factor * (rest - rest.mean(axis=0)), factor


def fit_sequence(sequence: LandmarkSequence, faces: FaceSpace) -> LandmarkSequence:
    """A sequence on the same face at the size of the mean one."""
    rest, factor = fit_size(sequence.rest, faces.mean)
    moved = np.float32(factor) * sequence.displacements
    return replace(sequence, rest=rest.astype(np.float32), displacements=moved)


def learn_faces(sequences: Sequence[LandmarkSequence]) -> FaceSpace:
    """What sets the neutral faces of sequences apart; fewer numbers where there are few, so that each is learned."""
    rests = [sequence.rest for sequence in sequences]
    mean = np.mean(rests, axis=0)
    apart = np.stack([fit_size(rest, mean)[0] for rest in rests])
    mean = apart.mean(axis=0)
    _, spread, axes = np.linalg.svd((apart - mean).reshape(len(rests), -1), full_matrices=False)
    spread = spread / np.sqrt(max(len(rests) - 1, 1))
    count = min(COUNT, len(rests) // _SUBJECTS_PER_NUMBER, int((spread > _ALIKE_M * np.sqrt(mean.size)).sum()))
    components = np.zeros((COUNT, *mean.shape), np.float32)
    components[:count] = (spread[:count, None] * axes[:count]).reshape(count, *mean.shape)
    return FaceSpace(mean.astype(np.float32), components)


def _measure_size(points: F64) -> float:
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
