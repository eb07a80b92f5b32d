"""What a calibration of an actor is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting
from .solve import mirror_setting


@dataclass(frozen=True, kw_only=True)
class CalibrateSettings:
    """Settings of one calibration: a minute of holds in, an actor file out."""

    video: Path = setting(help="Video in which the actor holds what the guide asks for, one after the other")
    out: Path = setting(help="Folder to write the actor file to; made if it does not exist")
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or a rig .npz to calibrate on; without it the sample head is used"
    )
    marks: Path | None = setting(
        None,
        help="When what is held: a .csv of lines TIME,NAME (seconds) or a .json of the same; if not given: found "
        "automatically",
    )
    start: str | None = setting(None, help="First frame to look at: a frame number (120) or a time (4.5s)")
    end: str | None = setting(None, help="Last frame to look at, written like the start")
    match: str = setting(
        "look",
        help="What the solves count that the file is for: look, or weights",
        choices=("look", "weights"),
    )
    focal_px: float | None = setting(
        None, help="Focal length of the camera; if not given: estimated", unit="px", min=10.0, max=1e6
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
    blender: Path | None = setting(None, help="Blender program to read .blend characters with")
    threads: int = setting(1, help="Processor threads", min=1, max=64)
