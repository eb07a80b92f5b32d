"""Where live pictures and live curves come from: a camera, a video played at its own rate, the network."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Protocol

from ...errors import FacecapError
from ...footage.footage import open_footage
from ...footage.read import read_frames
from ..wire.formats import SOURCE_FORMATS, WIRE_FORMATS, WireFormat
from .camera import CameraSource, find_camera, list_cameras, no_picture
from .capture_thread import POLL_S, Captured, Capturing, LivePicture, SourceWishes
from .latest_item import Mailbox
from .network import NetworkSource
from .playback import Playback

_NETWORK = re.compile(r"(?P<name>[a-z-]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


class Source(Protocol):
    """Something that fills a mailbox from a thread of its own."""

    mailbox: Mailbox[Captured]
    size_px: tuple[int, int]
    waiting: str
    """What to do where nothing comes, or ""."""

    @property
    def clock_s(self) -> float | None:
        """The sender's own clock at time 0, s; None: it has none."""
        ...

    def close(self) -> None:
        """End the thread and let go of the device."""
        ...

    @property
    def notes(self) -> list[str]:
        """What there is to say about it."""
        ...


def open_source(name: str, wishes: SourceWishes | None = None) -> Source:
    """A camera, a video or what a network brings. Raises FacecapError if it cannot be had.

    What is no number, no file that is there and no name of a camera is not opened: no address of the network is.

    Args:
        name: of a camera, or its number; a video file; or of SOURCE_FORMATS, with `:PORT` if unusual.
    """
    wishes, name = wishes or SourceWishes(), name.strip()
    form = network_format(name)
    if form is not None:
        match = _NETWORK.fullmatch(name)
        return NetworkSource(form, int((match and match["port"]) or form.port), wishes)
    path = Path(name)
    if name.isdecimal() or not _is_footage(path):
        cameras = list_cameras(sys.platform)
        camera = find_camera(name, sys.platform, cameras)
        if camera is not None:
            return CameraSource(camera, wishes)
        if name.isdecimal():
            raise no_picture(f"Camera {name}")
        if not path.suffix and len(path.parts) < 2:
            known = ", ".join(dict.fromkeys(listed.description for listed in cameras))
            raise FacecapError(
                f"There is no camera and no video called {name}.",
                f"The cameras here are: {known}." if known else "No camera was found; plug one in, or choose a video.",
            )
    return VideoSource(path)


def network_format(name: str) -> WireFormat | None:
    """The format of a source that is listened to on the network; None: it is none of those."""
    match = _NETWORK.fullmatch(name.strip())
    form = SOURCE_FORMATS.get(match["name"].lower()) if match else None
    return WIRE_FORMATS[form] if form else None


def _is_footage(path: Path) -> bool:
    """Whether a file or a folder is there; /dev/video0 is neither."""
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):
        return False


class VideoSource(Capturing):
    """A video file, each frame at the time it has in the file, see `Playback`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._footage = open_footage(path)
        self.size_px = self._footage.size_px
        self._begin(self._play)

    def _play(self) -> None:
        reader = read_frames(self._footage)
        playback, first = Playback(), None
        try:
            for index, frame in enumerate(reader):
                first = frame.time_s if first is None else first
                due = playback.due_s(frame.time_s - first, time.monotonic())
                if due is None:
                    self.mailbox.skip()
                    continue
                while (wait := due - time.monotonic()) > 0:
                    if self._stop.wait(min(wait, POLL_S)):
                        return
                if self._stop.is_set():
                    return
                self.mailbox.put(LivePicture(index, frame.time_s - first, due, frame.image))
        finally:
            reader.close()
            if playback.held_s:
                self._notes.append(
                    f"The video is decoded more slowly than it plays: it was held back by {playback.held_s:.1f} s."
                )
