"""What live capture is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting
from ...takes.filters.options import FILTERS, FilterChoice

# Of `live.sources`, which imports what takes long to load.
CAMERA_SIZES = ("as it is", "640x480", "800x600", "1280x720", "1920x1080", "2560x1440", "3840x2160")


@dataclass(frozen=True, kw_only=True)
class CurveFilterSettings:
    """A choice of filter."""

    filter: str = setting(
        "hybrid",
        help="Filter: hybrid (Kalman, then Savitzky-Golay, letting go where the face moves), one-euro, median or none",
        choices=FILTERS,
    )
    cutoff_hz: float = setting(
        4.0, help="What moves slower than this stays; less is smoother", unit="Hz", min=0.1, max=60
    )
    radius: int = setting(3, help="Frames on each side of the filter's window", min=1, max=60)
    order: int = setting(2, help="Degree of Savitzky-Golay's polynomial", min=0, max=8)

    def choice(self, *, delay: int = 0) -> FilterChoice:
        """The filter. Raises FacecapError where the numbers do not fit."""
        return FilterChoice(self.filter, self.cutoff_hz, self.radius, self.order, delay)


@dataclass(frozen=True, kw_only=True)
class LiveSettings(CurveFilterSettings):
    """Settings of live capture."""

    source: str = setting(
        help="Where the face comes from: a camera's number (0) or name, a video file played at its own rate, or "
        "udp[:PORT] for Live Link Face on a phone"
    )
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or a rig .npz to animate; without it the sample head is used"
    )
    method: str = setting(
        "landmarks",
        help="How to solve pictures: the landmark fit, or a trained solver (dfcn)",
        choices=("landmarks",),
        or_file=".facecap",
    )
    camera_size: str = setting("as it is", help="Size to ask a camera for", choices=CAMERA_SIZES)
    camera_fps: float | None = setting(
        None,
        help="Pictures per second to ask a camera for; absent: its own",
        unit="fps",
        min=1,
        max=1000,
    )
    local_only: bool = setting(
        False, help="Listen for packets from this computer only, not from its networks (a phone is in one)"
    )
    out: Path = setting(Path("live"), help="Folder for recordings, and for what is kept of the character")
    record: bool = setting(False, help="Record from the start")
    seconds: float | None = setting(None, help="Stop after so long", unit="s", min=0.1, max=86400)
    neutral_after: float | None = setting(
        None, help="Take the face for relaxed so long after it is first seen", unit="s", min=0.0, max=3600
    )
    focal_px: float | None = setting(
        None, help="Focal length of the camera; absent: estimated", unit="px", min=10, max=1e6
    )
    delay: int = setting(0, help="Frames the filter may wait, for a steadier face", unit="frame", min=0, max=60)
    send: str | None = setting(
        None,
        help="HOST:PORT to send the face to as Live Link Face packets, for other programs; absent: nothing is sent",
    )
    picture: Path | None = setting(
        None, help="File that holds the newest picture while capture runs, small (.npy), for other programs to show"
    )
    precision: str = setting("fp32", help="Trained solvers: numbers in the network", choices=("fp32", "int8"))
    blender: Path | None = setting(None, help="Blender program to read .blend characters with")
    threads: int = setting(1, help="Threads for the networks", min=1, max=64)
