"""Where live pictures and live curves come from: a camera, a video played at its own rate, a phone over UDP."""

from __future__ import annotations

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
from .packets import MOST_BYTES, FacePacket, decode_packet

PORT = 11111
"""Live Link Face's own."""
_UDP = re.compile(r"udp(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
_SILENT_S, _POLL_S, _DAY_S = 2.0, 0.1, 86400.0
_FAILED_READS = 30


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

    def close(self) -> None:
        """End the thread and let go of the device."""
        ...

    @property
    def notes(self) -> list[str]:
        """What there is to say about it."""
        ...


def open_source(name: str) -> Source:
    """A camera by number, a video file by path, or `udp[:PORT]`. Raises FacecapError if it cannot be had."""
    match = _UDP.fullmatch(name.strip())
    if match:
        return PacketSource(int(match["port"] or PORT))
    if name.strip().isdigit():
        return CameraSource(int(name))
    return VideoSource(Path(name))


class _Capturing:
    """A thread that captures until it is told to stop."""

    def __init__(self) -> None:
        self.mailbox: Mailbox[Any] = Mailbox()
        self.size_px: tuple[int, int] = (0, 0)
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
    """A camera of this machine."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._camera = cv2.VideoCapture(number)
        found, picture = self._camera.read() if self._camera.isOpened() else (False, np.zeros((1, 1, 3)))
        if not found:
            self._camera.release()
            raise FacecapError(
                f"Camera {number} gives no picture.",
                "Check that it is plugged in, that no other program uses it, and that programs may use the camera.",
            )
        self.size_px = (picture.shape[1], picture.shape[0])
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._begin(self._capture)

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
    """A video file, each frame at the time it has in the file; a frame that is not ready in time is dropped."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._footage = open_footage(path)
        self.size_px = self._footage.size_px
        self._begin(self._play)

    def _play(self) -> None:
        reader = read_frames(self._footage)
        began, first = None, 0.0
        try:
            for index, frame in enumerate(reader):
                if began is None:
                    began, first = time.monotonic(), frame.time_s
                due = began + frame.time_s - first
                while (wait := due - time.monotonic()) > 0:
                    if self._stop.wait(min(wait, _POLL_S)):
                        return
                if self._stop.is_set():
                    return
                self.mailbox.put(LivePicture(index, frame.time_s - first, due, frame.image))
        finally:
            reader.close()


class PacketSource(_Capturing):
    """Live Link Face packets. The first sender is listened to; others only when it has been silent for a while."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            # A phone is another machine; the user switched this on.
            self._socket.bind(("0.0.0.0", port))  # noqa: S104
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise FacecapError(
                f"The network port {port} cannot be listened to ({error}).",
                "Another program may use it: choose another one here and on the phone, as udp:11112.",
            ) from error
        self._socket.settimeout(_POLL_S)
        self.foreign = 0
        self._begin(self._listen)

    @property
    def port(self) -> int:
        """The port that is listened to."""
        return int(self._socket.getsockname()[1])

    def _listen(self) -> None:
        sender: tuple[object, ...] | None = None
        start = heard = ahead = 0.0
        last = -1.0
        try:
            while not self._stop.is_set():
                try:
                    data, address = self._socket.recvfrom(MOST_BYTES + 1)
                except TimeoutError:
                    continue
                except ConnectionResetError:  # Windows: somebody we sent to is gone
                    continue
                now = time.monotonic()
                try:
                    packet = decode_packet(data)
                except FacecapError:
                    self.foreign += 1
                    if self.foreign == 1:
                        self._notes.append("Packets that are not Live Link Face's were left out.")
                    continue
                this = (address[0], packet.device, packet.subject)
                if this != sender:
                    if sender is not None and now - heard < _SILENT_S:
                        note = f"“{packet.subject}” sends, too; “{sender[2]}” was first and is listened to."
                        if note not in self._notes:
                            self._notes.append(note)
                        continue
                    start = now if sender is None else start
                    sender, ahead = this, packet.time_s - (now - start)
                heard = now
                # The sender's clock, as long as it runs with ours; packets that overtook each other are left out.
                sent, ours = (packet.time_s - ahead) % _DAY_S, now - start
                time_s = sent if abs(sent - ours) < _SILENT_S else ours
                if time_s <= last:
                    continue
                last = time_s
                self.mailbox.put(LivePacket(time_s, now, packet))
        finally:
            self._socket.close()
