"""The formats that faces are received and sent in, by the names that settings have for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from . import ifacialmocap, live_link, vmc
from .wire_face import Decoder, Encoder, WireFace


@dataclass(frozen=True)
class WireFormat:
    """A format.

    Attributes:
        label: what people call it.  port: where it is usually listened to.
        make_decoder: of one sender.  encode: a face as datagrams.
        tcp: whether it goes over TCP, each datagram followed by `ifacialmocap.TCP_MARK`.
        timecode: whether its times are of the day; others count from their sender's start, in too few bits for a day.
        request, stop: what asks a phone to send, and to end, or b"".  named: whether its channels are ARKit's.
    """

    label: str
    port: int
    make_decoder: Callable[[], Decoder]
    encode: Encoder
    tcp: bool = False
    request: bytes = b""
    stop: bytes = b""
    named: bool = True
    timecode: bool = False


def _ifacialmocap(version: int) -> Encoder:
    return lambda face: [ifacialmocap.write_frame(face, version=version)]


def _no_state(decode: Callable[[bytes], WireFace]) -> Callable[[], Decoder]:
    return lambda: decode


_I_FACIAL_MOCAP = WireFormat(
    "iFacialMocap",
    ifacialmocap.PORT,
    _no_state(ifacialmocap.read_frame),
    _ifacialmocap(2),
    request=ifacialmocap.REQUEST,
)
WIRE_FORMATS = {
    "live-link-face": WireFormat(
        "Live Link Face", 11111, _no_state(live_link.read_datagram), live_link.write_datagrams, timecode=True
    ),
    "ifacialmocap": _I_FACIAL_MOCAP,
    "ifacialmocap-v1": WireFormat("iFacialMocap", ifacialmocap.PORT, _I_FACIAL_MOCAP.make_decoder, _ifacialmocap(1)),
    "ifacialmocap-tcp": WireFormat(
        "iFacialMocap",
        ifacialmocap.TCP_PORT,
        _I_FACIAL_MOCAP.make_decoder,
        _ifacialmocap(2),
        tcp=True,
        request=ifacialmocap.TCP_REQUEST,
        stop=ifacialmocap.TCP_STOP,
    ),
    "vmc": WireFormat("VMC", vmc.PORT, vmc.VmcReader, vmc.write_datagrams, named=False),
    "vmc-expressions": WireFormat(
        "VMC", vmc.PORT, vmc.VmcReader, functools.partial(vmc.write_datagrams, expressions=True), named=False
    ),
}
"""By name; those that only differ in what is sent are received alike."""
SOURCE_FORMATS = {
    "udp": "live-link-face",
    "ifacialmocap": "ifacialmocap",
    "ifacialmocap-tcp": "ifacialmocap-tcp",
    "vmc": "vmc",
}
"""What a source is called, with the format that it is listened to in."""
