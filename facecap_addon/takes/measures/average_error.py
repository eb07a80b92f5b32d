"""How far a solved face is from the landmarks of the footage, and whether that is good, in words for people.

The error is compared with the distance between the outer eye corners, as landmark networks are judged (the normalised
mean error of the 300-W challenge): pixels alone say nothing where faces are large or small in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..landmark_layout import layout_of_take
from ..take import Take

GOOD, FAIR = 0.02, 0.04
"""Up to these shares of the eye distance an error is good, or fair; beyond it is poor.

An adult's outer eye corners are 80 to 100 mm apart, so they are about 2 and 4 mm. Solves of clear footage measure 0.013
to 0.015 on heads of many kinds; one that may not adapt to the actor and is smoothed at the most measures 0.026. Good
landmark networks err by 0.03 to 0.04 on 300-W themselves, so that beyond it their error explains the miss no more.
"""
_OPEN = 90
"""Percentile of the frames' eye distances: a head that turns away shows less than it has."""


@dataclass(frozen=True)
class AverageError:
    """The error of a take.

    Attributes:
        px: median over the solved frames.  of_eyes: the same as a share of the eye distance, 0 where that is not known.
    """

    px: float
    of_eyes: float = 0.0

    @property
    def rating(self) -> str:
        """ "good", "fair" or "poor"; "" where the size of the face is not known."""
        if not self.of_eyes > 0.0:
            return ""
        return "good" if self.of_eyes <= GOOD else "fair" if self.of_eyes <= FAIR else "poor"

    @property
    def text(self) -> str:
        """As it is told: "2.2 px (good)"."""
        return f"{self.px:.1f} px" + (f" ({self.rating})" if self.rating else "")


def average_error(take: Take) -> AverageError | None:
    """The error of a take; None if nothing was compared with landmarks, as in a generated one."""
    residual = take.residual_px[np.isfinite(take.residual_px)]
    if not len(residual):
        return None
    px, eyes_px = float(np.median(residual)), eye_distance_px(take)
    return AverageError(px, px / eyes_px if eyes_px > 0.0 else 0.0)


def eye_distance_px(take: Take) -> float:
    """Distance of the outer eye corners where the face is turned to the camera, px; 0 if unknown."""
    layout = layout_of_take(take)
    if layout is None:
        return 0.0
    right, left = take.landmarks_px[:, layout.upper_lid_right[0]], take.landmarks_px[:, layout.upper_lid_left[0]]
    apart = np.linalg.norm(right.astype(np.float64) - left, axis=-1)
    apart = apart[np.isfinite(apart)]
    return float(np.percentile(apart, _OPEN)) if len(apart) else 0.0
