"""Live Link Face over UDP: the packet that phones send and game engines read.

    version            1 byte, 6
    device             text: 4 bytes length, then UTF-8
    subject            text
    frame, sub-frame   4 bytes integer, 4 bytes float
    rate               numerator, denominator, 4 bytes integers each
    count              1 byte, 61; absent where no face is seen: the packet ends before it
    values             count floats of 4 bytes, in the order of WIRE_SHAPES, then of WIRE_ANGLES

Integers and floats are big-endian. Whatever comes from a network is checked before it is believed.

The order is that of the engine's enum of face curves, which is not that of the app's CSV: the CSV has JawRight before
JawLeft and MouthRight before MouthLeft (see `rig.sides`).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...takes.formats.live_link import eye_angles, eye_gaze, head_angles, head_rotation
from .wire_face import WireFace

WIRE_SHAPES: tuple[str, ...] = (
    *("EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft", "EyeSquintLeft"),
    *("EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight", "EyeLookOutRight", "EyeLookUpRight"),
    *("EyeSquintRight", "EyeWideRight", "JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel"),
    *("MouthPucker", "MouthLeft", "MouthRight", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft"),
    *("MouthFrownRight", "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight"),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight"),
    *("MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft"),
    *("BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft"),
    *("CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
"""Unreal's EARFaceBlendShape, values 0 to 51."""
WIRE_ANGLES: tuple[str, ...] = (
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
)
"""The same enum, values 52 to 60; radians, signs as in the CSV."""
WIRE_CHANNELS = tuple(name[0].lower() + name[1:] for name in WIRE_SHAPES)
"""ARKit's names of WIRE_SHAPES."""

VERSION, COUNT = 6, len(WIRE_SHAPES) + len(WIRE_ANGLES)
MOST_BYTES = 2048
_MOST_TEXT, _MOST_RATE = 512, 1000
_LARGEST = 100.0
_HALF_LAST_BIT = 2.0**-25
"""Half of what a sub-frame in 32 bits can tell from 1."""


@dataclass(frozen=True)
class FacePacket:
    """One frame of a sender.

    Attributes:
        device, subject: names.  time_s: of the sender's clock, seconds since its midnight.
        values: (61,) float32: shapes in WIRE_SHAPES' order, then angles in rad in WIRE_ANGLES'; None where the sender
            sees no face.
    """

    device: str
    subject: str
    time_s: float
    values: NDArray[np.float32] | None


def encode_packet(packet: FacePacket, *, fps: int = 60) -> bytes:
    """A packet as bytes."""
    count = packet.time_s * fps
    whole = math.floor(count + _HALF_LAST_BIT)
    part = max(0.0, count - whole)
    head = bytes([VERSION]) + _text(packet.device) + _text(packet.subject)
    head += struct.pack("!ifii", int(whole) % (1 << 31), part, fps, 1)
    if packet.values is None:
        return head
    return head + bytes([COUNT]) + np.asarray(packet.values, ">f4").tobytes()


def decode_packet(data: bytes) -> FacePacket:
    """A packet from bytes. Raises FacecapError for anything else than Live Link Face's version 6."""
    try:
        if len(data) > MOST_BYTES or data[0] != VERSION:
            raise ValueError("no such version")
        device, at = _read_text(data, 1)
        subject, at = _read_text(data, at)
        frame, part, numerator, denominator = struct.unpack_from("!ifii", data, at)
        rest = data[at + 16 :]
        if not (0 < numerator <= _MOST_RATE * denominator and 0 <= part <= 1):
            raise ValueError("absurd frame rate")
        # A phone that sees no face ends here; other senders write a count of zero.
        if rest not in (b"", b"\0") and (rest[0] != COUNT or len(rest) != 1 + 4 * COUNT):
            raise ValueError("wrong number of values")
        values = np.frombuffer(rest[1:], ">f4").astype(np.float32) if len(rest) > 1 else None
        if values is not None and not (np.abs(values) < _LARGEST).all():  # NaN compares false, too
            raise ValueError("absurd values")
        return FacePacket(device, subject, (frame + part) * denominator / numerator, values)
    except (IndexError, ValueError, struct.error) as error:
        raise FacecapError(
            f"Something sent a packet that is not Live Link Face's ({error}).", "Check the sender's settings."
        ) from error


def read_datagram(data: bytes) -> WireFace:
    """A datagram's face. Raises FacecapError for anything else."""
    return face_of_packet(decode_packet(data))


def face_of_packet(packet: FacePacket) -> WireFace:
    """A packet's face."""
    if packet.values is None:
        return WireFace(WIRE_CHANNELS, None, time_s=packet.time_s, device=packet.device, subject=packet.subject)
    angles = packet.values[None, len(WIRE_CHANNELS) :].astype(np.float64)
    return WireFace(
        WIRE_CHANNELS,
        packet.values[: len(WIRE_CHANNELS)],
        head_rotation(angles[:, :3])[0],
        None,
        eye_gaze(angles[:, 3:])[0],
        packet.time_s,
        packet.device,
        packet.subject,
    )


def write_datagrams(face: WireFace) -> list[bytes]:
    """A face, whose channels are ARKit's, as the one datagram that it takes; what it lacks is zero."""
    values = None
    if face.weights is not None:
        values = np.zeros(COUNT, np.float32)
        place = {name: k for k, name in enumerate(WIRE_CHANNELS)}
        for name, weight in zip(face.channels, face.weights, strict=True):
            if name in place:
                values[place[name]] = weight
        angles = values[len(WIRE_CHANNELS) :]
        if face.head_wxyz is not None:
            angles[:3] = head_angles(face.head_wxyz[None])[0]
        if face.gaze_rad is not None:
            angles[3:] = eye_angles(face.gaze_rad[None])[0]
    return [encode_packet(FacePacket(face.device, face.subject, face.time_s or 0.0, values))]


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("!i", len(data)) + data


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("!i", data, at)
    if not 0 <= length <= _MOST_TEXT or at + 4 + length > len(data):
        raise ValueError("wrong length of text")
    return data[at + 4 : at + 4 + length].decode("utf-8").rstrip("\0"), at + 4 + length
