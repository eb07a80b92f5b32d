"""iFacialMocap: a line of text for each frame, over UDP, or over TCP with a mark after each.

    name-value|name-value|…|=head#x,y,z,px,py,pz|rightEye#x,y,z|leftEye#x,y,z|

Version 2, sent to whoever asks for it, has `&` between name and value, so that a value may be negative. Values are
whole hundredths; names are ARKit's with `_L` and `_R` for the sides; angles are degrees of ARKit's own axes (positive:
down, to her left, to her right shoulder); places are metres as ARKit's camera has them (x right, y up, z backwards). In
the published frames an eye's third angle is atan(tan y · sin x), to seven digits. `trackingStatus` 0: no face is seen.

A phone sends to whoever has asked it, at port 49983, by a datagram with REQUEST; over TCP it is asked in the same way,
and then connects to port 49986.
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import F32, F64
from ...errors import FacecapError
from ...rig.channels import ARKIT_CHANNELS
from ...rig.sides import side_of
from ...takes.formats.live_link import eye_angles, eye_gaze, head_angles, head_rotation
from .wire_face import WireFace

PORT, TCP_PORT = 49983, 49986
_GREETING = "sahuasouryya9218sauhuiayeta91555dy3719"
REQUEST = f"iFacialMocap_{_GREETING}|sendDataVersion=v2".encode()
TCP_REQUEST = f"iFacialMocap_UDPTCP_{_GREETING}|sendDataVersion=v2".encode()
TCP_STOP = f"iFacialMocap_UDPTCPSTOP_{_GREETING}".encode()
"""What asks a phone to send, and to end; as published, the same for everybody."""
TCP_MARK = b"___iFacialMocap"

MOST_BYTES = 8192
_MOST_PARTS, _LEAST_SHAPES = 256, 12
_LARGEST = 1000.0
_SHORT = {"Left": "_L", "Right": "_R"}
# The order of a frame that the makers publish.
_SENT_ORDER = (
    *("mouthSmile_R", "eyeLookOut_L", "mouthUpperUp_L", "eyeWide_R", "mouthClose", "mouthPucker", "mouthRollLower"),
    *("eyeBlink_R", "eyeLookDown_L", "cheekSquint_R", "eyeBlink_L", "tongueOut", "jawRight", "eyeLookIn_R"),
    *("cheekSquint_L", "mouthDimple_L", "mouthPress_L", "eyeSquint_L", "mouthRight", "mouthShrugLower", "eyeLookUp_R"),
    *("eyeLookOut_R", "mouthPress_R", "cheekPuff", "jawForward", "mouthLowerDown_L", "mouthFrown_L"),
    *("mouthShrugUpper", "browOuterUp_L", "browInnerUp", "mouthDimple_R", "browDown_R", "mouthUpperUp_R"),
    *("mouthRollUpper", "mouthFunnel", "mouthStretch_R", "mouthFrown_R", "eyeLookDown_R", "jawOpen", "jawLeft"),
    *("browDown_L", "mouthSmile_L", "noseSneer_R", "mouthLowerDown_R", "noseSneer_L", "eyeWide_L", "mouthStretch_L"),
    *("browOuterUp_R", "eyeLookIn_L", "eyeSquint_R", "eyeLookUp_L", "mouthLeft"),
)


def _short_name(channel: str) -> str:
    """`eyeBlinkLeft` as `eyeBlink_L`; the four that go sideways are written out."""
    if side_of(channel) is None:
        return channel
    side = next((side for side in _SHORT if channel.endswith(side)), "")
    return channel.removesuffix(side) + _SHORT.get(side, "")


_CHANNEL_OF = {_short_name(channel): channel for channel in ARKIT_CHANNELS} | {name: name for name in ARKIT_CHANNELS}


def read_frame(data: bytes) -> WireFace:
    """A frame of either version. Raises FacecapError for anything else."""
    try:
        if len(data) > MOST_BYTES:
            raise ValueError("too long")
        parts = data.decode("ascii").rstrip("\0").split("|")
        if len(parts) > _MOST_PARTS:
            raise ValueError("too many parts")
        shapes: dict[str, float] = {}
        turns: dict[str, F64] = {}
        seen = True
        for part in filter(None, map(str.strip, parts)):
            name, mark, numbers = part.partition("#")
            if mark:
                turns[name.lstrip("=")] = np.array([_number(text) for text in numbers.split(",")])
                continue
            name, mark, number = part.partition("&" if "&" in part else "-")
            if not mark:
                continue  # a word of a later version
            value = _number(number)
            if name in _CHANNEL_OF:
                shapes[_CHANNEL_OF[name]] = value / 100
            elif name == "trackingStatus":
                seen = value != 0
        if len(shapes) < _LEAST_SHAPES:
            raise ValueError("too few of ARKit's channels")
        head, eyes = turns.get("head"), [turns.get(f"{side}Eye") for side in ("left", "right")]
        if head is not None and len(head) not in (3, 6):
            raise ValueError("wrong number of head values")
        if any(eye is not None and len(eye) != 3 for eye in eyes):
            raise ValueError("wrong number of eye values")
    except ValueError as error:
        raise FacecapError(
            f"Something sent a frame that is not iFacialMocap's ({error}).", "Check the sender's settings."
        ) from error
    if not seen:
        return WireFace(tuple(shapes), None)
    place = None if head is None or len(head) < 6 or not head[3:].any() else head[3:] * [1, -1, -1]
    gaze = None
    if eyes[0] is not None and eyes[1] is not None:
        gaze = eye_gaze(np.concatenate([_engine_angles(eye) for eye in eyes if eye is not None])[None])[0]
    return WireFace(
        tuple(shapes),
        np.array(list(shapes.values()), np.float32),
        None if head is None else head_rotation(_engine_angles(head[:3])[None])[0],
        place,
        gaze,
    )


def write_frame(face: WireFace, *, version: int = 2) -> bytes:
    """A face, whose channels are ARKit's, as a frame; what it lacks is zero.

    Args:
        version: 1 for what phones send at first, 2 for what they send on request.
    """
    between = "&" if version == 2 else "-"
    weights: F32 | tuple[float, ...] = () if face.weights is None else face.weights
    values = dict(zip(face.channels, weights, strict=False))
    parts = [] if version == 1 else [f"trackingStatus{between}{int(face.weights is not None)}"]
    for name in _SENT_ORDER:
        hundredths = round(100 * float(values.get(_CHANNEL_OF[name], 0.0)))
        parts.append(f"{name}{between}{hundredths if version == 2 else max(0, hundredths)}")
    head, place, eyes = np.zeros(3), np.zeros(3), np.zeros((2, 3))
    if face.head_wxyz is not None:
        head = _degrees(head_angles(face.head_wxyz[None])[0])
    if face.head_m is not None:
        place = face.head_m * [1, -1, -1]
    if face.gaze_rad is not None:
        eyes = np.array([_degrees(eye) for eye in eye_angles(face.gaze_rad[None]).reshape(2, 3)])
        for eye in eyes:
            eye[2] = math.degrees(math.atan(math.tan(math.radians(eye[1])) * math.sin(math.radians(eye[0]))))
    parts.append("=head#" + _numbers([*head, *place]))
    parts += [f"{side}Eye#{_numbers(eyes[row])}" for row, side in ((1, "right"), (0, "left"))]
    return ("|".join(parts) + "|").encode("ascii")


class FrameSplitter:
    """Takes a TCP stream apart into frames. What is longer than a frame can be is dropped up to the next mark."""

    def __init__(self) -> None:
        self._rest = b""
        self._dropping = False
        self.dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete."""
        *frames, self._rest = (self._rest + data).split(TCP_MARK)
        if self._dropping and frames:
            frames, self._dropping = frames[1:], False
        if len(self._rest) > MOST_BYTES:
            self.dropped += not self._dropping
            self._rest, self._dropping = self._rest[-len(TCP_MARK) :], True
        return frames


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) <= _LARGEST:  # NaN compares false, too
        raise ValueError("absurd values")
    return value


def _engine_angles(degrees: F64) -> F64:
    """Yaw, pitch, roll in rad as Live Link Face has them, of three angles x, y, z in degrees."""
    x, y, z = np.radians(degrees)
    return np.array([-y, x, -z])


def _degrees(engine_angles: F64) -> F64:
    """The inverse of `_engine_angles`."""
    yaw, pitch, roll = np.degrees(engine_angles)
    return np.array([pitch, -yaw, -roll])


def _numbers(values: F64 | list[float]) -> str:
    """As phones write 32-bit numbers: as short as tells them apart."""
    return ",".join(np.format_float_positional(np.float32(value) + np.float32(0), trim="-") for value in values)
