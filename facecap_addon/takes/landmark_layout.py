"""Which landmark layout a take's landmarks are of."""

from __future__ import annotations

from ..landmarks.layout import BU_83, IBUG_68, MEDIAPIPE_478, Layout
from .take import Take


def layout_of_take(take: Take) -> Layout | None:
    """The layout with as many landmarks as the take has; None if there is none, as in a generated take."""
    count = take.landmarks_px.shape[1]
    return next((one for one in (MEDIAPIPE_478, IBUG_68, BU_83) if one.count == count), None)
