"""Named curves over time: what exports write, be they a take's channels or what a mapping makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, F64
from ..take import Take


@dataclass(frozen=True)
class Curves:
    """Curves of the same times.

    Attributes:
        names: N, distinct.  time_s: (F,) s from the start of the footage, ascending.
        values: (F, N) float32.  has_face: (F,) bool; values of the others mean nothing.
    """

    names: tuple[str, ...]
    time_s: F64
    values: F32
    has_face: NDArray[np.bool_]

    @property
    def seen(self) -> Curves:
        """Those frames that show a face."""
        rows = self.has_face
        return Curves(self.names, self.time_s[rows], self.values[rows], rows[rows])


def curves_of(take: Take, names: Mapping[str, str] | None = None, only: Sequence[str] = ()) -> Curves:
    """A take's weights as curves.

    Args:
        names: what channels are called instead; of those that come to share a name the first gives the curve.
        only: names after that to which it is limited; empty: all.
    """
    named = [(names or {}).get(channel, channel) for channel in take.channels]
    columns = {name: k for k, name in reversed(list(enumerate(named))) if not only or name in only}
    kept = tuple(name for k, name in enumerate(named) if columns.get(name) == k)
    return Curves(kept, take.time_s, take.weights[:, [columns[name] for name in kept]], take.solved)
