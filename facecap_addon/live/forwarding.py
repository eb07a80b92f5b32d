"""Sends faces on as Live Link Face packets, to one address that the user named."""

from __future__ import annotations

import socket

import numpy as np

from ..errors import FacecapError
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import match_channels
from ..takes.formats.live_link import eye_angles, head_angles
from .live_frame import LiveFace
from .wire.live_link import COUNT, WIRE_CHANNELS, FacePacket, encode_packet


class FaceSender:
    """A socket that sends a character's faces.

    Args:
        target: host and port, see `address_of`.  rig: the character; what it lacks is sent as zero.
    """

    def __init__(self, target: tuple[str, int], rig: BlendshapeRig) -> None:
        self._target, self._socket = target, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        (self._places, self._columns), _ = match_channels(rig.channels, WIRE_CHANNELS)

    def send(self, face: LiveFace) -> None:
        """Send a face; where nobody listens, nothing happens."""
        values = np.zeros(COUNT, np.float32)
        values[self._places] = face.weights[self._columns]
        angles = values[len(WIRE_CHANNELS) :]
        angles[:3] = head_angles(face.head_wxyz[None])[0]
        angles[3:] = eye_angles(face.gaze_rad[None])[0]
        try:
            self._socket.sendto(encode_packet(FacePacket("FaceCap", "FaceCap", face.time_s, values)), self._target)
        except OSError:
            return  # nobody listens, or the network is away: capture goes on


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
