"""What is asked about left and right of footage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting
from .solve import mirror_setting


@dataclass(frozen=True, kw_only=True)
class SidesSettings:
    """Settings of one look at footage."""

    video: Path = setting(help="Video file; or a folder, picture or pattern (frame_%04d.png) of an image sequence")
    out: Path = setting(Path("sides"), help="Folder to write the picture to; made if it does not exist")
    curves: Path | None = setting(
        None,
        help="Live Link Face CSV, or a take, of the same performance; if not given: look at the picture",
    )
    start: str | None = setting(None, help="First frame to look at: a frame number (120) or a time (4.5s)")
    end: str | None = setting(None, help="Last frame to look at, written like the start")
    mirror: bool = mirror_setting()
    fps: float | None = setting(None, help="Frame rate of an image sequence", unit="fps", min=0.1, max=1000)
    threads: int = setting(1, help="Processor threads", min=1, max=64)
