"""How sure the solve is, as a colour: the same in the timeline, over the footage and in lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS = 8
NO_FACE = (0.35, 0.08, 0.10)
_LOW, _MIDDLE, _HIGH = (0.90, 0.22, 0.18), (0.95, 0.78, 0.20), (0.25, 0.75, 0.45)


def confidence_color(share: float) -> tuple[float, float, float]:
    """RGB of a confidence from 0, red, over yellow to 1, green; half of the usual is as red as it gets."""
    place = min(max(2.0 * share - 1.0, 0.0), 1.0)
    one, other, at = (_LOW, _MIDDLE, 2 * place) if place < 0.5 else (_MIDDLE, _HIGH, 2 * place - 1)
    return (
        one[0] + at * (other[0] - one[0]),
        one[1] + at * (other[1] - one[1]),
        one[2] + at * (other[2] - one[2]),
    )


def quantise(shares: NDArray[np.float64], solved: NDArray[np.bool_]) -> NDArray[np.int8]:
    """(F, R) int8 steps 0 to STEPS of confidences (F, R) in 0..1; -1 in frames (F,) without a face."""
    import numpy as np

    steps = np.rint(np.clip(2 * shares - 1, 0, 1) * STEPS).astype(np.int8)
    return np.where(solved[:, None], steps, np.int8(-1))


def step_color(step: int) -> tuple[float, float, float]:
    """RGB of a step."""
    return NO_FACE if step < 0 else confidence_color(0.5 + 0.5 * step / STEPS)
