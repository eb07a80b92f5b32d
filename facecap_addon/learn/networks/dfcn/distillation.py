"""Adaptive regression distillation (FACEGOOD 2021, equations 11 and 12, algorithm 1).

A teacher that learned from all labels tells which of them are wrong: those far from what it says. Of these the student
learns what the teacher says; of all others it learns the label, the harder the further it is behind the teacher.

The paper measures how far the whole face is off. Of fifty keys one that is wrong by its whole range, or a face of
another frame, drowns in what a teacher is off anyway: nothing is found. So each number is judged for itself here, by
what the teacher is usually off in it, which grows with how far the key moves. `Distillation.outlier` is the paper's.

The paper's equation 12 compares a norm with a squared one; algorithm 1 squares both, as is done here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....arrays import F32

_DEVIATIONS, _ROBUST = 4.0, 1.4826
"""A number is an outlier beyond so many robust standard deviations of what is usual in it."""
_FAR, _SEVERAL = 2.0, 4
"""A label is worth a look where a key is so many times as far off as an outlier, or where so many keys are outliers."""
_GAP_SHARE = 0.1
_FEWEST = 8
_STILL, _LEAST, _LEAST_SHARE = 0.15, 0.03, 0.05
"""Of keys: teacher's values below the first are rest; a deviation is at least the second at rest, and at least the
third part of what the key moves."""


@dataclass(frozen=True)
class Tolerance:
    """How far the teacher is usually off in each number, a robust standard deviation.

    Attributes:
        keys: how many of the D numbers are weights; after them come two for each landmark.
        rest: (D,) float32 where it says nothing.  share: (D,) float32, part of what it says that is added.
    """

    keys: int
    rest: F32
    share: F32

    def rate(self, labels: F32, teacher: F32) -> F32:
        """(N, D) how far labels (N, D) are from the teacher's (N, D), in what makes an outlier: above 1 is one."""
        return np.abs(labels - teacher) / (_DEVIATIONS * (self.rest + self.share * np.abs(teacher)))

    def find_outliers(self, labels: F32, teacher: F32) -> NDArray[np.bool_]:
        """(N, D) which numbers of labels (N, D) are outliers; a landmark is right or wrong as a whole."""
        wrong = self.rate(labels, teacher) > 1
        points = wrong[:, self.keys :].reshape(len(wrong), -1, 2).any(2)
        return np.concatenate([wrong[:, : self.keys], points.repeat(2, axis=1)], 1)


@dataclass(frozen=True)
class Distillation:
    """How a student learns.

    Attributes:
        outlier: μ, distance of label and teacher beyond which a whole label counts as wrong, as in the paper.
        emphasis: v > 1, factor on the loss of items for which the student is not good enough.
        gap: b, squared distance by which the student has to be better than the teacher to count as good enough.
    """

    outlier: float = float("inf")
    emphasis: float = 1.5
    gap: float = 0.0

    def find_outliers(self, labels: F32, teacher: F32) -> NDArray[np.bool_]:
        """(N, D) all numbers of the labels (N, D) whose distance from the teacher's (N, D) is above μ."""
        return np.repeat((measure_distances(labels, teacher) > self.outlier)[:, None], labels.shape[1], 1)


def measure_distances(labels: NDArray[np.floating], teacher: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) distance of labels (N, D) from what the teacher says."""
    return np.linalg.norm(np.asarray(labels, np.float64) - teacher, axis=1)


def estimate_gap(apart: NDArray[np.floating]) -> float:
    """b from the teacher's residuals (N,): a tenth of the usual squared one."""
    return _GAP_SHARE * float(np.median(np.square(apart))) if len(apart) >= _FEWEST else 0.0


def estimate_outlier(apart: NDArray[np.floating]) -> float:
    """The paper's μ from the teacher's residuals (N,): the median and five robust deviations of their logarithm."""
    known = np.log(np.maximum(np.asarray(apart, np.float64), 1e-9))
    if len(known) < _FEWEST:
        return float("inf")
    middle = float(np.median(known))
    return float(np.exp(middle + 5 * max(_ROBUST * float(np.median(np.abs(known - middle))), 0.05)))


def estimate_tolerance(labels: F32, teacher: F32, keys: int, scale: float) -> Tolerance:
    """What the teacher is usually off, from labels (N, D) of which some are wrong.

    Medians of absolute residuals, so that wrong labels hardly count: of each key at rest, of all keys together as a
    share of what they move (one key alone moves too seldom to tell), of each of a landmark's coordinates as they are.

    Args:
        keys: how many of the D numbers are weights; the others are landmarks.  scale: factor that is on the weights.
    """
    off, said = np.abs(labels.astype(np.float64) - teacher), np.abs(teacher.astype(np.float64))
    rest = _ROBUST * np.median(off, axis=0)
    share = np.zeros(labels.shape[1])
    if len(labels) < _FEWEST:
        return Tolerance(keys, np.full(labels.shape[1], np.inf, np.float32), share.astype(np.float32))
    moving = said[:, :keys] > _STILL * scale
    for k in range(keys):
        still = off[~moving[:, k], k]
        rest[k] = _ROBUST * float(np.median(still)) if len(still) >= _FEWEST else rest[k]
    rest[:keys] = np.maximum(rest[:keys], max(_LEAST * scale, float(np.median(rest[:keys])) if keys else 0.0))
    # What it is off beyond its rest, so that a teacher that is as far off at rest is not forgiven twice.
    beyond = (_ROBUST * off[:, :keys][moving] - rest[:keys][np.nonzero(moving)[1]]) / said[:, :keys][moving]
    share[:keys] = max(_LEAST_SHARE, float(np.median(beyond)) if moving.any() else 0.0)
    rest[keys:] = np.maximum(rest[keys:], float(np.median(rest[keys:]))) if keys < len(rest) else 0.0
    return Tolerance(keys, rest.astype(np.float32), share.astype(np.float32))


def find_suspicious(rated: F32) -> NDArray[np.bool_]:
    """(N,) labels to look at, of ratings (N, K) of their keys: one far off, or several.

    Of fifty right keys now and then one is an outlier; to learn from the teacher there does no harm.
    """
    return (rated > _FAR).any(1) | ((rated > 1).sum(1) >= _SEVERAL)


def distillation_loss(
    student: Tensor, label: Tensor, teacher: Tensor, wrong: Tensor, distillation: Distillation
) -> Tensor:
    """Equations 11 and 12: mean over a batch (B, D) of what was found, asked for, and said by the teacher.

    Args:
        wrong: (B, D) bool, which numbers of the label are outliers; of a whole label this is the paper's loss.
    """
    to_label, to_teacher = (student - label).square(), (student - teacher).square()
    right = torch.where(wrong, torch.zeros_like(to_label), to_label).sum(1)
    told = torch.where(wrong, torch.zeros_like(to_label), (teacher - label).square()).sum(1)
    behind = right + distillation.gap > told
    return (torch.where(behind, distillation.emphasis * right, right) + (to_teacher * wrong).sum(1)).mean()
