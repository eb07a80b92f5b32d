"""Live capture's parts: packets that cannot harm, sources that keep time and never lag, neutral, recording."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import Footage
from facecap_addon.footage.read import Frame, FrameReader
from facecap_addon.footage.write import write_video
from facecap_addon.geometry.quaternions import HEAD_FRONT_WXYZ
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.face_gate import FaceGate
from facecap_addon.live import recording_store
from facecap_addon.live.filter import SmoothFace
from facecap_addon.live.live_frame import LiveFace
from facecap_addon.live.live_solvers import PacketMethod, SolverMethod
from facecap_addon.live.neutral_calibration import Neutral
from facecap_addon.live.preview_file import PictureFile
from facecap_addon.live.recording import Recording
from facecap_addon.live.recording_store import RecordingStore
from facecap_addon.live.sources import open_source as sources
from facecap_addon.live.sources.capture_thread import SourceWishes
from facecap_addon.live.sources.latest_item import Mailbox
from facecap_addon.live.sources.network import NetworkSource
from facecap_addon.live.sources.open_source import LivePicture, VideoSource, open_source
from facecap_addon.live.sources.playback import Playback
from facecap_addon.live.wire.formats import WIRE_FORMATS
from facecap_addon.live.wire.live_link import (
    COUNT,
    WIRE_SHAPES,
    FacePacket,
    decode_packet,
    encode_packet,
    face_of_packet,
)
from facecap_addon.live.wire.wire_face import WireFace
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.takes.filters.options import FilterChoice
from facecap_addon.takes.formats.live_link import head_angles
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import Take
from tests.blender.face_video import PICTURE
from tests.patience import PATIENCE_S

LIVE_LINK = WIRE_FORMATS["live-link-face"]


def values(**shapes: float) -> np.ndarray:
    out = np.zeros(COUNT, np.float32)
    for name, value in shapes.items():
        out[WIRE_SHAPES.index(name)] = value
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
    assert struct.unpack_from("!f", data, 68 + 4 * WIRE_SHAPES.index("JawOpen"))[0] == 0.25
    back = decode_packet(data)
    assert (back.device, back.subject, back.time_s) == (packet.device, "iPhone", 3.5)
    np.testing.assert_array_equal(back.values, packet.values)
    # A phone that sees no face sends nothing after the rate; a count of zero means the same.
    assert encode_packet(FacePacket(packet.device, "iPhone", 3.5, None)) == data[:67]
    assert decode_packet(data[:67]).values is None
    assert decode_packet(data[:67] + b"\0").values is None


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


def sent(**shapes: float) -> WireFace:
    return as_sent(values(**shapes))


def as_sent(numbers: np.ndarray | None) -> WireFace:
    return face_of_packet(FacePacket("d", "s", 0.0, numbers))


def test_packets_drive_keys_by_name_and_the_rest_is_reported() -> None:
    method = PacketMethod(character("Jaw_Open", "mouthSmile_L", "brow wobble"), LIVE_LINK)
    found = method.face_of(sent(JawOpen=0.4, MouthSmileLeft=0.7, CheekPuff=1.0), 2.0)
    assert found is not None
    np.testing.assert_allclose(found.weights, [0.4, 0.7, 0.0], atol=1e-6)
    assert "cheekPuff" in method.unknown
    assert "jawOpen" not in method.unknown
    assert method.face_of(as_sent(None), 2.0) is None
    angles = np.array([[0.3, -0.2, 0.1]])
    turned = values()
    turned[52:55] = angles
    np.testing.assert_allclose(head_angles(method.face_of(as_sent(turned), 0.0).head_wxyz[None]), angles, atol=1e-5)
    with pytest.raises(FacecapError, match="ARKit"):
        PacketMethod(character("Key 1", "Key 2"), LIVE_LINK)


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
    list(write_video(path, pictures, quality=10))
    source = VideoSource(path)
    began, last, seen = time.monotonic(), -1.0, []
    while not source.mailbox.ended:
        picture = source.mailbox.get(0.2)
        if picture is None:
            continue
        assert picture.time_s > last
        last = picture.time_s
        seen.append(picture.index)
        time.sleep(0.1)  # two and a half frames
    took_s = time.monotonic() - began
    assert took_s > 1.4  # its own rate: 39 frames later at 25 a second, however quick the machine
    assert source.size_px == (64, 48)
    # What came meanwhile was left out instead of waiting; `benchmarks.live_capture` says how late pictures are.
    assert 0 < len(seen) <= took_s / 0.1 + 1
    assert source.mailbox.dropped == 40 - len(seen) > 0
    source.close()


def _send(port: int, subject: str, number: int, **shapes: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(
            encode_packet(FacePacket("dev", subject, 10 + number / 60, values(**shapes))), ("127.0.0.1", port)
        )


def test_one_sender_is_listened_to_and_rubbish_is_left_out() -> None:
    source = NetworkSource(LIVE_LINK, 0, SourceWishes())
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(12):
            _send(source.port, "first", number, JawOpen=0.1 * number / 12)
            _send(source.port, "second", number, JawOpen=0.9)
            stranger.sendto(b"hello", ("127.0.0.1", source.port))
            got = source.mailbox.get(PATIENCE_S)
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
        open_source("97")
    with pytest.raises(FacecapError):
        open_source(str(tmp_path / "none.mp4"))
    taken = NetworkSource(LIVE_LINK, 0, SourceWishes())
    with pytest.raises(FacecapError, match="cannot be listened to"):
        open_source(f"udp:{taken.port}")
    taken.close()
    with pytest.raises(FacecapError):
        open_source("udp:99999")


def test_the_face_at_rest_is_zero_afterwards_and_ends_stay_ends() -> None:
    neutral = Neutral(np.float32([[0, 1], [0, 1]]))
    assert not neutral.set()
    for i in range(20):
        neutral.apply(face(i / 30, 0.2, 0.0, turn=0.3))
    assert neutral.set()
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
    smooth = SmoothFace(FilterChoice(), np.float32([[0, 1]]))
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


def test_a_burst_of_packets_is_worked_off_in_order() -> None:
    box: Mailbox[int] = Mailbox(room=3)
    for number in range(5):
        box.put(number)
    assert [box.get(0.1) for _ in range(3)] == [2, 3, 4]
    assert (box.put_count, box.dropped) == (5, 2)


def test_an_error_that_was_not_fetched_is_no_end() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.close(FacecapError("The camera stopped.", ""))
    got = []
    with pytest.raises(FacecapError):
        while not box.ended:
            got.append(box.get(0.01))
    assert got == [1]
    assert box.ended


def test_a_slow_decoder_holds_a_video_back_instead_of_lagging() -> None:
    playback, now, late = Playback(), 100.0, []
    for index in range(200):  # 25 a second, decoded at 15 a second
        now += 1 / 15
        due = playback.due_s(index / 25, now)
        if due is not None:
            late.append(max(0.0, now - due))
            now = max(now, due)
    assert len(late) > 180
    assert max(late) < 0.1
    assert playback.held_s == pytest.approx(200 / 15 - 200 / 25, rel=0.1)


def test_after_a_short_stall_a_video_is_on_time_again() -> None:
    playback, now, shown = Playback(), 100.0, []
    for index in range(100):
        now += 0.2 if index == 50 else 0.002
        due = playback.due_s(index / 25, now)
        if due is not None:
            assert now - due < 0.1
            shown.append(index)
            now = max(now, due)
    assert playback.held_s == 0
    assert 1 <= 100 - len(shown) <= 5
    assert now == pytest.approx(100.002 + 99 / 25, abs=0.01)


def test_frames_of_a_video_that_come_late_are_counted_as_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    list(write_video(path, ((i / 25, np.full((48, 64, 3), 5 * i, np.uint8)) for i in range(30)), quality=10))
    real = sources.read_frames

    def stalling(footage: Footage) -> FrameReader:
        reader = real(footage)
        monkeypatch.setattr(reader, "_frames", stalled(reader._frames))  # pyright: ignore
        return reader

    def stalled(frames: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
        for frame in frames:
            if frame.index == 5:
                time.sleep(0.24)
            yield frame

    monkeypatch.setattr(sources, "read_frames", stalling)
    source = VideoSource(path)
    got = 0
    while not source.mailbox.ended:
        got += source.mailbox.get(0.2) is not None
    assert source.mailbox.dropped >= 1
    assert source.mailbox.put_count == 30 == got + source.mailbox.dropped
    source.close()


def test_keys_that_go_further_than_one_keep_their_range_live() -> None:
    """A character whose jaw opens to 2 and whose brow goes to −1."""
    ranges = np.float32([[0, 2], [-1, 1]])
    smooth, neutral = SmoothFace(FilterChoice(), ranges), Neutral(ranges)
    for i in range(60):
        found = smooth.step(neutral.apply(face(i / 30, 1.8, -0.7)))
    np.testing.assert_allclose(found.weights, [1.8, -0.7], atol=0.01)
    for i in range(20):
        neutral.apply(face(2 + i / 30, 0.4, -0.2))
    assert neutral.set()
    for given, wanted in (((0.4, -0.2), (0, 0)), ((2.0, 1.0), (2, 1)), ((0.0, -1.0), (0, -1))):
        np.testing.assert_allclose(neutral.apply(face(3.0, *given)).weights, wanted, atol=1e-6)


def test_a_face_of_the_same_moment_gets_the_same_answer() -> None:
    smooth = SmoothFace(FilterChoice("one-euro", cutoff_hz=1.0), np.float32([[0, 1]]))
    for i in range(30):
        last = smooth.step(face(i / 30, 0.2))
    assert smooth.step(face(29 / 30, 0.9)) == last


class Look:
    """A trained solver that sees the eyes look to the performer's left and down."""

    landmarks = None
    facts = SimpleNamespace(
        kind="weights",
        cameras=1,
        aligned_eyes=None,
        name="look",
        channels=("jawOpen", "eyeLookOutLeft", "eyeLookInRight", "eyeLookDownLeft", "eyeLookDownRight"),
    )

    def start_shot(self) -> None:
        pass

    def sees_whole(self, size: tuple[int, int]) -> bool:
        return True

    def fit_to(self, size: tuple[int, int]) -> str:
        return ""

    def solve(self, image: np.ndarray, *, time_s: float) -> np.ndarray:
        return np.float32([0.1, 0.5, 0.5, 0.25, 0.25])


