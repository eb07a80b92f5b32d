"""Some of many points, well spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LOOKED_AT = 4000


def pick_farthest_points(points: NDArray[np.floating], among: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Some of the points (V, 3) named by `among`, each as far from the others as can be (Gonzalez 1985)."""
    if len(among) <= count:
        return among
    among = among[:: max(1, len(among) // _LOOKED_AT)]
    chosen = [0]
    distance = np.linalg.norm(points[among] - points[among[0]], axis=1)
    for _ in range(count - 1):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points[among] - points[among[chosen[-1]]], axis=1))
    return among[chosen]
