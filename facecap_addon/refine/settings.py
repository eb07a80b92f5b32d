"""What a user may choose about deep energies."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings_schema import setting


@dataclass(frozen=True)
class DeepSettings:
    """Choices for the refinement by deep energies; every field carries its help text, unit and range."""

    schedule: str = setting(
        "refine",
        help="Stages: refine starts from the solve's pose and weights; paper builds them up as Bao et al. do",
        tooltip="What the refinement starts from",
        choices=("refine", "paper"),
        label="Start",
        choice_labels={
            "refine": ("From the Solve", "Begin with the head pose and the keys of the solve"),
            "paper": ("From Scratch", "Build up head pose and keys step by step; slower"),
        },
    )
    likeness: str = setting(
        "auto",
        help="Whether the character has the actor's face: of the same face the picture itself is compared, of another "
        "only what the landmark network sees, minus what it always sees differently; auto: found from the footage",
        tooltip="Whether the character has the actor's own face",
        choices=("auto", "same", "other"),
        label="Character",
        choice_labels={
            "auto": ("Automatic", "Found from how far the landmarks of both differ"),
            "same": ("Is the Actor", "A scan or a digital double: compare the picture, too"),
            "other": ("Is Another Face", "Compare what changes in the landmarks, nothing else"),
        },
    )
    looks: int = setting(
        5,
        help="Crops of each picture that the landmark network sees and averages over; more is less noisy",
        min=1,
        max=5,
        label="Samples",
    )
    network: float = setting(
        1.0,
        help="Influence of the landmark network; where the picture moves the keys, on the head alone",
        min=0.0,
        max=100.0,
        label="Trust Landmarks",
    )
    picture: float = setting(
        1.0,
        help="Influence of the picture itself, pixel by pixel, where the character has the actor's face; 0 = none",
        min=0.0,
        max=100.0,
        label="Trust Picture",
    )
    edges: float = setting(0.0, help="Influence of differences between adjacent landmarks", min=0.0, max=100.0)
    ridge: float = setting(
        0.0, help="Pull of every weight to zero, in addition to the natural motion", min=0.0, max=1e4
    )
    prior: float = setting(
        1.0,
        help="How far typical faces guide what the video leaves unclear; 0 = not at all",
        min=0.0,
        max=10.0,
        label="Natural Motion",
    )
    smoothness: float = setting(
        1.0, help="Smoothing over time while refining, and in gaps; 0 = none", min=0.0, max=10.0
    )
    albedo: str = setting(
        "own",
        help="Skin to render: own keeps the character's colours where it has any, estimated takes all from the footage",
        tooltip="Colors of the skin that is rendered and compared with the footage",
        choices=("own", "estimated"),
        label="Skin",
        choice_labels={
            "own": ("Character's Colors", "Keep the colors that the character has, where it has any"),
            "estimated": ("From the Footage", "Estimate all colors from the footage"),
        },
    )
    reference_frame: int | None = setting(
        None,
        help="Frame with a calm face in good light, for skin and light; if not given: found automatically",
        unit="frame",
        min=0,
        label="Calm Frame",
    )
    jaw_joint: bool = setting(
        False, help="Also move the character's jaw bone, in all six degrees of freedom", label="Move Jaw Bone"
    )
    infill: bool = setting(
        True,
        help="Solve frames that failed or show no face by optical flow, from the frames around them",
        label="Fill Gaps",
    )
    infill_frames: str = setting("", help="Frames to solve by optical flow whatever was found in them: 31-40,77")
    longest_gap_s: float = setting(1.0, help="Gaps longer than this are left as they are", unit="s", min=0.0, max=60.0)
    temporal: str = setting(
        "hybrid",
        help="How jitter from frame to frame is removed",
        choices=("hybrid", "plate flow", "self flow", "averaging", "none"),
        label="Steady Motion",
        choice_labels={
            "hybrid": (
                "Average and Flow",
                "Average frames with those around, then let the render move as the footage does",
            ),
            "plate flow": ("Footage Flow", "Let the render move as the footage does, by optical flow"),
            "self flow": ("Render Flow", "Let each frame move on from those around it, by the render's optical flow"),
            "averaging": ("Average", "Average each frame with those around it"),
            "none": ("None", "Leave every frame as it is"),
        },
    )
    reestimate: bool = setting(
        True, help="Refine the expression once more after that, with the head held", label="Second Pass"
    )
