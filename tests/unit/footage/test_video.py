"""Reading video: what is in the file comes out, with its own times, whichever way it was recorded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames

WIDTH, HEIGHT = 96, 64
QUADRANTS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30))


def quadrant_picture(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Red top left, green top right, blue bottom left, yellow bottom right."""
    picture = np.zeros((height, width, 3), np.uint8)
    halves = (slice(0, height // 2), slice(height // 2, None)), (slice(0, width // 2), slice(width // 2, None))
    for i, color in enumerate(QUADRANTS):
        picture[halves[0][i // 2], halves[1][i % 2]] = color
    return picture


def corners(image: np.ndarray) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quadrants, in reading order."""
    h, w = image.shape[:2]
    return [tuple(int(v) for v in image[y, x]) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


def grey_level(index: int) -> int:
    return 40 + (index * 7) % 170


def write_clip(
    path: Path,
    pts: Sequence[int],
    *,
    time_base: Fraction = Fraction(1, 600),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pictures: Sequence[np.ndarray] | None = None,
    source_format: str = "rgb24",
    options: dict[str, str] | None = None,
    rotation: float | None = None,
    audio_start_s: float | None = None,
    format_name: str | None = None,
) -> Path:
    """Write frames (frame i is `grey_level(i)` all over, unless pictures are given) with the given timestamps."""
    with av.open(str(path), "w", format=format_name) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        first = pictures[0] if pictures is not None else np.zeros((HEIGHT, WIDTH, 3))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=16000, layout="mono") if audio_start_s is not None else None
        for i, stamp in enumerate(pts):
            image = pictures[i] if pictures is not None else np.full((HEIGHT, WIDTH, 3), grey_level(i), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format=source_format)
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            for block in range(10):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                sound.sample_rate = 16000
                sound.pts = round(audio_start_s * 16000) + block * 1024
                container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
    return path


def constant_rate(count: int) -> list[int]:
    return [20 * i for i in range(count)]


def test_variable_frame_rate_keeps_every_timestamp(tmp_path: Path) -> None:
    pts = [0, 20, 28, 60, 61, 200, 230, 245]
    footage = open_footage(write_clip(tmp_path / "vfr.mp4", pts))
    frames = list(read_frames(footage))
    assert_allclose([f.time_s for f in frames], np.array(pts) / 600, atol=1e-6)
    assert [f.index for f in frames] == list(range(8))
    assert [round(float(f.image.mean())) for f in frames] == pytest.approx([grey_level(i) for i in range(8)], abs=2)


def test_times_start_at_the_first_picture(tmp_path: Path) -> None:
    footage = open_footage(write_clip(tmp_path / "late.mkv", [900, 920, 940], time_base=Fraction(1, 1000)))
    assert_allclose([f.time_s for f in read_frames(footage)], [0.0, 0.02, 0.04], atol=1e-6)


def test_frame_is_rgb_upright_contiguous_and_stays_valid(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "four colours.mp4", constant_rate(3), pictures=[quadrant_picture()] * 3)
    footage = open_footage(clip)
    assert footage.size_px == (WIDTH, HEIGHT)
    first, second, _ = list(read_frames(footage))
    assert first.image.dtype == np.uint8
    assert first.image.shape == (HEIGHT, WIDTH, 3)
    assert first.image.flags.c_contiguous
    assert not np.shares_memory(first.image, second.image)
    assert_allclose(corners(first.image), QUADRANTS, atol=12)


@pytest.mark.parametrize(
    ("counterclockwise", "clockwise", "order"),
    [(-90, 90, (2, 0, 3, 1)), (180, 180, (3, 2, 1, 0)), (90, 270, (1, 3, 0, 2))],
)
def test_rotation_flag_is_honoured(
    tmp_path: Path, counterclockwise: int, clockwise: int, order: tuple[int, ...]
) -> None:
    clip = write_clip(
        tmp_path / "phone.mp4", constant_rate(2), pictures=[quadrant_picture()] * 2, rotation=counterclockwise
    )
    footage = open_footage(clip)
    assert footage.rotation_deg == clockwise
    assert footage.size_px == ((WIDTH, HEIGHT) if clockwise == 180 else (HEIGHT, WIDTH))
    image = next(read_frames(footage)).image
    assert image.shape[1::-1] == footage.size_px
    assert_allclose(corners(image), [QUADRANTS[i] for i in order], atol=12)


def test_anamorphic_pixels_become_square(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "wide.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for i in range(2):
            frame = av.VideoFrame.from_ndarray(quadrant_picture(), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    footage = open_footage(tmp_path / "wide.mkv")
    assert footage.size_px == (128, HEIGHT)
    assert next(read_frames(footage)).image.shape == (HEIGHT, 128, 3)


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("ffv1", "gray"),
        ("ffv1", "gray16le"),
        ("ffv1", "yuv420p10le"),
        ("ffv1", "yuv444p16le"),
        ("prores_ks", "yuv422p10le"),
    ],
)
def test_grey_and_deep_pictures_become_rgb(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    frames = list(
        read_frames(open_footage(write_clip(tmp_path / "deep.mkv", constant_rate(4), codec=codec, pix_fmt=pix_fmt)))
    )
    for frame in frames:
        assert_allclose(frame.image, grey_level(frame.index), atol=3)


def test_alpha_is_composited_over_black(tmp_path: Path) -> None:
    picture = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
    picture[:, : WIDTH // 2, 3] = 0
    picture[:, WIDTH // 2 :, 3] = 128
    clip = write_clip(
        tmp_path / "alpha.mov",
        constant_rate(2),
        codec="png",
        pix_fmt="rgba",
        pictures=[picture] * 2,
        source_format="rgba",
    )
    image = next(read_frames(open_footage(clip))).image
    assert_allclose(image[:, : WIDTH // 2], 0)
    assert_allclose(image[:, WIDTH // 2 :], 100, atol=1)


def test_odd_sizes(tmp_path: Path) -> None:
    picture = quadrant_picture(77, 51)
    clip = write_clip(tmp_path / "odd.mkv", constant_rate(2), codec="ffv1", pix_fmt="yuv444p", pictures=[picture] * 2)
    footage = open_footage(clip)
    assert footage.size_px == (77, 51)
    assert_allclose(next(read_frames(footage)).image, picture, atol=4)


def test_missing_timestamps_are_counted_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "raw.h264", constant_rate(10), format_name="h264", options={"bf": "2"})
    reader = read_frames(open_footage(clip))
    times = [frame.time_s for frame in reader]
    assert len(times) == 10
    assert np.all(np.diff(times) > 0)
    assert_allclose(np.diff(times), np.diff(times)[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("start", "end"), [("70f", "90f"), ("2.5s", "3.0s"), ("00:02.5", None), (None, "10f"), (95, 95)]
)
def test_a_trim_gives_the_same_frames_as_the_whole(tmp_path: Path, start: str | None, end: str | None) -> None:
    clip = write_clip(tmp_path / "long.mp4", constant_rate(120), options={"g": "30", "bf": "3"})
    whole = list(read_frames(open_footage(clip)))
    footage = open_footage(clip, start=start, end=end)
    expected = [
        f
        for f in whole
        if not footage.trim.is_before(f.index, f.time_s) and not footage.trim.is_after(f.index, f.time_s)
    ]
    found = list(read_frames(footage))
    assert 0 < len(expected) < len(whole)
    assert [(f.index, f.time_s) for f in found] == [(f.index, f.time_s) for f in expected]
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a.image, b.image)
    assert footage.expected_frame_count == pytest.approx(len(expected), abs=1)


@pytest.mark.parametrize("skip", [5, 77])
def test_a_resumed_read_goes_on_where_it_stopped(tmp_path: Path, skip: int) -> None:
    clip = write_clip(tmp_path / "long.mkv", constant_rate(120), options={"g": "25"})
    footage = open_footage(clip, start="12f")
    whole = list(read_frames(footage))
    resumed = list(read_frames(footage, skip=skip))
    assert [(f.index, f.time_s) for f in resumed] == [(f.index, f.time_s) for f in whole[skip:]]
    assert np.array_equal(resumed[0].image, whole[skip].image)


def test_audio_offset_is_measured_from_the_first_picture(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "sound.mkv", constant_rate(20), audio_start_s=0.25)
    footage = open_footage(clip)
    assert footage.has_audio
    assert footage.audio_offset_s == pytest.approx(0.25, abs=0.07)  # the encoder's own delay is 64 ms


def test_a_cut_off_file_gives_what_decodes_and_says_so(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "cut.mp4",
        constant_rate(100),
        options={"g": "10", "movflags": "faststart"},
        pictures=[np.random.default_rng(i).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8) for i in range(100)],
    )
    # movflags is a container option, so the index is moved to the front here.
    with (
        av.open(str(clip)) as source,
        av.open(str(tmp_path / "front.mp4"), "w", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    content = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "front.mp4").write_bytes(content[: len(content) * 6 // 10])
    footage = open_footage(tmp_path / "front.mp4")
    reader = read_frames(footage)
    decoded = sum(1 for _ in reader)
    assert 40 <= decoded <= 70
    assert footage.frame_count == pytest.approx(decoded, abs=4)  # some refer to pictures behind the cut
    assert any("100" in note and str(decoded) in note for note in reader.notes)


def test_damage_in_the_middle_is_skipped_and_reported(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "hurt.mkv", constant_rate(60), codec="mjpeg", pix_fmt="yuvj420p")
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    clip.write_bytes(bytes(content))
    reader = read_frames(open_footage(clip))
    times = [frame.time_s for frame in reader]
    assert 40 < len(times) <= 60
    assert np.all(np.diff(times) > 0)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", constant_rate(1500), options={"g": "60", "preset": "ultrafast"})
    reader = read_frames(open_footage(clip))
    for _ in range(100):
        next(reader)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        count = sum(1 for _ in reader)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert count == 1400
    assert grown < 200_000


def test_a_reader_can_be_left_early_and_closed(tmp_path: Path) -> None:
    reader = read_frames(open_footage(write_clip(tmp_path / "c.mp4", constant_rate(30))))
    next(reader)
    reader.close()
    assert list(reader) == []
    assert reader.frames_read == 1


def test_paths_with_spaces_and_other_scripts(tmp_path: Path) -> None:
    folder = tmp_path / "prises de vue – 撮影 %d"
    folder.mkdir()
    clip = write_clip(folder / "тест №1 100% #.mp4", constant_rate(3))
    assert len(list(read_frames(open_footage(clip)))) == 3


class TestBadInput:
    def expect(self, path: Path, *words: str, **options: object) -> None:
        with pytest.raises(FacecapError) as caught:
            list(read_frames(open_footage(path, **options)))  # type: ignore[arg-type]
        assert all(word in str(caught.value) for word in words), str(caught.value)
        assert caught.value.way_out
        assert caught.value.exit_code == 2

    def test_missing(self, tmp_path: Path) -> None:
        self.expect(tmp_path / "nothing.mp4", "no file", "nothing.mp4")

    def test_zero_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        self.expect(tmp_path / "empty.mp4", "empty")

    def test_text_renamed(self, tmp_path: Path) -> None:
        (tmp_path / "letter.mp4").write_text("Dear animator,\n" * 200)
        self.expect(tmp_path / "letter.mp4", "not a video")

    def test_text_file(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("Dear animator,\n" * 200)
        self.expect(tmp_path / "letter.txt", "not a video")

    def test_playlist_does_not_reach_other_files(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "real.mp4", constant_rate(3))
        (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nreal.mp4\n#EXT-X-ENDLIST\n")
        self.expect(tmp_path / "list.mp4", "not a video")

    def test_index_cut_off(self, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "cut.mp4", constant_rate(30))
        clip.write_bytes(clip.read_bytes()[:400])
        self.expect(clip, "cut off")

    def test_sound_only(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "voice.m4a"), "w", format="ipod") as container:
            stream = container.add_stream("aac", rate=16000, layout="mono")
            for block in range(5):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                sound.sample_rate, sound.pts = 16000, block * 1024
                container.mux(stream.encode(sound))
            container.mux(stream.encode(None))
        self.expect(tmp_path / "voice.m4a", "sound but no picture")

    def test_unknown_codec(self, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "odd.mov", constant_rate(5))
        content = clip.read_bytes()
        assert b"avc1" in content
        clip.write_bytes(content.replace(b"avc1", b"zz9x"))
        self.expect(clip, "codec of odd.mov is not supported")

    def test_absurd_size_is_refused_before_decoding(self, tmp_path: Path) -> None:
        clip = write_clip(
            tmp_path / "huge.mkv", [0], codec="ffv1", pix_fmt="gray", pictures=[np.zeros((2, 16400, 3), np.uint8)]
        )
        self.expect(clip, "16400", "16384")

    def test_a_frame_rate_for_a_video(self, tmp_path: Path) -> None:
        self.expect(write_clip(tmp_path / "c.mp4", constant_rate(3)), "timestamps", fps=25)

    @pytest.mark.parametrize(
        ("start", "end", "word"), [("20f", "10f", "before"), ("9s", None, "behind the end"), ("soon", None, "neither")]
    )
    def test_impossible_trims(self, tmp_path: Path, start: str, end: str | None, word: str) -> None:
        self.expect(write_clip(tmp_path / "c.mp4", constant_rate(30)), word, start=start, end=end)
