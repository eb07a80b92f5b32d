"""What live capture gives for one frame."""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import F32


@dataclass(frozen=True)
class LiveFace:
    """One frame's face.

    Attributes:
        time_s: since the start.  weights: (K,) of the character's channels.
        head_wxyz: (4,) camera from head.  head_m: (3,) camera space.  gaze_rad: (2, 2), see `Take`.
        confidence: 0..1.
    """

    time_s: float
    weights: F32
    head_wxyz: F32
    head_m: F32
    gaze_rad: F32
    confidence: float
