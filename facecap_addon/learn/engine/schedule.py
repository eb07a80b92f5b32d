"""The schedule that Laine et al. (section 4.2) and FACEGOOD (section 3.1) share: how fast, and with what memory.

The learning rate rises geometrically over the first epoch, falls with one over the square root of time, and goes down
to zero along a smooth curve over the last epochs, while Adam's β1 falls from 0.9 to 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sqrt

# The papers do not say where the geometric progression begins; a hundredth of the rate it leads to.
_FIRST_SHARE = 0.01
BETA1, LAST_BETA1, BETA2 = 0.9, 0.5, 0.999


@dataclass(frozen=True)
class Schedule:
    """How one network is trained.

    Attributes:
        epochs: in all.  decay_epochs: over which the rate goes to zero.  augmentation_epochs: over which it rises.
        rate: of Adam, as its paper recommends, at the end of the first epoch.
        inverse_sqrt: the rate falls with time; else it stays until it goes to zero.
        constant_lr: the rate stays the same throughout, as Seo and Luo have it.
    """

    epochs: int = 200
    decay_epochs: int = 30
    augmentation_epochs: int = 5
    rate: float = 1e-3
    inverse_sqrt: bool = True
    constant_lr: bool = False


def compute_learning_rate(schedule: Schedule, epoch: float) -> float:
    """The learning rate after so many epochs, fractions allowed."""
    if schedule.constant_lr:
        return schedule.rate
    if epoch < 1:
        return schedule.rate * _FIRST_SHARE ** (1 - epoch)
    fallen = schedule.rate / sqrt(epoch) if schedule.inverse_sqrt else schedule.rate
    return fallen * _compute_decay(schedule, epoch)


def compute_beta1(schedule: Schedule, epoch: float) -> float:
    """Adam's β1 after so many epochs."""
    if schedule.constant_lr:
        return BETA1
    return LAST_BETA1 + (BETA1 - LAST_BETA1) * _compute_decay(schedule, epoch)


def compute_augmentation(schedule: Schedule, epoch: float) -> float:
    """Strength of augmentation, 0 to 1: rising, so that learning starts at all."""
    return min(1.0, epoch / schedule.augmentation_epochs) if schedule.augmentation_epochs else 1.0


def _compute_decay(schedule: Schedule, epoch: float) -> float:
    """1 until the last epochs, then half a cosine down to 0."""
    into = (epoch - (schedule.epochs - schedule.decay_epochs)) / max(schedule.decay_epochs, 1e-9)
    return 0.5 + 0.5 * cos(pi * min(max(into, 0.0), 1.0))
