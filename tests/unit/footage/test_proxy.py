"""What Blender would show wrongly is given to it as a proxy: even steps, upright, square pixels, the right stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.proxy import explain_proxy
from facecap_addon.footage.read import read_frames
from facecap_addon.jobs.steps.proxy import Shown, find_shown_footage, prepare_shown_footage
from tests.unit.footage.test_sequence import write_pictures
from tests.unit.footage.test_video import (
    HEIGHT,
    WIDTH,
    constant_rate,
    corners,
    grey_level,
    quadrant_picture,
    write_clip,
)


def end_of(job: Generator[Any, None, Shown]) -> Shown:
    while True:
        try:
            next(job)
        except StopIteration as stop:
            return stop.value


def levels(path: Path) -> list[float]:
    return [float(frame.image.mean()) for frame in read_frames(open_footage(path))]


def write_program_stream(path: Path, frames: int = 40) -> Path:
    with av.open(str(path), "w", format="mpeg") as container:
        stream = container.add_stream("mpeg1video", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), grey_level(i), np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_two_streams(path: Path) -> Path:
    """A small stream first, the picture second."""
    with av.open(str(path), "w") as container:
        streams = []
        for width, height in ((32, 24), (WIDTH, HEIGHT)):
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for i in range(10):
            for stream in streams:
                level = 0 if stream is streams[0] else grey_level(i)
                image = np.full((stream.height, stream.width, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def write_wide_pixels(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH // 2, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for _ in range(10):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(quadrant_picture(WIDTH // 2, HEIGHT), format="rgb24"))
            )
        container.mux(stream.encode(None))
    return path


def write_turned(path: Path) -> Path:
    stored = np.ascontiguousarray(np.rot90(quadrant_picture()))
    return write_clip(path, constant_rate(10), pictures=[stored] * 10, rotation=-90)


MISSHOWN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "vfr.mp4": (lambda path: write_clip(path, [0, 20, 28, 60, 61, 200, 230, 245]), "rate varies"),
    "plate.mpg": (write_program_stream, "jump"),
    "two.mp4": (write_two_streams, "video streams"),
    "wide.mp4": (write_wide_pixels, "square"),
    "turned.mp4": (write_turned, "upright"),
}


@pytest.mark.parametrize("name", list(MISSHOWN))
def test_what_blender_misshows_gets_a_proxy(tmp_path: Path, name: str) -> None:
    make, reason = MISSHOWN[name]
    footage = open_footage(make(tmp_path / name))
    assert reason in explain_proxy(footage, footage.frame_rate)
    shown = end_of(prepare_shown_footage(footage, tmp_path / "out", footage.frame_rate))
    assert reason in shown.note
    proxy = open_footage(shown.path)
    assert explain_proxy(proxy, footage.frame_rate) == ""
    assert proxy.size_px == footage.size_px == (WIDTH, HEIGHT)
    ours = next(read_frames(footage)).image
    np.testing.assert_allclose(corners(next(read_frames(proxy)).image), corners(ours), atol=14)


def test_a_plain_video_is_shown_itself(tmp_path: Path) -> None:
    footage = open_footage(write_clip(tmp_path / "plain.mp4", [24 * i for i in range(40)]))
    assert end_of(prepare_shown_footage(footage, tmp_path / "out", Fraction(25))) == Shown(footage.paths[0])
    assert not (tmp_path / "out").exists()
    # In a scene of another rate, Blender would play it too fast or too slow.
    assert "scene" in explain_proxy(footage, Fraction(24))


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(30), Fraction(60)])
def test_each_step_of_a_proxy_shows_what_is_seen_then(tmp_path: Path, rate: Fraction) -> None:
    pts = [0, 20, 28, 60, 61, 200, 230, 245, 300, 330]
    footage = open_footage(write_clip(tmp_path / "vfr.mp4", pts))
    shown = levels(end_of(prepare_shown_footage(footage, tmp_path, rate)).path)
    assert len(shown) == math.ceil(pts[-1] / 600 * rate - 1e-3) + 1  # as long as the scene's range
    for step, level in enumerate(shown):
        latest = max(i for i, stamp in enumerate(pts) if stamp / 600 <= (step + 0.5) / rate + 1e-6)
        assert level == pytest.approx(grey_level(latest), abs=3)


def test_a_sequence_with_a_gap_keeps_its_time(tmp_path: Path) -> None:
    write_pictures(tmp_path / "shot", [101, 102, 103, 106])
    footage = open_footage(tmp_path / "shot", fps=25)
    shown = end_of(prepare_shown_footage(footage, tmp_path, Fraction(25)))
    assert levels(shown.path) == pytest.approx([101, 102, 103, 103, 103, 106], abs=3)


def test_a_proxy_is_of_all_the_footage_and_made_once(tmp_path: Path) -> None:
    clip = write_program_stream(tmp_path / "plate.mpg")
    footage = open_footage(clip, start="10f", end="20f")
    assert find_shown_footage(footage, tmp_path, Fraction(25)) is None
    shown = end_of(prepare_shown_footage(footage, tmp_path, Fraction(25)))
    assert len(levels(shown.path)) == 40
    written = shown.path.stat().st_mtime_ns
    assert end_of(prepare_shown_footage(footage, tmp_path, Fraction(25))) == find_shown_footage(
        footage, tmp_path, Fraction(25)
    )
    assert shown.path.stat().st_mtime_ns == written
    # Another clip of the same name has a proxy of its own.
    (tmp_path / "y").mkdir()
    other = open_footage(write_program_stream(tmp_path / "y" / "plate.mpg", 30))
    assert end_of(prepare_shown_footage(other, tmp_path, Fraction(25))).path != shown.path


def test_a_proxy_given_up_leaves_nothing(tmp_path: Path) -> None:
    footage = open_footage(write_program_stream(tmp_path / "plate.mpg"))
    job = prepare_shown_footage(footage, tmp_path / "out", Fraction(25))
    next(job)
    next(job)
    job.close()
    assert list((tmp_path / "out").iterdir()) == []


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    write_pictures(tmp_path / "large", [1, 2], size=(2000, 1001))
    shown = end_of(prepare_shown_footage(open_footage(tmp_path / "large", fps=25), tmp_path, Fraction(25)))
    assert open_footage(shown.path).size_px == (1280, 640)


def test_a_blend_is_given_the_pictures_and_the_sound(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from facecap_addon.jobs.settings.solve import SolveSettings
    from facecap_addon.jobs.steps.results.outputs import OutputFiles, prepare_blend_footage

    write_pictures(tmp_path / "shot", [1, 2, 3])
    footage = open_footage(tmp_path / "shot", fps=25)
    settings = SolveSettings(video=tmp_path / "shot", out=tmp_path / "out")
    files, warnings = OutputFiles(settings.out, "shot"), []
    source: Any = SimpleNamespace(is_blend=True)
    job: Any = prepare_blend_footage(source, settings, footage, files, warnings)
    shown: Any = end_of(job)
    assert len(levels(shown)) == 3  # image sequences used to leave no footage in the .blend
    assert "image sequence" in warnings[0]
    nothing: Any = prepare_blend_footage(SimpleNamespace(is_blend=False), settings, footage, files, warnings)  # type: ignore[arg-type]
    assert end_of(nothing) is None
