"""Live capture's parts: packets that cannot harm, sources that keep time and never lag, neutral, recording."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.live.face import HEAD_FRONT_WXYZ, LiveFace
from facecap_addon.live.mailbox import Mailbox
from facecap_addon.live.methods import PacketMethod
from facecap_addon.live.neutral import Neutral
from facecap_addon.live.packets import COUNT, FacePacket, decode_packet, encode_packet
from facecap_addon.live.recording import Recording
from facecap_addon.live.smooth import SmoothFace
from facecap_addon.live.sources import CameraSource, PacketSource, VideoSource, open_source
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.takes.filters.choice import FilterChoice
from facecap_addon.takes.live_link import LIVE_LINK_SHAPES, head_angles
from facecap_addon.takes.video import video_steps


def values(**shapes: float) -> np.ndarray:
    out = np.zeros(COUNT, np.float32)
    for name, value in shapes.items():
        out[LIVE_LINK_SHAPES.index(name)] = value
    return out


def face(time_s: float, *weights: float, turn: float = 0.0) -> LiveFace:
    front = Rotation.from_quat(np.array(HEAD_FRONT_WXYZ)[[1, 2, 3, 0]])
    head = (Rotation.from_rotvec([0, turn, 0]) * front).as_quat()[[3, 0, 1, 2]]
    return LiveFace(
        time_s, np.float32(weights), head.astype(np.float32), np.float32([0, 0, 0.6]), np.zeros((2, 2), np.float32), 1.0
    )


def character(*channels: str) -> BlendshapeRig:
    random = np.random.default_rng(0)
    count = len(channels)
    return BlendshapeRig(
        neutral=random.normal(0, 0.05, (8, 3)).astype(np.float32),
        triangles=np.array([[0, 1, 2], [3, 4, 5]], np.int32),
        deltas=random.normal(0, 0.01, (count, 8, 3)).astype(np.float32),
        channels=channels,
        ranges=np.tile(np.float32([0, 1]), (count, 1)),
    )


def test_packets_are_those_of_live_link_face() -> None:
    packet = FacePacket("8F3A0C52-7B1E-4A55-9C5D-1D2E3F405162", "iPhone", 3.5, values(JawOpen=0.25, TongueOut=1.0))
    data = encode_packet(packet)
    # The documented layout, field by field.
    assert data[0] == 6
    assert struct.unpack_from("!i", data, 1)[0] == 36
    assert data[5:41] == packet.device.encode()
    assert struct.unpack_from("!i", data, 41)[0] == 6
    assert data[45:51] == b"iPhone"
    assert struct.unpack_from("!ifii", data, 51) == (210, 0.0, 60, 1)
    assert data[67] == 61
    assert len(data) == 68 + 61 * 4
    assert struct.unpack_from("!f", data, 68 + 4 * LIVE_LINK_SHAPES.index("JawOpen"))[0] == 0.25
    back = decode_packet(data)
    assert (back.device, back.subject, back.time_s) == (packet.device, "iPhone", 3.5)
    np.testing.assert_array_equal(back.values, packet.values)
    assert decode_packet(encode_packet(FacePacket("a", "b", 1.0, None))).values is None


def test_no_packet_can_do_harm() -> None:
    random = np.random.default_rng(0)
    good = encode_packet(FacePacket("device", "subject", 1.0, values(JawOpen=0.5)))
    refused = 0
    for trial in range(3000):
        data = bytearray(good)
        kind = trial % 4
        if kind == 0:
            data = bytearray(random.bytes(int(random.integers(0, 400))))
        elif kind == 1:
            data = data[: int(random.integers(0, len(data)))]
        elif kind == 2:
            for _ in range(int(random.integers(1, 6))):
                data[int(random.integers(len(data)))] = int(random.integers(256))
        else:
            data += random.bytes(int(random.integers(1, 3000)))
        try:
            packet = decode_packet(bytes(data))
        except FacecapError:
            refused += 1
            continue
        assert packet.values is None or np.isfinite(packet.values).all()
        assert np.isfinite(packet.time_s)
    assert refused > 2000
    for wrong in (np.nan, np.inf, 1e9):
        with pytest.raises(FacecapError):
            decode_packet(encode_packet(FacePacket("d", "s", 1.0, values(JawOpen=wrong))))


def test_packets_drive_keys_by_name_and_the_rest_is_reported() -> None:
    method = PacketMethod(character("Jaw_Open", "mouthSmile_L", "brow wobble"))
    found = method.face_of(FacePacket("d", "s", 0.0, values(JawOpen=0.4, MouthSmileLeft=0.7, CheekPuff=1.0)), 2.0)
    assert found is not None
    np.testing.assert_allclose(found.weights, [0.4, 0.7, 0.0], atol=1e-6)
    assert "cheekPuff" in method.unknown
    assert "jawOpen" not in method.unknown
    assert method.face_of(FacePacket("d", "s", 0.0, None), 2.0) is None
    angles = np.array([[0.3, -0.2, 0.1]])
    turned = values()
    turned[52:55] = angles
    np.testing.assert_allclose(
        head_angles(method.face_of(FacePacket("d", "s", 0.0, turned), 0.0).head_wxyz[None]), angles, atol=1e-5
    )
    with pytest.raises(FacecapError, match="ARKit"):
        PacketMethod(character("Key 1", "Key 2"))


def test_only_the_newest_counts() -> None:
    box: Mailbox[int] = Mailbox()
    for number in range(5):
        box.put(number)
    assert box.get(0.1) == 4
    assert (box.put_count, box.dropped) == (5, 4)
    assert box.get(0.01) is None
    box.close(FacecapError("The camera stopped.", ""))
    with pytest.raises(FacecapError):
        box.get(0.1)


def test_a_video_plays_at_its_own_rate_and_a_slow_solver_does_not_make_it_late(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    pictures = ((i / 25, np.full((48, 64, 3), 5 * i, np.uint8)) for i in range(40))
    list(video_steps(path, pictures, quality=10))
    source = VideoSource(path)
    began, last, seen, late = time.monotonic(), -1.0, [], []
    while not source.mailbox.ended:
        picture = source.mailbox.get(0.2)
        if picture is None:
            continue
        assert picture.time_s > last
        last = picture.time_s
        seen.append(picture.index)
        late.append(time.monotonic() - picture.captured_s)
        time.sleep(0.1)  # two and a half frames
    assert 1.4 < time.monotonic() - began < 2.6
    assert source.size_px == (64, 48)
    assert 10 <= len(seen) <= 20
    assert source.mailbox.dropped == 40 - len(seen)
    assert max(late[2:]) < 0.12
    source.close()


def _send(port: int, subject: str, number: int, **shapes: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(
            encode_packet(FacePacket("dev", subject, 10 + number / 60, values(**shapes))), ("127.0.0.1", port)
        )


def test_one_sender_is_listened_to_and_rubbish_is_left_out() -> None:
    source = PacketSource(0)
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(12):
            _send(source.port, "first", number, JawOpen=0.1 * number / 12)
            _send(source.port, "second", number, JawOpen=0.9)
            stranger.sendto(b"hello", ("127.0.0.1", source.port))
            got = source.mailbox.get(0.5)
            if got is not None:
                found.append(got)
            time.sleep(1 / 60)
    assert len(found) >= 8
    assert {p.packet.subject for p in found} == {"first"}
    assert (np.diff([p.time_s for p in found]) > 0).all()
    assert source.foreign >= 8
    assert any("second" in note for note in source.notes)
    source.close()


def test_sources_that_cannot_be_had_say_so(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="gives no picture"):
        CameraSource(97)
    with pytest.raises(FacecapError):
        open_source(str(tmp_path / "none.mp4"))
    taken = PacketSource(0)
    with pytest.raises(FacecapError, match="cannot be listened to"):
        open_source(f"udp:{taken.port}")
    taken.close()
    with pytest.raises(FacecapError):
        open_source("udp:99999")


def test_the_face_at_rest_is_zero_afterwards_and_ends_stay_ends() -> None:
    neutral = Neutral()
    assert not neutral.call()
    for i in range(20):
        neutral.apply(face(i / 30, 0.2, 0.0, turn=0.3))
    assert neutral.call()
    rest = neutral.apply(face(1.0, 0.2, 0.0, turn=0.3))
    np.testing.assert_allclose(rest.weights, [0, 0], atol=1e-6)
    np.testing.assert_allclose(np.abs(rest.head_wxyz @ np.float32(HEAD_FRONT_WXYZ)), 1, atol=1e-5)
    full = neutral.apply(face(1.1, 1.0, 0.5, turn=0.3))
    np.testing.assert_allclose(full.weights, [1, 0.5], atol=1e-6)


def test_a_recording_has_the_true_times_and_its_gaps() -> None:
    recording = Recording(("jawOpen",))
    with pytest.raises(FacecapError):
        recording.take({}, (64, 48))
    for i, time_s in enumerate((5.0, 5.04, 5.09, 5.09, 5.2)):
        recording.add(time_s, None if i == 1 else face(time_s, 0.1 * i))
    take = recording.take({"method": "live"}, (64, 48))
    np.testing.assert_allclose(take.time_s, [0, 0.04, 0.09, 0.2], atol=1e-9)
    assert take.solved.tolist() == [True, False, True, True]
    np.testing.assert_allclose(take.weights[:, 0], [0, 0, 0.2, 0.4], atol=1e-6)


def test_live_faces_are_filtered_and_start_afresh_after_a_gap() -> None:
    random = np.random.default_rng(0)
    smooth = SmoothFace(FilterChoice())
    raw, found = [], []
    for i in range(200):
        one = face(i / 30, float(0.3 + random.normal(0, 0.03)), turn=float(random.normal(0, 0.01)))
        raw.append(one)
        found.append(smooth.step(one))

    def jitter(faces: list[LiveFace]) -> float:
        return float(np.abs(np.diff([f.weights[0] for f in faces[50:]])).mean())

    assert jitter(found) < 0.7 * jitter(raw)
    later = smooth.step(face(60.0, 0.9))
    np.testing.assert_allclose(later.weights, [0.9], atol=1e-6)
