"""What a user may choose about deep energies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _option(
    default: Any, text: str, unit: str = "", low: float | None = None, high: float | None = None, choices: Any = ()
) -> Any:
    facts = {"help": text, "unit": unit, "min": low, "max": high, "choices": tuple(choices)}
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class DeepSettings:
    """Choices for the refinement by deep energies; every field carries its help text, unit and range."""

    schedule: str = _option(
        "refine",
        "Stages: refine starts from a solve's pose and weights; paper builds them up as Bao et al. do",
        choices=("refine", "paper"),
    )
    looks: int = _option(5, "How often the landmark network looks at every picture; more is steadier", "", 1, 5)
    network: float = _option(1.0, "Trust in what the landmark network sees", "", 0.0, 100.0)
    picture: float = _option(1.0, "Trust in the picture itself, pixel by pixel; 0 leaves it out", "", 0.0, 100.0)
    edges: float = _option(0.0, "Trust in differences of neighbouring landmarks (energy 2)", "", 0.0, 100.0)
    ridge: float = _option(0.0, "Pull of every weight to zero, besides what is expected of it", "", 0.0, 1e4)
    prior: float = _option(1.0, "Trust in what recorded performances teach about the face", "", 0.0, 10.0)
    smoothness: float = _option(1.0, "Smoothing in time while energies are lowered; 0 none", "", 0.0, 10.0)
    albedo: str = _option(
        "own",
        "Skin to draw: own keeps the character's colours where it has any, estimated takes all from the footage",
        choices=("own", "estimated"),
    )
    reference_frame: int | None = _option(
        None, "Frame with a calm face in good light for albedo and light; absent: found automatically", "frame", 0
    )
    jaw_joint: bool = _option(False, "Also move the character's jaw bone, in all six degrees of freedom")
    infill: bool = _option(True, "Solve frames that failed or show no face by optical flow, from their neighbours")
    infill_frames: str = _option("", "Frames to solve by optical flow whatever was found in them: 31-40,77")
    longest_gap_s: float = _option(1.0, "Gaps longer than this are left empty", "s", 0.0, 60.0)
    temporal: str = _option(
        "hybrid",
        "How neighbouring frames are made consistent",
        choices=("hybrid", "plate flow", "self flow", "averaging", "none"),
    )
    reestimate: bool = _option(True, "Estimate the expression once more after that, with the head held")
