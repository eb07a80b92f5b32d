"""Lists of further cameras: what is none is refused in words, and the first camera must be the solve's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.solve import find_row
from facecap_addon.jobs.steps.refine_cameras import check_first, read_view
from facecap_addon.landmarks.observations import Observations

SIZE = (640, 480)


def camera(**changed: object) -> dict[str, object]:
    """A camera that is right, but for what is changed."""
    return {"video": "side.mp4", "from_first": np.eye(4).tolist(), "focal_px": 800.0} | changed


def moved(change: list[tuple[int, int, float]]) -> list[list[float]]:
    """The identity with some numbers changed."""
    matrix = np.eye(4)
    for row, column, value in change:
        matrix[row, column] = value
    return matrix.tolist()


@pytest.mark.parametrize(
    "changed",
    [
        {"from_first": moved([(0, 0, -1.0)])},  # as a mirror shows it
        {"from_first": moved([(0, 3, float("nan"))])},
        {"from_first": moved([(0, 0, 2.0)])},
        {"from_first": moved([(3, 3, 2.0)])},
        {"focal_px": float("nan")},
        {"focal_px": -5.0},
        {"center_px": [float("nan"), 3.0]},
        {"center_px": "here"},
        {"pixel_aspect": 0.0},
        {"pixel_aspect": float("nan")},
        {"offset_s": float("inf")},
        {"size_px": [0, 480]},
    ],
)
def test_a_camera_that_is_none_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(FacecapError, match=r"cameras\.json"):
        read_view(Path("cameras.json"), camera(**changed), SIZE)


@pytest.mark.parametrize(
    "distortion",
    [
        {"distortion": [-0.2, 0.03, 0.0, 0.0, 0.0]},
        {"distortion": {"model": "POLYNOMIAL", "k1": -0.2}},
        {"dist_coeffs": [[0.1, 0.0]]},
        {"k1": -0.2, "k2": 0.03},
        {"brown_p1": 0.01},
    ],
)
def test_a_lens_that_distorts_is_refused_with_the_way_out(tmp_path: Path, distortion: dict[str, object]) -> None:
    """It was read as if it did not, and the face would have been some pixels from where it is."""
    with pytest.raises(FacecapError, match="distorts") as refused:
        read_view(Path("cameras.json"), camera(**distortion), SIZE)
    assert "Undistort" in refused.value.way_out
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps({"first": {"focal_px": 800.0, **distortion}, "cameras": [camera()]}))
    with pytest.raises(FacecapError, match="distorts"):
        check_first(path, centered_camera(*SIZE, 800.0))


def test_a_lens_whose_distortion_is_none_is_read() -> None:
    straight = {"distortion": [0.0, 0, 0, 0.0], "k1": 0.0, "distortion_model": "POLYNOMIAL"}
    assert read_view(Path("cameras.json"), camera(**straight), SIZE)[0] == centered_camera(*SIZE, 800.0)


def test_a_lens_is_for_the_picture_in_square_pixels() -> None:
    """A clip of 320 × 480 pixels that are twice as wide as high is read as 640 × 480."""
    plain, _ = read_view(Path("cameras.json"), camera(), SIZE)
    assert plain == centered_camera(*SIZE, 800.0)
    anamorphic, _ = read_view(Path("cameras.json"), camera(size_px=[320, 480], focal_px=400.0, pixel_aspect=0.5), SIZE)
    assert anamorphic == plain


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ({"focal_px": 800.0, "center_px": [350.0, 239.5]}, "lens shift"),
        ({"focal_px": 800.0, "pixel_aspect": 1.1}, "not square"),
        ({"focal_px": 900.0}, "the solve took 800 px"),
        ({"focal_px": float("nan")}, "lens is none"),
        ([800.0], "is no camera"),
    ],
)
def test_a_first_camera_that_is_not_the_solves_is_refused(tmp_path: Path, first: object, words: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps({"first": first, "cameras": [camera()]}))
    with pytest.raises(FacecapError, match=words):
        check_first(path, centered_camera(*SIZE, 800.0))
    for same in ({}, {"first": {"focal_px": 801.0}}):
        path.write_text(json.dumps({**same, "cameras": [camera()]}))
        check_first(path, centered_camera(*SIZE, 800.0))


def test_the_neutral_frame_of_the_footage_is_a_row_of_the_take() -> None:
    """`--start 100 --neutral-frame 105`: the sixth row; and of a range in a longer take the row there."""
    frames = np.arange(100, 120)
    seen = Observations(
        time_s=frames / 25,
        frame_index=frames,
        landmarks_px=np.zeros((20, 1, 2), np.float32),
        depth_px=np.zeros((20, 1), np.float32),
        presence=np.ones(20, np.float32),
        confidence=np.ones((20, 1), np.float32),
        scheme="mediapipe-478",
        image_size=SIZE,
        model_version="",
    )
    assert find_row(frames / 25, seen, 105) == 5
    assert find_row(np.arange(90, 130) / 25, seen, 105) == 15
