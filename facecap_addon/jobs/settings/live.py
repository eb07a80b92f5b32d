"""What live capture is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting
from ...takes.filters.options import FILTER_LABELS, FILTERS, FilterChoice
from .solve import mirror_setting

# Of `live.sources`, which imports what takes long to load.
CAMERA_SIZES = ("as it is", "640x480", "800x600", "1280x720", "1920x1080", "2560x1440", "3840x2160")

# Of `live.wire.formats`.
SEND_LABELS = {
    "live-link-face": ("Live Link Face", "Packets of 61 values, as game engines take them"),
    "ifacialmocap": ("iFacialMocap", "Lines of text, version 2"),
    "ifacialmocap-v1": ("iFacialMocap, Version 1", "Lines of text, as phones send them at first"),
    "ifacialmocap-tcp": ("iFacialMocap, TCP", "Lines of text of which none gets lost"),
    "vmc": ("VMC, Perfect Sync", "ARKit's 52 for an avatar, with head and eyes"),
    "vmc-expressions": ("VMC, Expressions", "Vowels, blinks and moods, for an avatar without ARKit's 52"),
}
SEND_FORMATS = tuple(SEND_LABELS)


@dataclass(frozen=True, kw_only=True)
class CurveFilterSettings:
    """A choice of filter."""

    filter: str = setting(
        "hybrid",
        help="Filter: hybrid (Kalman, then Savitzky-Golay; keeps fast motion such as blinks), kalman-sg (these two and "
        "nothing else, as in FACEGOOD's paper), one-euro, median or none",
        tooltip="How the curves are smoothed",
        choices=FILTERS,
        choice_labels=FILTER_LABELS,
    )
    cutoff_hz: float = setting(
        4.0, help="Motion slower than this is kept; less is smoother", unit="Hz", min=0.1, max=60, label="Cut-Off"
    )
    radius: int = setting(
        3, help="Frames before and after each one that the filter looks at", min=1, max=60, label="Frames Around"
    )
    order: int = setting(2, help="Degree of the Savitzky-Golay polynomial; more follows faster motion", min=0, max=8)

    def choice(self, *, delay: int = 0) -> FilterChoice:
        """The filter. Raises FacecapError where the numbers do not fit."""
        return FilterChoice(self.filter, self.cutoff_hz, self.radius, self.order, delay)


@dataclass(frozen=True, kw_only=True)
class LiveSettings(CurveFilterSettings):
    """Settings of live capture."""

    source: str = setting(
        help="Where the face comes from: a camera's number (0) or name, a video file played at its own rate, or "
        "udp[:PORT] for Live Link Face, ifacialmocap[:PORT], ifacialmocap-tcp[:PORT], vmc[:PORT]"
    )
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or a rig .npz to animate; without it the sample head is used"
    )
    actor: Path | None = setting(
        None,
        help="Who performs before a camera, solved by landmarks: an .actor.json, or a .take.npz of hers; "
        "if not given: found in the first second",
    )
    method: str = setting(
        "landmarks",
        help="How to solve: landmarks, or a .facecap file, a network trained on this actor for live capture (dfcn)",
        tooltip="How the face is solved",
        choices=("landmarks",),
        or_file=".facecap",
        choice_labels={"landmarks": ("Fast", "Follow the landmarks of the face")},
    )
    camera_size: str = setting(
        "as it is",
        help="Picture size to ask the camera for",
        choices=CAMERA_SIZES,
        label="Size",
        choice_labels={
            "as it is": ("Camera Default", "The size that the camera gives by itself"),
            **{size: (size.replace("x", " × "), "") for size in CAMERA_SIZES[1:]},
        },
    )
    camera_fps: float | None = setting(
        None,
        help="Frame rate to ask the camera for; if not given: its own",
        unit="fps",
        min=1,
        max=1000,
        label="Rate",
    )
    mirror: bool = mirror_setting()
    local_only: bool = setting(
        True,
        help="Listen to programs on this computer only; off: to phones and programs in its networks, too",
        label="This Computer Only",
    )
    phone: str | None = setting(
        None,
        help="Address of the phone, as 192.168.1.7: it alone is listened to; iFacialMocap is asked for its face",
        label="Phone",
    )
    exchange_sideways: bool = setting(
        False,
        help="Exchange left and right of jaw and mouth as wholes (jawLeft, mouthLeft), which phones name otherwise",
        tooltip="Exchange left and right of jaw and mouth as wholes, which phones name the other way",
        label="Exchange Jaw and Mouth",
    )
    out: Path = setting(Path("live"), help="Folder for recordings and for the prepared character")
    record: bool = setting(False, help="Record from the start")
    seconds: float | None = setting(None, help="Stop after so long", unit="s", min=0.1, max=86400)
    neutral_after: float | None = setting(
        None, help="Set the neutral pose so long after a face is first seen", unit="s", min=0.0, max=3600
    )
    focal_px: float | None = setting(
        None, help="Focal length of the camera; if not given: estimated", unit="px", min=10, max=1e6
    )
    delay: int = setting(
        0,
        help="Frames the filter may wait: smoother, but later",
        unit="frame",
        min=0,
        max=60,
        label="Wait (Frames)",
    )
    send: str | None = setting(
        None,
        help="HOST:PORT of a program to stream the face to; if not given: nothing is sent",
    )
    send_as: str = setting(
        "live-link-face",
        help="Format to stream in: live-link-face (61 values, for game engines), ifacialmocap (version 2), "
        "ifacialmocap-v1, ifacialmocap-tcp, vmc (Perfect Sync) or vmc-expressions (VRM's own few)",
        tooltip="Format in which the face is streamed",
        choices=SEND_FORMATS,
        label="Format",
        choice_labels=SEND_LABELS,
    )
    picture: Path | None = setting(
        None, help="File that holds the newest picture while capture runs, small (.npy), for other programs to show"
    )
    precision: str = setting(
        "fp32", help="Networks trained on this actor: 32-bit or 8-bit numbers", choices=("fp32", "int8")
    )
    blender: Path | None = setting(None, help="Blender program to read .blend characters with")
    threads: int = setting(1, help="Processor threads", min=1, max=64)
