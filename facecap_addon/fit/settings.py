"""What a user may choose about the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..settings_schema import setting
from ..takes.region_scale import SCALE_LIMITS


def scale_setting(region: str, part: str) -> Any:
    """How large the actor moves in a region, in percent of the character."""
    return setting(
        None,
        help=f"Size of the actor's {part} against the character's: full motion of hers is full motion of the keys; "
        "if not given: the actor file's, or what Match takes",
        unit="%",
        min=100 * SCALE_LIMITS[0],
        max=100 * SCALE_LIMITS[1],
        label=region.capitalize(),
    )


@dataclass(frozen=True)
class FitSettings:
    """Choices for the landmark fit; the defaults suit a talking head filmed by a phone or a webcam.

    Every field carries its help text, unit and range in `metadata`.
    """

    focal_px: float | None = setting(
        None, help="Focal length of the camera; if not given: estimated", unit="px", min=10.0, max=1e6
    )
    neutral_frame: int | None = setting(
        None, help="Frame of the footage with a relaxed face; if not given: found automatically", unit="frame", min=0
    )
    smoothness: float = setting(
        1.0, help="Smoothing over time: 0 = none, 1 = normal speech, 4 = very smooth", min=0.0, max=10.0
    )
    prior: float = setting(
        1.0,
        help="How far typical faces guide what the video leaves unclear; 0 = not at all",
        min=0.0,
        max=10.0,
        label="Natural Motion",
    )
    match: str = setting(
        "look",
        help="What counts: look: the head shows what the picture shows; weights: as close as can be to the weights "
        "that made it, for export to other characters",
        tooltip="What the keys are to match",
        choices=("look", "weights"),
        choice_labels={
            "look": ("Look", "This character shows what the picture shows"),
            "weights": ("Weights", "Keys comparable from character to character, for export"),
        },
    )
    adapt: bool = setting(
        True, help="Allow for differences between the actor's face and the character's", label="Adapt to Actor"
    )
    gaze: bool = setting(True, help="Solve where the eyes look, from the irises")
    mouth_scale: float | None = scale_setting("mouth", "mouth")
    lids_scale: float | None = scale_setting("lids", "eyes")
    brows_scale: float | None = scale_setting("brows", "brows")
    jaw_scale: float | None = scale_setting("jaw", "jaw")
