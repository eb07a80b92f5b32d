"""Adaptive regression distillation (FACEGOOD 2021, equations 11 and 12, algorithm 1).

A teacher that learned from all labels tells which of them are wrong: those far from what it says. Of these the student
learns what the teacher says; of all others it learns the label, the harder the further it is behind the teacher.

The paper's equation 12 compares a norm with a squared one; algorithm 1 squares both, as is done here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# A label is an outlier beyond so many robust standard deviations of what is usual.
_DEVIATIONS, _ROBUST = 5.0, 1.4826
_GAP_SHARE = 0.1
_FEWEST = 8


@dataclass(frozen=True)
class Distillation:
    """How a student learns.

    Attributes:
        outlier: μ, distance of label and teacher beyond which the label counts as wrong.
        emphasis: v > 1, factor on the loss of items for which the student is not good enough.
        gap: b, squared distance by which the student has to be better than the teacher to count as good enough.
    """

    outlier: float
    emphasis: float = 1.5
    gap: float = 0.0


def measure_distances(labels: NDArray[np.floating], teacher: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) distance of labels (N, D) from what the teacher says."""
    return np.linalg.norm(np.asarray(labels, np.float64) - teacher, axis=1)


def estimate_distillation(apart: NDArray[np.floating], *, emphasis: float = 1.5) -> Distillation:
    """μ and b from the teacher's residuals (N,).

    Right labels scatter about the median of the logarithm, most of them closely, wrong ones lie far above: μ is the
    median and five robust deviations of that logarithm. b is a tenth of the usual squared residual.
    """
    known = np.log(np.maximum(np.asarray(apart, np.float64), 1e-9))
    if len(known) < _FEWEST:
        return Distillation(float("inf"), emphasis, 0.0)
    middle = float(np.median(known))
    spread = _ROBUST * float(np.median(np.abs(known - middle)))
    return Distillation(
        float(np.exp(middle + _DEVIATIONS * max(spread, 0.05))), emphasis, _GAP_SHARE * float(np.exp(2 * middle))
    )


def distillation_loss(student: Tensor, label: Tensor, teacher: Tensor, distillation: Distillation) -> Tensor:
    """Equations 11 and 12: mean over a batch (B, D) of what was found, asked for, and said by the teacher."""
    wrong = (label - teacher).norm(dim=1) > distillation.outlier
    to_label, to_teacher = (student - label).square().sum(1), (student - teacher).square().sum(1)
    behind = to_label + distillation.gap > (teacher - label).square().sum(1)
    right = torch.where(behind, distillation.emphasis * to_label, to_label)
    return torch.where(wrong, to_teacher, right).mean()
