"""What a solve is asked to do. Flags, panel properties and the worker's request are derived from these fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...fit.settings import FitSettings
from ...settings_schema import setting
from .output import OutputSettings


def mirror_setting() -> Any:
    """Whether footage was filmed as in a mirror; every job on footage is told."""
    return setting(
        False,
        help="The pictures show the scene as in a mirror, as selfies often do: exchange left and right",
        label="Mirrored",
    )


@dataclass(frozen=True, kw_only=True)
class SolveSettings(FitSettings, OutputSettings):
    """Settings of one solve: footage in, keys on a character out. What concerns the fit alone is in `FitSettings`."""

    video: Path = setting(help="Video file; or a folder, picture or pattern (frame_%04d.png) of an image sequence")
    out: Path = setting(help="Folder to write the results to; made if it does not exist")
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or a rig .npz to animate; without it the sample head is used"
    )
    actor: Path | None = setting(
        None,
        help="Who performs: an .actor.json, or a .take.npz of hers; her neutral face and her sizes are taken from it; "
        "if not given: found in the footage",
    )
    start: str | None = setting(None, help="First frame to solve: a frame number (120) or a time (4.5s, 00:01:02.5)")
    end: str | None = setting(None, help="Last frame to solve, written like the start")
    merge: bool = setting(
        True,
        help="Merge a solved range into the take of the same footage, blended at its ends; off: it is its own take",
        label="Merge into Take",
    )
    into: Path | None = setting(None, help="Take that a solved range goes into; if not given: the clip's in the folder")
    corrections: Path | None = setting(
        None,
        help="What frames should look like, a .corrections.json: hard targets; without a start and an end only the "
        "frames around those that changed are solved, and merged into the take",
    )
    neutral_frame: int | None = setting(
        None,
        help="Frame of the footage with a relaxed face; if not given: found automatically",
        min=0,
        flag="--neutral",
    )
    mirror: bool = mirror_setting()
    fps: float | None = setting(
        None,
        help="Frame rate of an image sequence; a video keeps its own timestamps",
        unit="fps",
        min=0.1,
        max=1000,
        label="Frame Rate",
    )
    lens_mm: float | None = setting(
        None,
        help="Focal length of the camera's lens, if known and no focal length in pixels is given",
        tooltip="Focal length of the camera's lens; off: estimated",
        unit="mm",
        min=0.1,
    )
    sensor_mm: float = setting(36.0, help="Width of the sensor that the lens belongs to", unit="mm", min=0.1, max=1000)
    method: str = setting(
        "landmarks",
        help="How to solve: landmarks is fast, deep refines that (slow, needs PyTorch), a .facecap file is a network "
        "trained on this actor",
        tooltip="How the face is solved",
        choices=("landmarks", "deep"),
        or_file=".facecap",
        choice_labels={
            "landmarks": ("Fast", "Follow the landmarks of the face"),
            "deep": ("Refined", "Fast first, then compare renders with the footage (slow, needs PyTorch)"),
        },
    )
    side_video: Path | None = setting(None, help="Networks trained with two cameras: footage of the one to the side")
    head: bool = setting(
        True,
        help="Networks trained on this actor: also ask the landmark network, for the head's pose; off: faster, and the "
        "pose is that of the landmarks that a network finds itself (dfcn), or none",
        tooltip="Ask the landmark network for the head's pose, too; off: faster, the pose is that of a live network's "
        "own landmarks, or none",
        label="Head Pose",
    )
    contact: bool = setting(
        True,
        help="Networks trained on this actor: close lips and lids that nearly touch",
        label="Close Lips and Lids",
    )
    landmarker: str = setting("mediapipe-478", help="Landmark network to use: mediapipe-478 or heatmap-68")
    landmark_model: Path | None = setting(None, help="Network file, for landmark networks of your own (heatmap-68)")
    threads: int = setting(1, help="Processor threads", min=1, max=64)
