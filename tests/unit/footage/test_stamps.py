"""Rate, length and number of pictures come from what is in a video, not from what it announces."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from tests.unit.footage.test_video import constant_rate, write_clip

FIELD = Path(__file__).parents[4] / "shared" / "field"


def write_recording(path: Path, stamps_ms: list[int]) -> Path:
    """What a browser's recorder writes: no duration, no index, no rate, whole milliseconds."""
    with av.open(str(path), "w", format="matroska", options={"live": "1"}) as container:
        stream = container.add_stream("libx264", rate=1000, options={"bf": "0", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp in stamps_ms:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), stamp % 250, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_recording_that_announces_nothing(tmp_path: Path) -> None:
    jitter = np.random.default_rng(1).integers(-4, 5, 60)
    stamps = [max(0, round(i * 1000 / 30) + int(jitter[i])) for i in range(60) if i != 30]
    footage = open_footage(write_recording(tmp_path / "recorder.mkv", stamps))
    assert footage.frame_rate == 30
    assert footage.frame_count == 59
    assert footage.duration_s == pytest.approx(2.0, abs=0.02)
    second = open_footage(tmp_path / "recorder.mkv", start="1s")
    assert next(read_frames(second)).time_s == pytest.approx(1.0, abs=0.034)


def test_the_browser_recording_of_the_field() -> None:
    if not FIELD.is_dir():
        pytest.skip("the field's inputs are not here")
    footage = open_footage(FIELD / "mediarecorder.webm", start="1s")
    assert footage.frame_rate == 30
    assert (footage.frame_count, footage.duration_s) == (75, pytest.approx(2.513 + 1 / 30))
    assert next(read_frames(footage)).time_s >= 0.9995


def test_ntsc_stays_ntsc(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "ntsc.mp4", [1001 * i for i in range(40)], time_base=Fraction(1, 30000))
    assert open_footage(clip).frame_rate == Fraction(30000, 1001)


def test_a_program_stream_has_all_its_pictures(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "plate.mpg"), "w", format="mpeg") as container:
        stream = container.add_stream("mpeg1video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(75):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i * 3, np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    footage = open_footage(tmp_path / "plate.mpg")
    assert footage.frame_count == sum(1 for _ in read_frames(footage)) == 75


def test_a_long_pause_is_no_loss(tmp_path: Path) -> None:
    stamps = [33 * i for i in range(30)] + [6000 + 33 * i for i in range(30)]
    footage = open_footage(write_clip(tmp_path / "pause.mkv", stamps, time_base=Fraction(1, 1000)))
    reader = read_frames(footage)
    assert sum(1 for _ in reader) == footage.frame_count == 60
    assert reader.notes == []
    assert footage.duration_s == pytest.approx(6.99, abs=0.05)


def test_a_cut_off_matroska_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(100)]
    clip = write_clip(tmp_path / "cut.mkv", constant_rate(100), pictures=pictures, options={"g": "5"})
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    footage = open_footage(clip)
    reader = read_frames(footage)
    assert footage.frame_count == pytest.approx(sum(1 for _ in reader), abs=1)
    assert any("earlier" in note and "cut off" in note for note in reader.notes)