def test_a_trained_solver_sends_where_the_eyes_look() -> None:
    rig = character("jawOpen", "eyeLookOutLeft")
    method = SolverMethod(Look(), rig, None, (64, 48), None)  # pyright: ignore[reportArgumentType]
    found = method.step(LivePicture(0, 0.0, 0.0, np.zeros((48, 64, 3), np.uint8)))
    assert found is not None
    np.testing.assert_allclose(found.gaze_rad, [[0.3, -0.14], [0.3, -0.14]], atol=1e-6)


@pytest.mark.usefixtures("models")
def test_a_trained_solver_has_no_face_for_a_wall() -> None:
    picture = np.asarray(Image.open(PICTURE).convert("RGB"))
    shown = [picture, picture, np.full_like(picture, 90), np.full_like(picture, 90), picture]
    gate = FaceGate(open_landmarker())
    method = SolverMethod(Look(), character("jawOpen"), None, (64, 48), None, gate)  # pyright: ignore[reportArgumentType]
    faces = [method.step(LivePicture(i, i / 30, i / 30, image)) for i, image in enumerate(shown)]
    assert [one is not None for one in faces] == [True, True, False, False, True]


def kept_take(seconds: float) -> Take:
    recording = Recording(("jawOpen",))
    for i in range(round(30 * seconds) + 1):
        recording.add(i / 30, face(i / 30, 0.5))
    return recording.take({}, (64, 48))


