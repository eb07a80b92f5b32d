"""Where live pictures and live curves come from: a camera, a video played at its own rate, a phone over UDP."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import time
from pathlib import Path
from typing import Protocol

from ...errors import FacecapError
from ...footage.footage import open_footage
from ...footage.read import read_frames
from .camera import CameraSource, find_camera, list_cameras, no_picture
from .capture_thread import POLL_S, Captured, Capturing, LivePacket, LivePicture, SourceWishes
from .latest_item import Mailbox
from .packet_stream import PacketStream
from .playback import Playback

PORT = 11111
"""Live Link Face's own."""
_UDP = re.compile(r"udp(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
_FAILED_READS = 30
_PACKETS_WAITING = 64
"""Packets that may wait; a face is made of one in a thousandth of a second."""
_DATAGRAM_BYTES = 65536
"""Room for any datagram: Windows calls one that does not fit an error."""
_ELSEWHERE = ("192.0.2.1", "192.168.254.254", "10.254.254.254", "172.31.254.254")
"""Addresses in the networks that phones are in; asking for the way there sends nothing."""


class Source(Protocol):
    """Something that fills a mailbox from a thread of its own."""

    mailbox: Mailbox[Captured]
    size_px: tuple[int, int]
    waiting: str
    """What to do where nothing comes, or ""."""

    def close(self) -> None:
        """End the thread and let go of the device."""
        ...

    @property
    def notes(self) -> list[str]:
        """What there is to say about it."""
        ...


def open_source(name: str, wishes: SourceWishes | None = None) -> Source:
    """A camera by number or name, a video file by path, or `udp[:PORT]`. Raises FacecapError if it cannot be had.

    What is no number, no file that is there and no name of a camera is not opened: no address of the network is.
    """
    wishes, name = wishes or SourceWishes(), name.strip()
    match = _UDP.fullmatch(name)
    if match:
        return PacketSource(int(match["port"] or PORT), local_only=wishes.local_only)
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


def _is_footage(path: Path) -> bool:
    """Whether a file or a folder is there; /dev/video0 is neither."""
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):
        return False


def list_own_addresses() -> list[str]:
    """This computer's addresses in the networks it is connected to, the likeliest first; nothing is sent."""
    found: list[str] = []
    for elsewhere in _ELSEWHERE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((elsewhere, 9))
            found.append(str(probe.getsockname()[0]))
    return [address for address in dict.fromkeys(found) if not address.startswith(("127.", "0."))]


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


class PacketSource(Capturing):
    """Live Link Face packets, see `PacketStream`.

    Args:
        port: to listen to; 0: any free one.  local_only: listen to this computer only, not to its networks.
    """

    def __init__(self, port: int, *, local_only: bool = False) -> None:
        super().__init__(_PACKETS_WAITING)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            # A phone is another machine; the user switched this on.
            self._socket.bind(("127.0.0.1" if local_only else "0.0.0.0", port))  # noqa: S104
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise FacecapError(
                f"The network port {port} cannot be listened to ({error}).",
                "Another program may use it: choose another one here and on the phone, as udp:11112.",
            ) from error
        self._socket.settimeout(POLL_S)
        self._stream = PacketStream()
        self.waiting = _describe_target(self.port, local_only=local_only)
        self._notes.append(
            "Only programs on this computer were listened to."
            if local_only
            else f"Every network of this computer was listened to, at port {self.port}."
        )
        self._begin(self._listen)

    @property
    def foreign(self) -> int:
        """Datagrams that were no packets."""
        return self._stream.foreign

    @property
    def notes(self) -> list[str]:
        return [*self._notes, *self._stream.notes]

    @property
    def port(self) -> int:
        """The port that is listened to."""
        return int(self._socket.getsockname()[1])

    @property
    def address(self) -> str:
        """This computer's address that is listened to; 0.0.0.0: all of them."""
        return str(self._socket.getsockname()[0])

    def _listen(self) -> None:
        failed = 0
        try:
            while not self._stop.is_set():
                try:
                    data, address = self._socket.recvfrom(_DATAGRAM_BYTES)
                except (TimeoutError, ConnectionResetError):  # the latter on Windows: one we sent to is gone
                    continue
                except OSError as error:  # the network was away for a moment, or a datagram could not be had whole
                    failed += 1
                    if failed >= _FAILED_READS:
                        raise FacecapError(
                            f"The network port {self.port} can no longer be listened to ({error}).",
                            "Check the network and start again.",
                        ) from error
                    self._stream.leave_out()
                    self._stop.wait(0.02)
                    continue
                failed, now = 0, time.monotonic()
                heard = self._stream.take_in(data, str(address[0]), now)
                if heard is not None:
                    self.mailbox.put(LivePacket(heard[0], now, heard[1]))
        finally:
            self._socket.close()


def _describe_target(port: int, *, local_only: bool) -> str:
    """What to type on the phone."""
    if local_only:
        return f"Waiting for a program on this computer to send to 127.0.0.1, port {port}."
    addresses = list_own_addresses()
    if not addresses:
        return "This computer has no network address: connect it to the network that the phone is in."
    where = " or ".join(addresses)
    return (
        f"Waiting for the phone: in Live Link Face, add the target {where}, port {port}. "
        "Every network of this computer is listened to."
    )
