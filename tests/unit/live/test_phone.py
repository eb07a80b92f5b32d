"""The phone link: the wire has the engine's order, every packet of a real phone counts, nothing ends a capture."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.live.forwarding import FaceSender
from facecap_addon.live.live_solvers import PacketMethod
from facecap_addon.live.recording import Recording
from facecap_addon.live.sources import network as sources
from facecap_addon.live.sources.capture_thread import SourceWishes
from facecap_addon.live.sources.network import NetworkSource
from facecap_addon.live.sources.packet_stream import PacketStream
from facecap_addon.live.wire.formats import WIRE_FORMATS
from facecap_addon.live.wire.live_link import WIRE_ANGLES, WIRE_CHANNELS, WIRE_SHAPES, decode_packet, read_datagram
from facecap_addon.takes.formats.live_link import eye_gaze, look_gaze
from facecap_addon.takes.take import STATUS_MISSING
from tests.patience import PATIENCE_S
from tests.unit.live.test_capture import character, face

STREAM = Path(__file__).resolve().parents[3].parent / "shared/data/live/phone_stream.udp"
PREFIX_BYTES = 41
LIVE_LINK = WIRE_FORMATS["live-link-face"]

# EARFaceBlendShape as Epic publishes it (dev.epicgames.com, API/Runtime/AugmentedReality/EARFaceBlendShape).
PUBLISHED_TEXT = """
EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft
EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight
JawForward JawLeft JawRight JawOpen MouthClose MouthFunnel MouthPucker MouthLeft MouthRight MouthSmileLeft
MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight
MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight MouthLowerDownLeft
MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft
BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut HeadYaw HeadPitch
HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll
"""
PUBLISHED = PUBLISHED_TEXT.split()


def packet_bytes(frame: int, values: list[float] | None, subject: bytes = b"Sample_iPhone") -> bytes:
    """The documented layout, written down by hand."""
    device = b"00000000-0000-4000-8000-000000000001"
    head = b"\x06" + struct.pack("!i", len(device)) + device + struct.pack("!i", len(subject)) + subject
    head += struct.pack("!ifii", frame, 0.25, 60, 1)
    return head if values is None else head + struct.pack("!B61f", 61, *values)


def test_the_wire_has_the_published_order_of_the_engine() -> None:
    assert [*WIRE_SHAPES, *WIRE_ANGLES] == PUBLISHED
    for number, name in enumerate(PUBLISHED[:52]):
        values = [0.0] * 61
        values[number] = 0.5
        method = PacketMethod(character(*WIRE_CHANNELS), LIVE_LINK)
        found = method.face_of(read_datagram(packet_bytes(1, values)), 0.0)
        assert found is not None
        assert [WIRE_SHAPES[k] for k in np.flatnonzero(found.weights)] == [name]


def test_what_is_sent_lies_where_the_engine_looks_for_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine:
        engine.bind(("127.0.0.1", 0))
        engine.settimeout(PATIENCE_S)
        names = ("jaw_left", "jawRight", "mouthLeft", "Mouth_Right", "eyeBlinkLeft")
        sender = FaceSender(engine.getsockname(), character(*names), LIVE_LINK)
        sender.send(face(1.0, 0.1, 0.2, 0.3, 0.4, 0.5))
        data = engine.recv(4096)
    values = struct.unpack("!61f", data[-244:])
    wanted = {"JawLeft": 0.1, "JawRight": 0.2, "MouthLeft": 0.3, "MouthRight": 0.4, "EyeBlinkLeft": 0.5}
    for name, value in wanted.items():
        assert values[PUBLISHED.index(name)] == pytest.approx(value, abs=1e-6)


def replayed(datagrams: list[bytes]) -> tuple[PacketStream, Recording]:
    """What a recording of these datagrams holds, each arriving at 60 per second."""
    stream, method = PacketStream(LIVE_LINK), PacketMethod(character(*WIRE_CHANNELS), LIVE_LINK)
    recording = Recording(WIRE_CHANNELS)
    for number, data in enumerate(datagrams):
        heard = stream.take_in(data, "192.168.1.7", 1000 + number / 60)
        if heard is not None:
            recording.add(heard[0], method.face_of(heard[1], heard[0]))
    return stream, recording


def test_frames_without_a_face_are_missing_frames_and_keep_the_senders_lock() -> None:
    seen = [0.25] * 52 + [0.0] * 9
    datagrams = [packet_bytes(100 + i, None if 20 <= i < 170 else seen) for i in range(200)]
    assert len(datagrams[20]) == 74
    # Another phone that sends meanwhile does not take over, although the first sees no face for 2.5 s.
    both = [one for i, data in enumerate(datagrams) for one in (data, packet_bytes(i, seen, b"other"))]
    stream, recording = replayed(both)
    assert stream.foreign == 0
    take = recording.take({}, (0, 0))
    assert take.frame_count == 200
    assert (take.status == STATUS_MISSING).sum() == 150
    assert any("other" in note for note in stream.notes)


@pytest.mark.skipif(not STREAM.is_file(), reason=f"the recorded stream is not there: {STREAM}")
def test_every_packet_of_a_real_phone_counts() -> None:
    data = STREAM.read_bytes()
    prefix = data[:PREFIX_BYTES]
    datagrams = [prefix + rest for rest in data.split(prefix)[1:]]
    assert len(datagrams) == 567
    stream, recording = replayed(datagrams)
    assert stream.foreign == 0
    take = recording.take({}, (0, 0))
    assert take.frame_count == 567
    assert (take.status == STATUS_MISSING).sum() == 7
    assert (np.diff(take.time_s) > 0.008).all()
    # The eyes' angles and the keys of looking say the same: so do ours, where only the keys are known.
    values = np.stack([packet.values for packet in map(decode_packet, datagrams) if packet.values is not None])
    looked, told = look_gaze(WIRE_CHANNELS, values[:, :52]), eye_gaze(values[:, 55:].astype(float))
    for eye in range(2):
        for way in range(2):
            assert np.corrcoef(looked[:, eye, way], told[:, eye, way])[0, 1] > 0.99
    assert np.abs(looked - told).max() < 0.1


class WindowsSocket(socket.socket):
    """A socket that refuses datagrams larger than the buffer, as those of Windows do."""

    failures = 0

    def recvfrom(self, size: int, *more: int) -> tuple[bytes, object]:
        if WindowsSocket.failures:
            WindowsSocket.failures -= 1
            raise OSError(10052, "the network dropped the connection")
        data, address = super().recvfrom(1 << 17, *more)
        if len(data) > size:
            raise OSError(10040, "A message sent on a datagram socket was larger than the buffer")
        return data, address


def test_large_datagrams_and_a_network_that_is_away_do_not_end_a_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.socket, "socket", WindowsSocket)
    source = NetworkSource(LIVE_LINK, 0, SourceWishes())
    values = [0.5] * 52 + [0.0] * 9
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        target = ("127.0.0.1", source.port)
        sender.sendto(bytes(3000), target)
        sender.sendto(bytes(60_000), target)
        WindowsSocket.failures = 3
        for number in range(200):
            sender.sendto(packet_bytes(number, values), target)
            if source.mailbox.get(0.05) is not None:
                break
            assert not source.mailbox.ended
        else:
            pytest.fail("nothing came after the large datagrams")
    assert source.foreign >= 2
    source.close()


def test_it_is_said_where_to_send_and_who_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "list_own_addresses", lambda: ["192.168.1.20", "10.0.0.4"])
    source = NetworkSource(LIVE_LINK, 0, SourceWishes(local_only=False))
    assert source.address == "0.0.0.0"
    assert f"192.168.1.20 or 10.0.0.4, port {source.port}" in source.waiting
    assert "Every network of this computer is listened to" in source.waiting
    assert any("Every network" in note for note in source.notes)
    source.close()
    alone = NetworkSource(LIVE_LINK, 0, SourceWishes())
    assert f"127.0.0.1, port {alone.port}" in alone.waiting
    assert alone.address == "127.0.0.1"
    alone.close()
    monkeypatch.setattr(sources, "list_own_addresses", list)
    lost = NetworkSource(LIVE_LINK, 0, SourceWishes(local_only=False))
    assert "no network address" in lost.waiting
    lost.close()


def test_own_addresses_are_asked_for_without_sending() -> None:
    for elsewhere in sources._ELSEWHERE:
        socket.inet_aton(elsewhere)  # a number, so no name is looked up: that would send, and wait
    for address in sources.list_own_addresses():
        assert not address.startswith("127.")
        socket.inet_aton(address)