def test_a_recording_that_cannot_be_written_goes_elsewhere_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, home = tmp_path / "file", tmp_path / "home"
    blocked.write_text("not a folder")
    monkeypatch.setattr(recording_store, "list_other_folders", lambda: [home])
    recordings = RecordingStore(blocked / "live", lambda path, take: None)
    recordings.hold(kept_take(2))
    (said,) = recordings.write()
    (path,) = recordings.written
    assert path.parent == home
    assert str(path) in said and "cannot be written" in said
    assert load_take(path).frame_count == 61
    recordings.check()


def test_a_recording_is_held_until_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, take: Take) -> None:
        raise FacecapError("The disk is full.", "Free some space.")

    def broken_csv(path: Path, take: Take) -> None:
        raise FacecapError("The CSV cannot be written.", "")

    monkeypatch.setattr(recording_store, "save_take", full)
    recordings = RecordingStore(tmp_path, broken_csv)
    recordings.hold(kept_take(1))
    assert "disk is full" in recordings.write()[0]
    recordings.hold(kept_take(2))
    recordings.write()
    assert recordings.written == []
    assert recordings.try_again() == []  # not at every frame
    with pytest.raises(FacecapError, match=r"3\.0 s of recording"):
        recordings.check()
    monkeypatch.setattr(recording_store, "save_take", save_take)
    said = recordings.write()
    assert [load_take(path).frame_count for path in recordings.written] == [31, 61]
    assert any("CSV" in line for line in said)
    recordings.check()


def test_what_the_camera_sees_lies_in_a_file_while_capture_runs(tmp_path: Path) -> None:
    path = tmp_path / "seen.npy"
    shown = PictureFile(path)
    shown.show(np.full((480, 640, 3), 200, np.uint8), 10.0)
    shown.show(np.zeros((480, 640, 3), np.uint8), 10.01)  # too soon
    picture = np.load(path)
    assert picture.shape == (180, 240, 3)
    assert picture.min() == 200
    shown.show(np.zeros((480, 640, 3), np.uint8), 10.2)
    assert np.load(path).max() == 0
    shown.close()
    assert not path.exists()
