"""Live capture as a job: a video and a phone through the worker process, told what to do meanwhile; takes filtered."""

from __future__ import annotations

import json
import queue
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from facecap_addon import api as facecap
from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.jobs import live
from facecap_addon.jobs.cli.main import main
from facecap_addon.jobs.live_capture import LiveCapture, LiveCharacter
from facecap_addon.jobs.runtime.events import FaceEvent
from facecap_addon.jobs.runtime.runner import ProcessRunner
from facecap_addon.jobs.settings.live import LiveSettings
from facecap_addon.live.sources.capture_thread import LivePacket, LivePicture
from facecap_addon.live.sources.latest_item import Mailbox
from facecap_addon.live.wire.live_link import (
    COUNT,
    WIRE_SHAPES,
    FacePacket,
    decode_packet,
    encode_packet,
    face_of_packet,
)
from facecap_addon.rig.duplicate_keys import find_distinct_keys
from facecap_addon.takes.actor import write_json
from facecap_addon.takes.formats.live_link import read_live_link_csv
from facecap_addon.takes.npz import load_take
from tests.patience import PATIENCE_S, wait_until
from tests.unit.live.test_capture import character
from tests.unit.takes.test_actor import some_actor

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "sample_scenes" / "take_01.mp4"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def jaw(value: float) -> np.ndarray:
    values = np.zeros(COUNT, np.float32)
    values[WIRE_SHAPES.index("JawOpen")] = value
    return values


def drive(runner: ProcessRunner, each: Callable[[], None], until: Callable[[list[FaceEvent]], bool]) -> None:
    """Poll until something has been seen."""
    faces: list[FaceEvent] = []

    def seen() -> bool:
        each()
        faces.extend(event for event in runner.poll() if isinstance(event, FaceEvent))
        return until(faces) or runner.done

    wait_until(seen)
    assert runner.error is None, runner.error


def test_a_phone_drives_is_recorded_and_sent_on(tmp_path: Path) -> None:
    port, onward = free_port(), free_port()
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", onward))
    listener.settimeout(PATIENCE_S)
    phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    runner = ProcessRunner(
        "live",
        LiveSettings(source=f"udp:{port}", out=tmp_path, send=f"127.0.0.1:{onward}", filter="none"),
    )
    number = 0
    value = 0.5

    def send() -> None:
        nonlocal number
        number += 1
        packet = FacePacket("phone", "iPhone", 40_000 + number / 60, jaw(value))
        phone.sendto(encode_packet(packet), ("127.0.0.1", port))
        phone.sendto(b"not a packet", ("127.0.0.1", port))

    drive(runner, send, lambda faces: len(faces) >= 5)
    heard = decode_packet(listener.recv(4096))
    assert heard.values is not None
    assert heard.values[WIRE_SHAPES.index("JawOpen")] == pytest.approx(0.5, abs=1e-6)
    # A face that hangs open at rest is the performer's own: it becomes zero.
    runner.tell(b"n")
    drive(runner, send, lambda faces: any("neutral" in face.note for face in faces))
    runner.tell(b"r")
    value = 1.0
    drive(runner, send, lambda faces: sum(face.recording for face in faces) > 20)
    runner.tell(b"s")
    drive(runner, send, lambda faces: any(face.take for face in faces))
    runner.tell(b"q")
    result = runner.wait(PATIENCE_S).result
    take = load_take(Path(result["takes"][0]))
    k = take.channels.index("jawOpen")
    assert take.weights[-1, k] == pytest.approx(1.0, abs=1e-5)
    # The phone's own times, whenever its packets came and whichever a busy machine left out.
    steps = np.diff(take.time_s) * 60
    assert steps.min() > 0.9
    np.testing.assert_allclose(steps, steps.round(), atol=0.1)
    assert any("Live Link Face" in line for line in result["lines"])
    # Its timecodes, too: of the frames that are sent on, of the recording and of its CSV.
    assert 40_000 < heard.time_s < 40_000 + number / 60 + 1e-3
    first = take.provenance["first_timecode"]
    assert first.startswith("11:06:4")
    csv = read_live_link_csv(Path(result["takes"][0].replace(".take.npz", ".livelink.csv")))
    assert csv.provenance["first_timecode"] == first
    phone.close()
    listener.close()


def play_again_and_again(path: Path, times: int) -> Path:
    """The sample take, so many times in a row: a busy machine is to see enough of it."""
    with av.open(str(CLIP)) as source, av.open(str(path), "w") as out:
        video = source.streams.video[0]
        packets = [packet for packet in source.demux(video) if packet.dts is not None]
        stream = out.add_stream_from_template(video)
        for number in range(times):
            for packet in packets:
                packet.stream = stream
                packet.pts, packet.dts = (at + (video.duration if number else 0) for at in (packet.pts, packet.dts))
                out.mux(packet)
    return path


def test_a_video_is_captured_and_recorded_as_it_plays(tmp_path: Path) -> None:
    controls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    faces: list[FaceEvent] = []

    video = play_again_and_again(tmp_path / "again.mp4", 12)
    steps = live.run(LiveSettings(source=str(video), out=tmp_path, record=True), controls=controls)
    while True:
        try:
            event = next(steps)
        except StopIteration as stop:
            result = stop.value
            break
        if isinstance(event, FaceEvent) and event.weights:
            faces.append(event)
            if len(faces) == 50:  # a busy machine finds fewer before the video ends
                controls.put(b"q")
    # How many frames a machine leaves out and how late faces are is measured by `benchmarks.live_capture`.
    assert 0 < result.facts["captured"] <= 25 * (result.facts["seconds"] + 1)
    assert len(faces) > 3
    (path,) = result.takes
    take = load_take(path)
    truth = load_take(CLIP.with_suffix(".npz"))
    shown_s = (take.time_s + faces[0].time_s - take.time_s[take.solved][0]) % open_footage(CLIP).duration_s
    rows = np.searchsorted(truth.time_s, shown_s)
    k = take.channels.index("jawOpen")
    true = truth.weights[np.minimum(rows, truth.frame_count - 1), truth.channels.index("jawOpen")]
    assert np.corrcoef(take.weights[take.solved, k], true[take.solved])[0, 1] > 0.6


