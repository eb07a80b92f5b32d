"""Nostrils: loops that go up into the nose."""

from __future__ import annotations

import numpy as np

from .layout import NOSTRIL
from .proportions import Array
from .surface import cast

CENTRE_X, CENTRE_D = 6.8, 106.8
LONG, SHORT, LEAN = 5.0, 2.8, 0.42  # half axes in mm; the long one leans towards the tip by this angle


def nostril_rings() -> list[Array]:
    """Loops (10, 3) in mm of the left nostril, from the deepest to the rim."""
    places = np.array(NOSTRIL.border(), float)
    row = (places[:, 0] - 20.0) / 1.0
    column = (places[:, 1] - 2.5) / 1.5
    angle = np.arctan2(row, column)
    local = np.c_[SHORT * np.cos(angle), LONG * np.sin(angle)]
    turn = np.array([[np.cos(LEAN), np.sin(LEAN)], [-np.sin(LEAN), np.cos(LEAN)]])
    spot = local @ turn * (1, 1)
    spot[:, 0] = CENTRE_X - (local[:, 1] * np.sin(LEAN)) + local[:, 0] * np.cos(LEAN)
    spot[:, 1] = CENTRE_D + local[:, 1] * np.cos(LEAN) + local[:, 0] * np.sin(LEAN)
    origin = np.c_[spot, np.full(len(spot), -38.0)]
    rim = cast(origin, np.tile([0.0, 0.0, -1.0], (len(spot), 1)), 0.0, 14.0)
    middle = rim.mean(0)
    fold = middle + (rim - middle) * 0.82 + (0, 0, 1.0)
    deep = middle + (rim - middle) * 0.55 + (0.0, -2.5, 6.5)
    return [deep, fold, rim]
