"""The Virtual Motion Capture protocol: a VRM avatar's expressions and bones as messages of Open Sound Control.

    /VMC/Ext/OK          1: the model is loaded
    /VMC/Ext/T           seconds of the sender's clock
    /VMC/Ext/Bone/Pos    bone, place x y z, turn x y z w, both seen from the bone above; of Unity's axes
    /VMC/Ext/Blend/Val   expression, 0 to 1
    /VMC/Ext/Blend/Apply heed the values that came since

Expressions are ARKit's 52 with a capital ("Perfect Sync"), or VRM's own few (`vrm_expressions`). Unity's axes are x to
the avatar's right, y up, z out of the face, left-handed: its angles about y, x and z are yaw, pitch and roll of
`live_link`. Values stay until others come, so whoever reads remembers them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...errors import FacecapError
from ...rig.channels import ARKIT_CHANNELS
from ...takes.formats.live_link import eye_angles, eye_gaze, head_angles, head_rotation
from .osc import OscMessage, read_messages, write_bundle, write_message
from .vrm_expressions import arkit_of_expressions, expressions_of_arkit
from .wire_face import WireFace

PORT = 39539
"""That programs which show an avatar listen to."""
PERFECT_SYNC = {channel: channel[0].upper() + channel[1:] for channel in ARKIT_CHANNELS}

_BUNDLE_BYTES = 1400
"""More would travel in several pieces, of which one lost is all lost."""
_MOST_NAMES, _LONGEST_NAME, _LARGEST = 512, 128, 1e6
_BONES = ("Head", "LeftEye", "RightEye")
# About where a person's are, seen from the bone above: some programs put bones where they are told.
_PLACES = {"Head": (0.0, 0.09, 0.01), "LeftEye": (-0.03, 0.06, 0.02), "RightEye": (0.03, 0.06, 0.02)}


class VmcReader:
    """Puts faces together from one sender's datagrams; a face is whole when its values are to be heeded."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._turns: dict[str, F64] = {}
        self._clock_s: float | None = None
        self._told_s = -np.inf
        self._keeps_time = True
        self._applies = False

    def __call__(self, data: bytes) -> WireFace | None:
        """Read a datagram; the face that it completes, if any. Raises FacecapError for anything else."""
        try:
            messages = [one for one in read_messages(data) if one.address.startswith("/VMC/")]
            if not messages:
                raise ValueError("no message of this protocol")
            whole = [self._heed(message) for message in messages]
        except ValueError as error:
            raise FacecapError(
                f"Something sent a packet that is not of the VMC protocol ({error}).", "Check the sender's settings."
            ) from error
        return self._face() if any(whole) else None

    def _heed(self, message: OscMessage) -> bool:
        """Take a message in; whether a face is whole with it."""
        values = message.values
        if message.address == "/VMC/Ext/Blend/Val":
            name = values[0] if values else None
            if not isinstance(name, str) or len(name) > _LONGEST_NAME:
                raise ValueError("an expression without a name")
            if name not in self._values and len(self._values) >= _MOST_NAMES:
                raise ValueError("too many expressions")
            (self._values[name],) = _numbers(values[1:], 1)
        elif message.address == "/VMC/Ext/Bone/Pos":
            if values and values[0] in _BONES:
                turn = np.array(_numbers(values[1:8], 7)[3:])
                if not 0.5 < np.linalg.norm(turn) < 2:
                    raise ValueError("a turn that is none")
                self._turns[str(values[0])] = turn
        elif message.address == "/VMC/Ext/T":
            (self._clock_s,) = _numbers(values[:1], 1)
            return not self._applies and bool(self._turns)  # a sender of bones alone never applies
        elif message.address == "/VMC/Ext/Blend/Apply":
            self._applies = True
            return True
        return False

    def _face(self) -> WireFace:
        time_s = self._clock_s
        if time_s is not None and self._applies:
            # A clock that stands still is none.
            self._keeps_time, self._told_s = self._keeps_time and time_s > self._told_s, time_s
        values = dict(self._values)
        values |= {name: value for name, value in arkit_of_expressions(values).items() if name not in values}
        eyes = [self._turns.get(bone) for bone in ("LeftEye", "RightEye")]
        gaze = None
        if eyes[0] is not None and eyes[1] is not None:
            gaze = eye_gaze(np.concatenate([_angles(eye) for eye in eyes if eye is not None])[None])[0]
        head = self._turns.get("Head")
        return WireFace(
            tuple(values),
            np.array(list(values.values()), np.float32),
            None if head is None else head_rotation(_angles(head)[None])[0],
            None,
            gaze,
            time_s if self._keeps_time else None,
        )


def write_datagrams(face: WireFace, *, expressions: bool = False) -> list[bytes]:
    """A face, whose channels are ARKit's, as datagrams.

    Args:
        expressions: as VRM's own few expressions instead of Perfect Sync, for avatars that have no more.
    """
    head = [OscMessage("/VMC/Ext/OK", (1,)), OscMessage("/VMC/Ext/T", (float(face.time_s or 0.0),))]
    turns: dict[str, F64] = {}
    if face.head_wxyz is not None:
        turns["Head"] = head_angles(face.head_wxyz[None])[0]
    if face.gaze_rad is not None:
        turns["LeftEye"], turns["RightEye"] = eye_angles(face.gaze_rad[None]).reshape(2, 3)
    for bone, angles in turns.items():
        turn = Rotation.from_euler("YXZ", angles * [1, 1, 1 if bone == "Head" else 0]).as_quat()
        head.append(OscMessage("/VMC/Ext/Bone/Pos", (bone, *_PLACES[bone], *(float(value) for value in turn))))
    values: Mapping[str, float] = {}
    if face.weights is not None:
        weights = dict(zip(face.channels, map(float, face.weights), strict=True))
        named = {PERFECT_SYNC[name]: value for name, value in weights.items() if name in PERFECT_SYNC}
        values = expressions_of_arkit(weights) if expressions else named
    messages = [*head, *(OscMessage("/VMC/Ext/Blend/Val", (name, value)) for name, value in values.items())]
    return _bundled([write_message(one) for one in [*messages, OscMessage("/VMC/Ext/Blend/Apply")]])


def _bundled(messages: list[bytes]) -> list[bytes]:
    """Messages in as few bundles as datagrams hold whole."""
    bundles: list[list[bytes]] = [[]]
    size = 16
    for message in messages:
        if size + 4 + len(message) > _BUNDLE_BYTES:
            bundles.append([])
            size = 16
        bundles[-1].append(message)
        size += 4 + len(message)
    return [write_bundle(one) for one in bundles]


def _numbers(values: tuple[object, ...], count: int) -> list[float]:
    numbers = [float(value) for value in values if isinstance(value, (int, float)) and abs(value) <= _LARGEST]
    if len(numbers) != count or len(values) != count:
        raise ValueError("absurd values")
    return numbers


def _angles(turn: F64) -> F64:
    """Yaw, pitch, roll in rad of a turn x, y, z, w."""
    return np.asarray(Rotation.from_quat(turn).as_euler("YXZ"), np.float64)
