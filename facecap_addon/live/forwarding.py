"""Sends faces on to one address that the user named."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Protocol

import numpy as np

from ..errors import FacecapError
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import ARKIT_CHANNELS, match_channels
from .live_frame import LiveFace
from .sources.latest_item import Mailbox
from .wire.formats import WireFormat
from .wire.ifacialmocap import TCP_MARK
from .wire.wire_face import WireFace

_CONNECT_AGAIN_S, _FRAMES_WAITING = 1.0, 64
_NAME = "FaceCap"


class Link(Protocol):
    """What takes datagrams to where they are wanted."""

    def send(self, data: bytes) -> None:
        """Send; where nobody listens, nothing happens."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class FaceSender:
    """Sends a character's faces.

    Args:
        target: host and port, see `address_of`.  rig: the character; what it lacks is sent as zero.
        form: to send in.
    """

    def __init__(self, target: tuple[str, int], rig: BlendshapeRig, form: WireFormat) -> None:
        self._form = form
        self._link: Link = _TcpLink(target) if form.tcp else _UdpLink(target)
        (self._places, self._columns), _ = match_channels(rig.channels, ARKIT_CHANNELS)

    def send(self, face: LiveFace, clock_s: float = 0.0) -> None:
        """Send a face at its own time.

        Args:
            clock_s: of the day at the face's time 0.
        """
        weights = np.zeros(len(ARKIT_CHANNELS), np.float32)
        weights[self._places] = face.weights[self._columns]
        sent = WireFace(
            ARKIT_CHANNELS,
            weights,
            np.asarray(face.head_wxyz, np.float64),
            np.asarray(face.head_m, np.float64),
            np.asarray(face.gaze_rad, np.float64),
            face.time_s + (clock_s if self._form.timecode else 0.0),
            _NAME,
            _NAME,
        )
        for data in self._form.encode(sent):
            self._link.send(data)

    def close(self) -> None:
        """Send no more."""
        self._link.close()


class _UdpLink:
    def __init__(self, target: tuple[str, int]) -> None:
        self._target, self._socket = target, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody listens, or the network is away: capture goes on
            self._socket.sendto(data, self._target)

    def close(self) -> None:
        self._socket.close()


class _TcpLink:
    """A thread connects and sends, and tries again where the other side is gone; meanwhile frames are left out."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._waiting: Mailbox[bytes] = Mailbox(_FRAMES_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(target,), name="facecap-send", daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        self._waiting.put(data + TCP_MARK)

    def close(self) -> None:
        self._stop.set()
        self._waiting.close()
        self._thread.join(timeout=2.0)

    def _work(self, target: tuple[str, int]) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            with (
                contextlib.suppress(OSError),
                socket.create_connection(target, timeout=_CONNECT_AGAIN_S) as connection,
            ):
                while not self._waiting.ended:
                    data = self._waiting.get(_CONNECT_AGAIN_S)
                    if data:
                        connection.sendall(data)
            self._stop.wait(max(0.0, _CONNECT_AGAIN_S - (time.monotonic() - began)))


def address_of(text: str) -> tuple[str, int]:
    """HOST:PORT, the host's address found out once. Raises FacecapError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise FacecapError(f"{text!r} is no address to send to.", "Write it as HOST:PORT, for example 127.0.0.1:11111.")
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise FacecapError(f"The computer {host} is not known here ({error}).", "Type its number instead.") from error
    return (str(found[0][4][0]), int(port))
