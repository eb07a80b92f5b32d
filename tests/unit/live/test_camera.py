"""Cameras: which one a number or a name means on each system, what is asked of it, and capturing from it.

No camera is needed: FFmpeg's own test picture is an input device like any other and is captured in the same way.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.live.sources import camera
from facecap_addon.live.sources import open_source as sources
from facecap_addon.live.sources.camera import (
    CameraDevice,
    CameraSource,
    CaptureClock,
    ListedCamera,
    find_camera,
    list_cameras,
    options_to_try,
    parse_cameras,
)
from facecap_addon.live.sources.capture_thread import LivePicture, SourceWishes
from facecap_addon.live.sources.open_source import open_source
from tests.patience import PATIENCE_S

MOVING = "testsrc2=size=640x360:rate=30"
BRIO = ListedCamera("@device_pnp_usb_vid_046d", "Logitech BRIO")
STREAM = ListedCamera("@device_pnp_usb_vid_0fd9", "Cam Link 4K: video")


def drawn(picture: str, wishes: SourceWishes | None = None) -> CameraSource:
    return CameraSource(CameraDevice(picture, "lavfi", "Camera 0"), wishes)


def next_of(source: CameraSource) -> LivePicture:
    found = source.mailbox.get(PATIENCE_S)
    assert found is not None
    return found


def test_a_number_is_the_same_camera_as_ever() -> None:
    for number in ("0", "3"):
        found = find_camera(number, "linux", [])
        assert found == CameraDevice(f"/dev/video{number}", "v4l2", f"Camera {number}")
    assert find_camera("/dev/video2", "linux", []) == CameraDevice("/dev/video2", "v4l2", "Camera 2")
    found = find_camera("1", "win32", [STREAM, BRIO])
    assert found == CameraDevice(f"video={BRIO.name}", "dshow", "Camera 1")
    assert find_camera("2", "win32", [STREAM, BRIO]) is None
    mac = [ListedCamera("0", "FaceTime HD Camera"), ListedCamera("1", "Logitech BRIO")]
    assert find_camera("1", "darwin", mac) == CameraDevice("1", "avfoundation", "Camera 1")
    assert find_camera("2", "darwin", mac) is None


def test_a_name_finds_the_camera_the_system_lists_and_nothing_else() -> None:
    linux = [ListedCamera("/dev/video2", "Logitech BRIO: Logitech BRIO"), ListedCamera("/dev/video0", "Integrated")]
    found = find_camera("logitech brio", "linux", linux)
    assert found is not None and (found.name, found.format) == ("/dev/video2", "v4l2")
    # By a name of the system's own: a colon would end the one that people read.
    found = find_camera("Cam Link 4K: video", "win32", [BRIO, STREAM])
    assert found is not None and found.name == f"video={STREAM.name}"
    # Exactly one, before ones that only hold the name; the first of two of the same name.
    two = [ListedCamera("0", "BRIO Ultra"), ListedCamera("1", "BRIO"), ListedCamera("2", "BRIO")]
    found = find_camera("brio", "darwin", two)
    assert found is not None and found.name == "1"
    for stranger in (
        "http://192.0.2.1/video",
        "rtsp://camera",
        "video=BRIO",
        "none",
        "default",
        "",
        "/etc/passwd",
        "²",
    ):
        for system in ("linux", "win32", "darwin", "freebsd"):
            assert find_camera(stranger, system, [BRIO, STREAM]) is None
    with pytest.raises(FacecapError, match=r"BRIO Ultra, Logitech BRIO"):
        find_camera("brio", "win32", [ListedCamera("a", "BRIO Ultra"), BRIO])


def test_microphones_and_screens_are_no_cameras() -> None:
    listed = [
        ("0", "FaceTime HD Camera", ["video"]),
        ("1", "Capture screen 0", ["video"]),
        ("0", "Microphone", ["audio"]),
    ]
    assert parse_cameras(listed, "darwin") == [ListedCamera("0", "FaceTime HD Camera")]
    found = parse_cameras([("/dev/video10", "A", []), ("/dev/video2", "B", []), ("/dev/video0", "A", [])], "linux")
    assert [one.name for one in found] == ["/dev/video0", "/dev/video2", "/dev/video10"]
    assert isinstance(list_cameras(sys.platform), list)
    assert list_cameras("plan9") == []


def test_what_is_asked_of_a_camera_gives_way_step_by_step() -> None:
    def asked(system: str, size: str = "as it is", fps: float | None = None) -> list[dict[str, str]]:
        ways = options_to_try(system, SourceWishes(camera_size=size, camera_fps=fps))
        assert all((way.pop("fflags"), way.pop("fpsprobesize")) == ("nobuffer", "0") for way in ways)
        return ways

    assert asked("v4l2") == [{}]
    assert asked("v4l2", "1920x1080", 60) == [
        {"video_size": "1920x1080", "framerate": "60", "input_format": "mjpeg"},
        {"video_size": "1920x1080", "framerate": "60"},
        {"video_size": "1920x1080"},
        {"framerate": "60"},
        {},
    ]
    windows = asked("dshow", "1920x1080")
    # Room for a picture; a rate, without which the first mode of the size would do, at five pictures a second.
    assert all(int(way.pop("rtbufsize")) > 3840 * 2160 * 3 for way in windows)
    assert windows == [
        {"video_size": "1920x1080", "framerate": "30"},
        {"video_size": "1920x1080"},
        {"framerate": "30"},
        {},
    ]
    assert [way.keys() - {"rtbufsize"} for way in asked("dshow")] == [set()]
    mac = asked("avfoundation", "1280x720", 24)
    assert mac[:2] == [{"video_size": "1280x720", "framerate": f} for f in ("24", "30")]
    # FFmpeg's own default there, 29.97, is the last thing to try.
    assert asked("avfoundation")[0] == {"framerate": "30"} and asked("avfoundation")[-1] == {}
    assert all("input_format" not in way for way in mac)


def test_pictures_come_as_they_are_at_their_own_times_until_it_is_closed() -> None:
    before = set(threading.enumerate())
    source = drawn(f"{MOVING},realtime")
    try:
        assert source.size_px == (640, 360) and source.notes == []
        found = [next_of(source) for _ in range(12)]
    finally:
        source.close()
    assert set(threading.enumerate()) <= before
    assert all(picture.image.shape == (360, 640, 3) and picture.image.dtype == np.uint8 for picture in found)
    times = np.array([picture.time_s for picture in found])
    assert times[0] == 0.0 and (np.diff(times) > 0).all()
    index = np.array([picture.index for picture in found])
    # After the few that were decoded to learn about the stream, the device's stamps are a thirtieth of a second apart.
    rate = np.polyfit(index[4:], times[4:], 1)[0]
    assert rate == pytest.approx(1 / 30, rel=0.1)


def test_colours_are_right() -> None:
    source = drawn("color=c=0xC86432:size=64x48:rate=30,realtime")
    image = next_of(source).image
    source.close()
    np.testing.assert_allclose(image.reshape(-1, 3).mean(0), [0xC8, 0x64, 0x32], atol=4)


def test_the_newest_picture_wins() -> None:
    source = drawn(f"{MOVING},realtime")
    next_of(source)
    time.sleep(0.5)
    found = next_of(source)
    late = time.monotonic() - found.captured_s
    source.close()
    assert late < 0.2
    assert found.index >= 5 and source.mailbox.dropped >= found.index - 2


def test_what_a_camera_gives_instead_is_said() -> None:
    source = drawn(f"{MOVING},realtime", SourceWishes(camera_size="1920x1080", camera_fps=60))
    source.close()
    said = " ".join(source.notes)
    assert "640x360 instead of 1920x1080" in said and "30 pictures per second instead of 60" in said
    source = drawn(f"{MOVING},realtime", SourceWishes(camera_size="640x360", camera_fps=30))
    source.close()
    assert source.notes == []


def test_a_device_that_refuses_what_is_wished_for_is_opened_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, asked = av.open, []

    def strict(name: str, format: str, options: dict[str, str]) -> object:
        asked.append(options)
        if "framerate" in options or "video_size" in options:
            raise OSError(22, "Invalid argument")
        return opened(name, format=format, options=options)

    monkeypatch.setattr(camera.av, "open", strict)
    source = drawn(f"{MOVING},realtime", SourceWishes(camera_size="1280x720", camera_fps=60))
    source.close()
    assert asked[0].items() >= {"video_size": "1280x720", "framerate": "60"}.items() and len(asked) == 4
    assert "640x360 instead of 1280x720" in source.notes[0]


def test_a_camera_that_is_unplugged_says_so() -> None:
    source = drawn(f"{MOVING}:duration=0.5,realtime")
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(FacecapError, match="stopped sending pictures"):
        while time.monotonic() < deadline:
            source.mailbox.get(0.1)
    assert source.mailbox.ended
    source.close()


def test_a_camera_that_hangs_is_noticed_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_SILENT_S", 0.3)
    # Ten pictures, then none for as long as anybody waits.
    source = drawn(f"{MOVING},realtime,setpts=PTS+gte(N\\,10)*9/TB,realtime=limit=20")
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(FacecapError, match="stopped sending pictures"):
        while time.monotonic() < deadline:
            source.mailbox.get(0.1)
    closing = threading.Thread(target=source.close, daemon=True)
    closing.start()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()


def test_a_camera_that_cannot_be_had_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, device_format in (("/dev/video97", "v4l2"), ("nosuchfilter", "lavfi"), ("0", "nosuchdevice")):
        with pytest.raises(FacecapError, match="Camera 9 gives no picture"):
            CameraSource(CameraDevice(name, device_format, "Camera 9"))
    monkeypatch.setattr(camera, "_OPENING_S", 0.3)
    with pytest.raises(FacecapError, match="gives no picture"):
        drawn("testsrc2=size=64x48:rate=1/60,realtime=limit=90,setpts=PTS+9/TB,realtime=limit=20")


@pytest.mark.parametrize("system", ["linux", "win32", "darwin"])
def test_no_address_of_the_network_is_ever_opened(system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[object] = []
    monkeypatch.setattr(sources, "list_cameras", lambda _: [ListedCamera("0", "http camera")])
    monkeypatch.setattr(sources, "sys", type("System", (), {"platform": system}))
    monkeypatch.setattr(av, "open", lambda *args, **_: opened.append(args))
    monkeypatch.chdir(tmp_path)
    addresses = ("http://192.0.2.1/video.mjpg", "rtsp://192.0.2.1", "tcp://192.0.2.1:80", "concat:a|b", "lavfi:testsrc")
    for address in (*addresses, "https:", "srt", "video=x:audio=y", "\0", "x" * 5000, ""):
        with pytest.raises(FacecapError):
            open_source(address)
    assert opened == []


def test_a_name_that_nothing_has_is_answered_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "list_cameras", lambda _: [BRIO, STREAM])
    with pytest.raises(FacecapError, match=r"no camera and no video called Webcam.*Logitech BRIO, Cam Link 4K"):
        open_source("Webcam")
    with pytest.raises(FacecapError, match="talk"):
        open_source("talk.mp4")
    given: list[CameraDevice] = []
    monkeypatch.setattr(sources, "CameraSource", lambda device, _: given.append(device))
    open_source(" Logitech BRIO ")
    assert given[0].label == "The camera Logitech BRIO"


def test_stamps_are_kept_even_where_pictures_come_late() -> None:
    clock, random = CaptureClock(), np.random.default_rng(0)
    stamps = 5000.0 + np.arange(300) / 30
    came = np.maximum.accumulate(stamps - 4900.0 + 0.01 + random.exponential(0.02, 300)) + 1e-5 * np.arange(300)
    taken = np.array([clock.taken_s(*both) for both in zip(stamps, came, strict=True)])
    assert (taken <= came + 1e-9).all() and (np.diff(taken) > 0).all()
    np.testing.assert_allclose(np.diff(taken[30:]), 1 / 30, atol=2e-3)
    assert np.median(taken[30:] - (stamps[30:] - 4900.0)) < 0.015
    # The device's clock is set, then it gives no stamps: time goes on.
    last = taken[-1]
    for stamp, now in ((3.0, came[-1] + 1.0), (3.1, came[-1] + 1.1), (None, came[-1] + 1.2), (None, came[-1] + 1.3)):
        found = clock.taken_s(stamp, now)
        assert last < found <= now + 1e-9
        last = found
