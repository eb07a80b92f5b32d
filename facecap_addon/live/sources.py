"""Where live pictures and live curves come from: a camera, a video played at its own rate, a phone over UDP."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError
from ..footage.footage import open_footage
from ..footage.read import read_frames
from .mailbox import Mailbox
from .packet_stream import PacketStream
from .packets import FacePacket
from .playback import Playback

PORT = 11111
"""Live Link Face's own."""
_UDP = re.compile(r"udp(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
AS_IT_IS = "as it is"
_POLL_S = 0.1
_FAILED_READS = 30
_PACKETS_WAITING = 64
"""Packets that may wait; a face is made of one in a thousandth of a second."""
_DATAGRAM_BYTES = 65536
"""Room for any datagram: Windows calls one that does not fit an error."""
_ELSEWHERE = ("192.0.2.1", "192.168.254.254", "10.254.254.254", "172.31.254.254")
"""Addresses in the networks that phones are in; asking for the way there sends nothing."""


@dataclass(frozen=True)
class LivePicture:
    """A captured picture.

    Attributes:
        index: number since the start.  time_s: since the start, true time.  captured_s: of the monotonic clock.
        image: (H, W, 3) uint8 RGB.
    """

    index: int
    time_s: float
    captured_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class LivePacket:
    """A received packet with the times of `LivePicture`."""

    time_s: float
    captured_s: float
    packet: FacePacket


class Source(Protocol):
    """Something that fills a mailbox from a thread of its own."""

    mailbox: Mailbox[Any]
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


@dataclass(frozen=True)
class SourceWishes:
    """How a source is to be opened.

    Attributes:
        camera_size: to ask a camera for, as 1280x720, or AS_IT_IS.
        camera_fps: pictures per second to ask a camera for, or None.
        local_only: whether to listen to programs on this computer only, not to the network.
    """

    camera_size: str = AS_IT_IS
    camera_fps: float | None = None
    local_only: bool = False


def open_source(name: str, wishes: SourceWishes | None = None) -> Source:
    """A camera by number, a video file by path, or `udp[:PORT]`. Raises FacecapError if it cannot be had."""
    wishes = wishes or SourceWishes()
    match = _UDP.fullmatch(name.strip())
    if match:
        return PacketSource(int(match["port"] or PORT), local_only=wishes.local_only)
    if name.strip().isdigit():
        return CameraSource(int(name), wishes)
    return VideoSource(Path(name))


def own_addresses() -> list[str]:
    """This computer's addresses in the networks it is connected to, the likeliest first; nothing is sent."""
    found: list[str] = []
    for elsewhere in _ELSEWHERE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((elsewhere, 9))
            found.append(str(probe.getsockname()[0]))
    return [address for address in dict.fromkeys(found) if not address.startswith(("127.", "0."))]


class _Capturing:
    """A thread that captures until it is told to stop."""

    def __init__(self, room: int = 1) -> None:
        self.mailbox: Mailbox[Any] = Mailbox(room)
        self.size_px: tuple[int, int] = (0, 0)
        self.waiting = ""
        self._stop = threading.Event()
        self._notes: list[str] = []

    @property
    def notes(self) -> list[str]:
        return list(self._notes)

    def _begin(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self.mailbox.close(error)
            else:
                self.mailbox.close()

        self._thread = threading.Thread(target=guarded, name="facecap-live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2.0)


class CameraSource(_Capturing):
    """A camera of this machine; the size and rate asked for are wishes, and it is said what came of them."""

    def __init__(self, number: int, wishes: SourceWishes | None = None) -> None:
        super().__init__()
        wishes = wishes or SourceWishes()
        self._camera = cv2.VideoCapture(number)
        if self._camera.isOpened():
            _ask(self._camera, wishes)
        found, picture = self._camera.read() if self._camera.isOpened() else (False, np.zeros((1, 1, 3)))
        if not found:
            self._camera.release()
            raise FacecapError(
                f"Camera {number} gives no picture.",
                "Check that it is plugged in, that no other program uses it, and that programs may use the camera.",
            )
        self.size_px = (picture.shape[1], picture.shape[0])
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._tell(wishes)
        self._begin(self._capture)

    def _tell(self, wishes: SourceWishes) -> None:
        """Say what the camera gives where that is not what was asked for."""
        size, fps = "{}x{}".format(*self.size_px), float(self._camera.get(cv2.CAP_PROP_FPS))
        if wishes.camera_size not in (AS_IT_IS, size):
            self._notes.append(f"The camera gives {size} instead of {wishes.camera_size}.")
        if wishes.camera_fps is not None and fps > 0 and abs(fps - wishes.camera_fps) > 0.5:
            self._notes.append(f"The camera gives {fps:.3g} pictures per second instead of {wishes.camera_fps:.3g}.")

    def _capture(self) -> None:
        began, index, failed = time.monotonic(), 0, 0
        try:
            while not self._stop.is_set():
                found, picture = self._camera.read()
                now = time.monotonic()
                if not found:
                    failed += 1
                    if failed >= _FAILED_READS:
                        raise FacecapError("The camera stopped sending pictures.", "Plug it in and start again.")
                    time.sleep(0.02)
                    continue
                failed = 0
                rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
                self.mailbox.put(LivePicture(index, now - began, now, rgb))
                index += 1
        finally:
            self._camera.release()


class VideoSource(_Capturing):
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
                    if self._stop.wait(min(wait, _POLL_S)):
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


class PacketSource(_Capturing):
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
        self._socket.settimeout(_POLL_S)
        self._stream = PacketStream()
        self.waiting = _where_to_send(self.port, local_only=local_only)
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


def _where_to_send(port: int, *, local_only: bool) -> str:
    """What to type on the phone."""
    if local_only:
        return f"Waiting for a program on this computer to send to 127.0.0.1, port {port}."
    addresses = own_addresses()
    if not addresses:
        return "This computer has no network address: connect it to the network that the phone is in."
    where = " or ".join(addresses)
    return (
        f"Waiting for the phone: in Live Link Face, add the target {where}, port {port}. "
        "Every network of this computer is listened to."
    )


def _ask(camera: cv2.VideoCapture, wishes: SourceWishes) -> None:
    """Ask a camera for a size and a rate."""
    if wishes.camera_size == AS_IT_IS and wishes.camera_fps is None:
        return
    # Uncompressed, most cameras give large pictures at a few frames per second only.
    camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    if wishes.camera_size != AS_IT_IS:
        width, height = wishes.camera_size.split("x")
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, int(width))
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, int(height))
    if wishes.camera_fps is not None:
        camera.set(cv2.CAP_PROP_FPS, wishes.camera_fps)
