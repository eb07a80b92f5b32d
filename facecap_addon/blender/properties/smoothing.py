"""One slider for how smooth a filter is; what is stored is its cut-off in Hz."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .declare import FloatProperty

if TYPE_CHECKING:
    from .bake import FACECAP_PG_filter
    from .live import FACECAP_PG_live

_MIDDLE_HZ, _FACTOR = 4.0, 3.0
"""The cut-off at 0.5, and by what it is multiplied at 0 and divided at 1."""


SLIDING = ("hybrid", "kalman-sg", "one-euro")
"""Filters that have a cut-off, so that the slider is theirs."""


def cutoff_of(smoothing: float) -> float:
    """The cut-off in Hz of a smoothing from 0 to 1."""
    return _MIDDLE_HZ * _FACTOR ** (1.0 - 2.0 * smoothing)


def smoothing_of(cutoff_hz: float) -> float:
    """The smoothing from 0 to 1 of a cut-off in Hz; cut-offs beyond the slider's ends are at its ends."""
    smoothing = 0.5 * (1.0 - math.log(cutoff_hz / _MIDDLE_HZ, _FACTOR))
    return min(1.0, max(0.0, smoothing))


def smoothing_property() -> float:
    """The slider of a group that has `cutoff_hz`; the two follow each other."""
    return FloatProperty(
        name="Smoothing",
        description="0 = follow every motion, 1 = very smooth",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        get=_smoothing,
        set=_set_smoothing,
    )


def _smoothing(group: FACECAP_PG_filter | FACECAP_PG_live) -> float:
    return smoothing_of(group.cutoff_hz)


def _set_smoothing(group: FACECAP_PG_filter | FACECAP_PG_live, value: float) -> None:
    group.cutoff_hz = cutoff_of(value)
