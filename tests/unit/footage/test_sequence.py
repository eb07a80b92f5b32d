"""Image sequences: found, ordered, timed, and refused with reasons."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames


def write_pictures(
    folder: Path, numbers: list[int], name: str = "shot_{:04d}.png", size: tuple[int, int] = (40, 30)
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        ok, content = cv2.imencode(Path(name).suffix, np.full((size[1], size[0], 3), number % 250, np.uint8))
        assert ok
        (folder / name.format(number)).write_bytes(content.tobytes())


@pytest.mark.parametrize("chosen", ["", "shot_0103.png", "shot_%04d.png", "shot_####.png", "shot_*.png"])
def test_a_gap_keeps_its_time(tmp_path: Path, chosen: str) -> None:
    write_pictures(tmp_path, [101, 102, 103, 106])
    footage = open_footage(tmp_path / chosen, fps=25)
    assert (footage.kind, footage.size_px, footage.frame_rate) == ("sequence", (40, 30), 25)
    assert footage.frame_count == 6
    assert any("2 of 6" in note for note in footage.notes)
    frames = list(read_frames(footage))
    assert [f.index for f in frames] == [0, 1, 2, 5]
    assert_allclose([f.time_s for f in frames], [0, 0.04, 0.08, 0.2])
    assert [int(f.image[0, 0, 0]) for f in frames] == [101, 102, 103, 106]


def test_the_assumed_rate_is_reported(tmp_path: Path) -> None:
    write_pictures(tmp_path, [1, 2])
    footage = open_footage(tmp_path)
    assert footage.frame_rate == Fraction(24)
    assert any("24" in note for note in footage.notes)


def test_numbers_without_leading_zeros_are_ordered_by_value(tmp_path: Path) -> None:
    write_pictures(tmp_path, [8, 9, 10, 11], "f{}.png")
    assert [int(f.image[0, 0, 0]) for f in read_frames(open_footage(tmp_path, fps=24))] == [8, 9, 10, 11]


def test_trim_and_resume(tmp_path: Path) -> None:
    write_pictures(tmp_path, list(range(10)))
    frames = list(read_frames(open_footage(tmp_path, fps=10, start="2f", end="0.7s"), skip=1))
    assert [f.index for f in frames] == [3, 4, 5, 6, 7]


def test_strangers_in_the_folder_are_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path, [1, 2, 3])
    write_pictures(tmp_path, [7], "reference.png", size=(90, 90))
    (tmp_path / "notes.txt").write_text("x")
    footage = open_footage(tmp_path, fps=24)
    assert len(footage.paths) == 3
    assert any("1 other" in note for note in footage.notes)


def test_one_picture_is_one_frame(tmp_path: Path) -> None:
    write_pictures(tmp_path, [77], "портрет %d.jpg")
    frames = list(read_frames(open_footage(tmp_path / "портрет %d.jpg", fps=24)))
    assert [f.index for f in frames] == [0]
    assert_allclose(frames[0].image, 77, atol=2)


def test_grey_deep_and_transparent_pictures(tmp_path: Path) -> None:
    kinds = {
        "grey": np.full((30, 40), 90, np.uint8),
        "deep": np.full((30, 40, 3), 90 * 257, np.uint16),
        "clear": np.dstack([np.full((30, 40, 3), 180, np.uint8), np.full((30, 40), 128, np.uint8)]),
    }
    for name, pixels in kinds.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
        image = next(read_frames(open_footage(tmp_path / f"{name}.png", fps=24))).image
        assert image.shape == (30, 40, 3)
        assert_allclose(image, 90, atol=1)


def test_a_damaged_picture_is_a_missing_frame(tmp_path: Path) -> None:
    write_pictures(tmp_path, [0, 1, 2, 3, 4])
    (tmp_path / "shot_0001.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    reader = read_frames(open_footage(tmp_path, fps=24))
    assert [f.index for f in reader] == [0, 2, 3, 4]
    assert any("shot_0001.png" in note for note in reader.notes)


@pytest.mark.parametrize("odd_one", [2, 3])
def test_differing_sizes_are_refused_by_name(tmp_path: Path, odd_one: int) -> None:
    write_pictures(tmp_path, [0, 1, 2, 3, 4])
    write_pictures(tmp_path, [odd_one], size=(44, 30))
    with pytest.raises(FacecapError, match=f"shot_000{odd_one}.png has 44 × 30"):
        list(read_frames(open_footage(tmp_path, fps=24)))


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="no pictures"):
        open_footage(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(FacecapError, match="no pictures"):
        open_footage(tmp_path)


@pytest.mark.parametrize("name", ["x_%04d.png", "x_####.png", "x.png"])
def test_patterns_that_match_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FacecapError):
        open_footage(tmp_path / name)


def test_an_absurdly_wide_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((1, 16400), np.uint8))
    with pytest.raises(FacecapError, match="16384"):
        open_footage(tmp_path / "wide.png")
