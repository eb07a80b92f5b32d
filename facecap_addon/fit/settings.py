"""What a user may choose about the fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _option(
    default: float | bool | None, text: str, unit: str = "", low: float | None = None, high: float | None = None
) -> Any:
    return field(default=default, metadata={"help": text, "unit": unit, "min": low, "max": high})


@dataclass(frozen=True)
class FitSettings:
    """Choices for the landmark fit; the defaults suit a talking head filmed by a phone or a webcam.

    Every field carries its help text, unit and range in `metadata`.
    """

    focal_px: float | None = _option(None, "Focal length of the camera; absent: estimated", "px", 10.0, 1e6)
    neutral_frame: int | None = _option(None, "A frame with a relaxed face; absent: found automatically", "frame", 0)
    smoothness: float = _option(
        1.0, "Smoothing in time: 0 none, 1 as measured on talking heads, 4 very smooth", "", 0.0, 10.0
    )
    prior: float = _option(
        1.0, "Trust in what recorded performances teach about the face, against the landmarks", "", 0.0, 10.0
    )
    adapt: bool = _option(True, "Learn how this actor's face differs from the character's (landmark offsets)")
    gaze: bool = _option(True, "Solve the gaze from the irises")