def ten_packets(end: Exception | None) -> SimpleNamespace:
    """A source that gives ten faces and ends so."""
    box: Mailbox[LivePacket] = Mailbox(room=64)
    for number in range(10):
        box.put(LivePacket(number / 60, time.monotonic(), face_of_packet(FacePacket("d", "s", number / 60, jaw(0.5)))))
    box.close(end)
    return SimpleNamespace(mailbox=box, size_px=(0, 0), waiting="", notes=[], clock_s=40_000.0, close=lambda: None)


def test_python_captures_live_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "open_source", lambda name, wishes: ten_packets(None))
    result = facecap.run_job("live", {"source": "udp", "out": tmp_path, "record": True, "filter": "none"})
    assert result.facts["solved"] == 10
    (path,) = result.takes
    assert load_take(path).frame_count == 10


def test_a_source_that_breaks_off_is_a_failure_that_says_where_the_recording_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ten_packets(FacecapError("The phone is gone.", "Look for it."))
    monkeypatch.setattr(live, "open_source", lambda name, wishes: source)
    with pytest.raises(FacecapError, match=r"The phone is gone\. Recorded until then: ") as caught:
        list(live.run(LiveSettings(source="udp", out=tmp_path, record=True, filter="none")))
    (path,) = tmp_path.glob("*.take.npz")
    assert str(path) in caught.value.what
    assert load_take(path).frame_count == 10


class Watching:
    """A method that only looks."""

    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    known = 1.0

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def step(self, captured: LivePicture) -> None:
        self.seen.append(captured.image)

    def set_neutral(self) -> bool:
        return False


def test_a_mirrored_camera_is_exchanged_before_anything_looks_at_it(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    shown: list[np.ndarray] = []
    for mirror in (False, True):
        box: Mailbox[LivePicture] = Mailbox()
        box.put(LivePicture(0, 0.0, time.monotonic(), image))
        box.close()
        source = SimpleNamespace(mailbox=box, size_px=(8, 6), waiting="", notes=[], clock_s=None, close=lambda: None)
        method = Watching()
        settings = LiveSettings(source="0", out=tmp_path, mirror=mirror)
        keys = find_distinct_keys(character("jawOpen"))
        capture = LiveCapture(settings, LiveCharacter(keys, None), source, method, queue.SimpleQueue(), None, None)
        list(capture.run([]))
        shown += method.seen
    np.testing.assert_array_equal(shown[1], shown[0][:, ::-1])


def test_what_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["98"],
        [str(tmp_path / "nothing.mp4")],
        ["udp", "--send", "nowhere"],
        ["udp", "--mirror"],
        ["udp", "--radius", "1", "--order", "5"],
    ):
        assert main(["live", *arguments, "--out", str(tmp_path), "--seconds", "1"]) == 2
        assert "facecap:" in capsys.readouterr().err


def test_a_take_is_filtered_and_stays(tmp_path: Path) -> None:
    source = CLIP.with_suffix(".npz")
    take = tmp_path / "talk.take.npz"
    take.write_bytes(source.read_bytes())
    assert main(["filter", str(take), "--cutoff-hz", "2"]) == 0
    assert take.read_bytes() == source.read_bytes()
    before, after = load_take(take), load_take(tmp_path / "talk.filtered.take.npz")
    assert after.provenance["edits"] == [
        {"edit": "filter", "kind": "hybrid", "cutoff_hz": 2.0, "radius": 3, "order": 2, "delay": 0}
    ]
    assert (tmp_path / "talk.filtered.livelink.csv").is_file()
    assert "<svg" in (tmp_path / "talk.filtered.filter.svg").read_text()
    # What is true already is hardly moved, and blinks stay shut.
    assert np.abs(after.weights - before.weights).mean() < 0.02
    k = before.channels.index("eyeBlinkLeft")
    shut = before.weights[:, k] > 0.75
    assert shut.any()
    assert (after.weights[shut, k] > before.weights[shut, k] - 0.01).all()


def test_settings_of_filters_are_checked(tmp_path: Path) -> None:
    with pytest.raises(FacecapError):
        LiveSettings(source="0", radius=1, order=4, out=tmp_path).choice()


def test_an_actor_is_for_pictures_that_landmarks_solve(tmp_path: Path) -> None:
    actor = tmp_path / "her.actor.json"
    actor.write_text(json.dumps(write_json(replace(some_actor(), scheme="ibug-68"))), encoding="utf-8")
    for settings, words in (
        (LiveSettings(source="udp", out=tmp_path, actor=actor), "solved by landmarks"),
        (LiveSettings(source=str(CLIP), out=tmp_path, actor=actor), "ibug-68 landmarks"),
        (LiveSettings(source=str(CLIP), out=tmp_path, actor=tmp_path / "none.actor.json"), "none.actor.json"),
    ):
        with pytest.raises(FacecapError, match=words):
            list(live.run(settings))
