"""Faces over the wire: each format against what its makers publish or what a real phone sent, both ways."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.geometry.quaternions import HEAD_FRONT_WXYZ
from facecap_addon.live.forwarding import FaceSender
from facecap_addon.live.live_frame import LiveFace
from facecap_addon.live.live_solvers import PacketMethod
from facecap_addon.live.sources import network
from facecap_addon.live.sources.capture_thread import SourceWishes
from facecap_addon.live.sources.network import NetworkSource
from facecap_addon.live.sources.packet_stream import PacketStream
from facecap_addon.live.wire import ifacialmocap
from facecap_addon.live.wire.formats import WIRE_FORMATS
from facecap_addon.live.wire.live_link import decode_packet, encode_packet
from facecap_addon.live.wire.osc import OscMessage, read_messages, write_bundle, write_message
from facecap_addon.live.wire.vmc import PERFECT_SYNC, VmcReader, write_datagrams
from facecap_addon.live.wire.vrm_expressions import RECIPES, arkit_of_expressions, expressions_of_arkit
from facecap_addon.live.wire.wire_face import WireFace
from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name
from facecap_addon.takes.formats.live_link import head_angles, head_rotation
from tests.patience import PATIENCE_S, wait_until
from tests.unit.live.test_capture import character
from tests.unit.live.test_phone import PREFIX_BYTES, STREAM

OTHER_STREAM = STREAM.parents[1] / "curves/dao.gesichter"
# As the makers publish it (ifacialmocap.com/for-developer).
PUBLISHED = (
    b"mouthSmile_R-0|eyeLookOut_L-0|mouthUpperUp_L-11|eyeWide_R-0|mouthClose-8|mouthPucker-4|mouthRollLower-9|"
    b"eyeBlink_R-7|eyeLookDown_L-17|cheekSquint_R-11|eyeBlink_L-7|tongueOut-0|jawRight-0|eyeLookIn_R-6|"
    b"cheekSquint_L-11|mouthDimple_L-10|mouthPress_L-4|eyeSquint_L-11|mouthRight-0|mouthShrugLower-9|eyeLookUp_R-0|"
    b"eyeLookOut_R-0|mouthPress_R-5|cheekPuff-2|jawForward-11|mouthLowerDown_L-9|mouthFrown_L-6|mouthShrugUpper-26|"
    b"browOuterUp_L-4|browInnerUp-20|mouthDimple_R-10|browDown_R-0|mouthUpperUp_R-10|mouthRollUpper-8|mouthFunnel-12|"
    b"mouthStretch_R-21|mouthFrown_R-13|eyeLookDown_R-17|jawOpen-12|jawLeft-0|browDown_L-0|mouthSmile_L-0|"
    b"noseSneer_R-18|mouthLowerDown_R-8|noseSneer_L-21|eyeWide_L-0|mouthStretch_L-21|browOuterUp_R-4|eyeLookIn_L-4|"
    b"eyeSquint_R-11|eyeLookUp_L-0|mouthLeft-1|"
    b"=head#-21.488958,-6.038993,-6.6019735,-0.030653415,-0.10287084,-0.6584072|"
    b"rightEye#6.0297494,2.4403017,0.25649446|leftEye#6.034903,-1.6660284,-0.17520553|"
)


def some_face(seed: int = 0, time_s: float = 12.5) -> WireFace:
    """A face that is turned and looks somewhere, all channels moving."""
    random = np.random.default_rng(seed)
    weights = random.integers(0, 101, len(ARKIT_CHANNELS)).astype(np.float32) / 100
    return WireFace(
        ARKIT_CHANNELS,
        weights,
        head_rotation(random.uniform(-0.6, 0.6, (1, 3)))[0],
        np.array([0.05, -0.1, 0.7]),
        random.uniform(-0.4, 0.4, (2, 2)),
        time_s,
        "device",
        "subject",
    )


def by_channel(face: WireFace) -> dict[str, float]:
    assert face.weights is not None
    found = {arkit_name(name) or name: float(value) for name, value in zip(face.channels, face.weights, strict=True)}
    return {name: found[name] for name in sorted(found)}


def phone_stream() -> list[bytes]:
    """Of a phone, one after the other."""
    data = STREAM.read_bytes()
    prefix = data[:PREFIX_BYTES]
    return [prefix + rest for rest in data.split(prefix)[1:]]


def another_stream() -> list[bytes]:
    """A version, a count, then each packet after its length."""
    data = gzip.decompress(OTHER_STREAM.read_bytes())
    count, length = struct.unpack_from("!ii", data, 1)
    packets = [data[9 + at : 9 + at + length] for at in range(0, count * (length + 4), length + 4)]
    assert len(data) == 5 + count * (length + 4)
    return packets


@pytest.mark.parametrize(("read", "faces"), [(phone_stream, 560), (another_stream, 180)])
@pytest.mark.skipif(not STREAM.is_file(), reason=f"the recorded stream is not there: {STREAM}")
def test_packets_of_a_real_phone_come_out_byte_for_byte(read: Callable[[], list[bytes]], faces: int) -> None:
    form = WIRE_FORMATS["live-link-face"]
    decode, sent = form.make_decoder(), 0
    for packet in read():
        assert encode_packet(decode_packet(packet)) == packet
        face = decode(packet)
        assert face is not None
        (again,) = form.encode(face)
        # Through turns and gaze, too: shapes to the bit, angles as near as 32 bits hold turns. The eyes' roll, which
        # gaze has none of, is another in older apps.
        if face.weights is not None:
            assert again[: -4 * 9] == packet[: -4 * 9]
            angles = np.frombuffer(packet[-36:], ">f4"), np.frombuffer(again[-36:], ">f4")
            shown = [k for k in range(9) if read is phone_stream or k not in (5, 8)]
            np.testing.assert_allclose(angles[0][shown], angles[1][shown], atol=1e-6)
            sent += 1
    assert sent == faces


def test_the_published_frame_of_ifacialmocap_both_ways() -> None:
    face = ifacialmocap.read_frame(PUBLISHED)
    values = by_channel(face)
    assert len(values) == 52
    assert (values["mouthShrugUpper"], values["eyeLookDownLeft"]) == (pytest.approx(0.26), pytest.approx(0.17))
    assert (values["eyeLookInRight"], values["mouthLeft"]) == (pytest.approx(0.06), pytest.approx(0.01))
    assert face.head_wxyz is not None and face.head_m is not None and face.gaze_rad is not None
    # The phone lies below the face that looks down at it; the eyes look to where their own channels say.
    np.testing.assert_allclose(face.head_m, [-0.030653415, 0.10287084, 0.6584072])
    right, left = np.degrees(face.gaze_rad)
    np.testing.assert_allclose(right, [2.4403017, -6.0297494], atol=1e-6)  # to her left: inwards, and down
    np.testing.assert_allclose(left, [-1.6660284, -6.034903], atol=1e-6)
    # All but the last digit of an eye's third angle, which the others give to seven digits.
    first = ifacialmocap.write_frame(face, version=1)
    assert first.replace(b"0.2564945|", b"0.25649446|") == PUBLISHED
    # Version 2 differs in the mark before values, and says whether a face is seen.
    second = ifacialmocap.write_frame(face)
    shapes, turns = PUBLISHED.split(b"=")
    assert (
        second.replace(b"0.2564945|", b"0.25649446|")
        == b"trackingStatus&1|" + shapes.replace(b"-", b"&") + b"=" + turns
    )
    assert by_channel(ifacialmocap.read_frame(second)) == values
    # Facemotion3d sends the same with ARKit's own names and some more.
    names = second.replace(b"_L&", b"Left&").replace(b"_R&", b"Right&").replace(b"|=head", b"|FM_SAD&0|=head")
    assert by_channel(ifacialmocap.read_frame(names)) == values


def test_a_lost_face_and_values_below_zero_are_understood() -> None:
    parts = PUBLISHED.replace(b"jawOpen-12", b"jawOpen--12")
    assert by_channel(ifacialmocap.read_frame(parts))["jawOpen"] == pytest.approx(-0.12)
    lost = ifacialmocap.read_frame(b"trackingStatus-0|" + PUBLISHED)
    assert lost.weights is None
    assert PacketMethod(character("jawOpen"), WIRE_FORMATS["ifacialmocap"]).face_of(lost, 0.0) is None


def test_osc_is_what_its_specification_shows() -> None:
    # The two messages of the specification of Open Sound Control 1.0, byte by byte.
    first = OscMessage("/oscillator/4/frequency", (440.0,))
    assert write_message(first) == b"/oscillator/4/frequency\0,f\0\0\x43\xdc\0\0"
    second = OscMessage("/foo", (1000, -1, "hello", 1.234, 5.678))
    assert write_message(second) == bytes.fromhex(
        "2f666f6f 00000000 2c696973 66660000 000003e8 ffffffff 68656c6c 6f000000 3f9df3b6 40b5b22d"
    )
    bundle = write_bundle([write_message(first), write_message(second)])
    assert bundle[:16] == b"#bundle\0" + struct.pack("!Q", 1)
    found = read_messages(write_bundle([bundle, write_message(first)]))
    assert [one.address for one in found] == ["/oscillator/4/frequency", "/foo", "/oscillator/4/frequency"]
    assert (
        found[1].values == pytest.approx((1000, -1, "hello", 1.234, 5.678), abs=1e-6) or found[1].values[2] == "hello"
    )
    assert read_messages(b"/a\0\0,TFNIhd\0" + struct.pack("!qd", 1 << 40, 0.5))[0].values == (
        *(True, False, None, float("inf")),
        *(1 << 40, 0.5),
    )


def test_vmc_is_what_its_specification_lists() -> None:
    turned = WireFace(
        ("eyeBlinkLeft", "jawOpen"), np.float32([1, 0.25]), head_rotation(np.array([[np.pi / 2, 0, 0]]))[0], time_s=3.5
    )
    (data,) = write_datagrams(turned)
    messages = {one.address + str(one.values[:1] and one.values[0]): one.values for one in read_messages(data)}
    assert messages["/VMC/Ext/OK1"] == (1,)
    assert messages["/VMC/Ext/T3.5"] == (3.5,)
    assert messages["/VMC/Ext/Blend/ValEyeBlinkLeft"] == ("EyeBlinkLeft", 1.0)
    assert messages["/VMC/Ext/Blend/ValJawOpen"] == ("JawOpen", 0.25)
    assert list(messages)[-1] == "/VMC/Ext/Blend/Apply()"
    bone = messages["/VMC/Ext/Bone/PosHead"]
    assert len(bone) == 8
    # To her right by a quarter: in Unity's axes forward (0, 0, 1) becomes right (1, 0, 0), a turn about +y.
    np.testing.assert_allclose(bone[4:], [0, np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-6)


def test_a_whole_face_by_vmc_keeps_its_pieces_small_and_comes_back() -> None:
    face = some_face()
    datagrams = write_datagrams(face)
    assert len(datagrams) > 1
    assert max(map(len, datagrams)) <= 1400
    reader = VmcReader()
    *before, back = [reader(data) for data in datagrams]
    assert before == [None] * len(before)
    assert back is not None and back.head_wxyz is not None and back.gaze_rad is not None
    assert by_channel(back) == pytest.approx(by_channel(face), abs=1e-6)
    np.testing.assert_allclose(back.head_wxyz, face.head_wxyz, atol=1e-6)
    np.testing.assert_allclose(back.gaze_rad, face.gaze_rad, atol=1e-6)
    assert back.time_s == pytest.approx(12.5)
    assert set(back.channels) == set(PERFECT_SYNC.values())


def test_expressions_of_vrm_are_made_of_arkit_and_back() -> None:
    for name, recipe in RECIPES.items():
        found = expressions_of_arkit(recipe)
        assert found.pop(name) == pytest.approx(1.0)
        assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-9)
        assert arkit_of_expressions({name: 0.5}) == pytest.approx({key: share / 2 for key, share in recipe.items()})
    assert arkit_of_expressions({"blinkLeft": 1.0}) == {"eyeBlinkLeft": 1.0}  # VRM 1
    assert arkit_of_expressions({"Blink": 1.0, "EyeBlinkLeft": 0.5}) == {"eyeBlinkRight": 1.0}
    reader = VmcReader()
    (data,) = WIRE_FORMATS["vmc-expressions"].encode(WireFace(ARKIT_CHANNELS, one_channel("eyeBlinkRight")))
    wink = reader(data)
    assert wink is not None
    moved = PacketMethod(character(*ARKIT_CHANNELS), WIRE_FORMATS["vmc"]).face_of(wink, 0.0)
    assert moved is not None
    assert [ARKIT_CHANNELS[k] for k in np.flatnonzero(moved.weights > 0.01)] == ["eyeBlinkRight"]


def one_channel(name: str, value: float = 1.0) -> np.ndarray:
    weights = np.zeros(len(ARKIT_CHANNELS), np.float32)
    weights[ARKIT_CHANNELS.index(name)] = value
    return weights


def test_a_character_that_no_expression_fits_is_told() -> None:
    method = PacketMethod(character("Key 1"), WIRE_FORMATS["vmc"])
    with pytest.raises(FacecapError, match="VMC"):
        method.face_of(WireFace(("JawOpen",), np.float32([1])), 0.0)
    assert PacketMethod(character("Key 1"), WIRE_FORMATS["vmc"]).face_of(
        WireFace((), np.float32([]), head_rotation(np.zeros((1, 3)))[0]), 0.0
    )  # the head alone


def test_bones_alone_are_faces_and_a_clock_that_stands_is_none() -> None:
    bone = write_message(OscMessage("/VMC/Ext/Bone/Pos", ("Head", *(0.0,) * 6, 1.0)))
    reader = VmcReader()
    assert reader(bone) is None
    found = reader(write_message(OscMessage("/VMC/Ext/T", (1.0,))))
    assert found is not None and found.weights is not None and not len(found.weights)
    stands = VmcReader()
    value = write_message(OscMessage("/VMC/Ext/Blend/Val", ("JawOpen", 0.5)))
    apply = write_message(OscMessage("/VMC/Ext/Blend/Apply"))
    clock = write_message(OscMessage("/VMC/Ext/T", (7.0,)))
    times = [face.time_s for _ in range(3) if (face := stands(write_bundle([clock, value, apply]))) is not None]
    assert times == [7.0, None, None]


@pytest.mark.parametrize("name", list(WIRE_FORMATS))
def test_nothing_that_arrives_can_do_harm(name: str) -> None:
    form = WIRE_FORMATS[name]
    random = np.random.default_rng(5)
    good = form.encode(some_face())
    stream, counted, faces = PacketStream(form), 0, 0
    for trial in range(1500):
        data = bytearray(good[trial % len(good)])
        kind = trial % 5
        if kind == 0:
            data = bytearray(random.bytes(int(random.integers(0, 400))))
        elif kind == 1:
            data = data[: int(random.integers(0, len(data)))]
        elif kind == 2:
            for _ in range(int(random.integers(1, 8))):
                data[int(random.integers(len(data)))] = int(random.integers(256))
        elif kind == 3:
            data += random.bytes(int(random.integers(1, 70_000)))
        before = stream.foreign
        heard = stream.take_in(bytes(data), "127.0.0.1", trial / 60)
        counted += stream.foreign - before
        if heard is not None:
            faces += 1
            face = heard[1]
            assert face.weights is None or (np.isfinite(face.weights).all() and np.abs(face.weights).max() <= 1e6)
            for part in (face.head_wxyz, face.head_m, face.gaze_rad):
                assert part is None or np.isfinite(part).all()
    assert counted > 500
    assert faces > 20  # most come at the time of the one before
    assert any(f"{counted} packets" in note for note in stream.notes)
    for harm in (b"", b"\0" * 70_000, b"nan-nan|" * 60, b"#bundle\0" * 5000):
        before = stream.foreign
        stream.take_in(harm, "127.0.0.1", 99.0)
        assert stream.foreign == before + 1


def test_the_stream_of_another_format_is_foreign() -> None:
    for name, form in WIRE_FORMATS.items():
        for other, sends in WIRE_FORMATS.items():
            if sends.label != form.label:
                stream = PacketStream(form)
                for data in sends.encode(some_face()):
                    assert stream.take_in(data, "127.0.0.1", 0.0) is None, (name, other)
                assert stream.foreign == len(sends.encode(some_face()))


def test_tcp_frames_are_found_however_they_are_cut() -> None:
    frames = [ifacialmocap.write_frame(some_face(seed)) for seed in range(3)]
    whole = b"".join(frame + ifacialmocap.TCP_MARK for frame in frames)
    for step in (1, 7, 1000, len(whole)):
        splitter = ifacialmocap.FrameSplitter()
        found = [one for at in range(0, len(whole), step) for one in splitter.feed(whole[at : at + step])]
        assert found == frames
    splitter = ifacialmocap.FrameSplitter()
    assert not splitter.feed(bytes(50_000))
    assert not splitter.feed(bytes(50_000))
    assert splitter.dropped == 1
    assert splitter.feed(ifacialmocap.TCP_MARK + whole) == frames


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("name", list(WIRE_FORMATS))
def test_what_is_sent_is_received_by_a_session_of_ours(name: str) -> None:
    form = WIRE_FORMATS[name]
    source = NetworkSource(form, 0, SourceWishes())
    assert source.address == "127.0.0.1"
    rig = character(*ARKIT_CHANNELS)
    sender, method = FaceSender(("127.0.0.1", source.port), rig, form), PacketMethod(rig, form)
    # A wink, so that sides show.
    face = LiveFace(
        1.5,
        one_channel("eyeBlinkLeft", 0.75),
        head_rotation(np.array([[0.3, -0.2, 0.1]]))[0].astype(np.float32),
        np.float32([0, 0, 0.6]),
        np.float32([[0.1, -0.2], [0.2, -0.2]]),
        1.0,
    )
    got: list[LiveFace] = []

    def heard() -> bool:
        sender.send(face, 1000.0)
        packet = source.mailbox.get(0.02)
        if packet is not None:
            found = method.step(packet)
            assert found is not None
            got.append(found)
        return bool(got)

    wait_until(heard)
    sender.close()
    source.close()
    np.testing.assert_allclose(got[0].weights, face.weights, atol=1e-5)
    np.testing.assert_allclose(head_angles(got[0].head_wxyz[None]), head_angles(face.head_wxyz[None]), atol=1e-5)
    np.testing.assert_allclose(got[0].gaze_rad, face.gaze_rad, atol=1e-5)
    # The time of the day goes along where a format has room for it; 32 bits would round it to several milliseconds.
    assert source.clock_s == (pytest.approx(1001.5) if form.label == "Live Link Face" else None)
    assert source.foreign == 0


def test_a_phone_is_asked_and_nobody_else_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(PATIENCE_S)
        monkeypatch.setattr(network, "ASK_PORT", phone.getsockname()[1])
        form = WIRE_FORMATS["ifacialmocap-tcp"]
        source = NetworkSource(form, 0, SourceWishes(phone="127.0.0.1"))
        assert "127.0.0.1" in source.waiting
        assert phone.recv(500) == b"iFacialMocap_UDPTCP_sahuasouryya9218sauhuiayeta91555dy3719|sendDataVersion=v2"
        with socket.create_connection(("127.0.0.1", source.port)) as stream:
            stream.sendall(ifacialmocap.write_frame(some_face()) + ifacialmocap.TCP_MARK)
            wait_until(lambda: source.mailbox.get(0.05) is not None)
        source.close()
        told = [phone.recv(500)]
        while b"STOP" not in told[-1]:
            told.append(phone.recv(500))
        assert told[-1] == b"iFacialMocap_UDPTCPSTOP_sahuasouryya9218sauhuiayeta91555dy3719"
    alone = NetworkSource(WIRE_FORMATS["live-link-face"], 0, SourceWishes(phone="127.0.0.9"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        data = WIRE_FORMATS["live-link-face"].encode(some_face())[0]

        def counted() -> bool:
            stranger.sendto(data, ("127.0.0.1", alone.port))
            time.sleep(0.02)
            return alone.foreign > 2

        wait_until(counted)
    assert alone.mailbox.get(0.05) is None
    assert alone.address == "127.0.0.1"
    alone.close()
    with pytest.raises(FacecapError, match="not known here"):
        NetworkSource(form, 0, SourceWishes(phone="no such phone"))


def test_sending_to_nobody_holds_nothing_up() -> None:
    for name, form in WIRE_FORMATS.items():
        kind = socket.SOCK_STREAM if form.tcp else socket.SOCK_DGRAM
        sender = FaceSender(("127.0.0.1", free_port(kind)), character("jawOpen"), form)
        face = LiveFace(
            0.0,
            np.float32([0.5]),
            np.float32(HEAD_FRONT_WXYZ),
            np.zeros(3, np.float32),
            np.zeros((2, 2), np.float32),
            1,
        )
        for _ in range(200):
            sender.send(face)
        sender.close()
        assert threading.active_count() < 20, name
