"""When the face of a take is calmest: where to look for, and to show, a neutral frame."""

from __future__ import annotations

import numpy as np

from ..take import Take


def calmest_time_s(take: Take) -> float:
    """Time, s from the start of the footage, of the solved frame whose weights are least; -1 if none was solved."""
    solved = np.flatnonzero(take.solved)
    if not len(solved):
        return -1.0
    return float(take.time_s[solved[np.linalg.norm(take.weights[solved], axis=1).argmin()]])
