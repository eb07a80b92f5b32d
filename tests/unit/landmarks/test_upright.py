"""Footage that stands on its head is found and turned; heads that lie on their side are left as they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.landmarks.backends.model_files import MODELS_FOLDER
from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.upright import LiveUpright, is_upside_down, stand_upright

ROOT = Path(__file__).parents[3]
CLIPS = ROOT.parent / "shared" / "data" / "clips"
FIELD = ROOT.parent / "shared" / "field"
pytestmark = pytest.mark.skipif(not list(MODELS_FOLDER.glob("*.onnx")), reason="the landmark models are not built")


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return open_landmarker()


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    picture = cv2.cvtColor(cv2.imread(str(ROOT / "tests" / "data" / "carphone_000.png")), cv2.COLOR_BGR2RGB)
    return cv2.resize(picture, (352, 288), interpolation=cv2.INTER_CUBIC)


def turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("degrees", [0, 20, 60, 75, 90, -20, -60, -75, -90])
def test_a_tilted_head_is_left_as_it_is(landmarker: Landmarker, face: np.ndarray, degrees: float) -> None:
    assert not is_upside_down([SimpleNamespace(index=0, time_s=0.0, image=turned(face, degrees))], landmarker)


@pytest.mark.parametrize("degrees", [180, 165, -165])
def test_a_face_upside_down_is_seen(landmarker: Landmarker, face: np.ndarray, degrees: float) -> None:
    assert is_upside_down([SimpleNamespace(index=0, time_s=0.0, image=turned(face, degrees))], landmarker)


def test_pictures_without_a_face_are_left_as_they_are(landmarker: Landmarker) -> None:
    grey = np.full((144, 176, 3), 120, np.uint8)
    assert not is_upside_down([SimpleNamespace(index=i, time_s=i / 25, image=grey) for i in range(20)], landmarker)


def test_a_sequence_is_turned_and_says_so(tmp_path: Path, landmarker: Landmarker, face: np.ndarray) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"f_{number:04d}.png"), cv2.cvtColor(face[::-1, ::-1], cv2.COLOR_RGB2BGR))
    footage = stand_upright(open_footage(tmp_path, fps=25), landmarker)
    assert any("stands on its head" in note for note in footage.notes)
    assert footage.size_px == (352, 288)
    for frame in read_frames(footage):
        assert np.array_equal(frame.image, face)
    assert stand_upright(footage, landmarker) == footage  # it stands now


def test_live_pictures_are_turned_from_the_first_faces_on_and_whenever_the_camera_is(
    landmarker: Landmarker, face: np.ndarray
) -> None:
    upright, fps = LiveUpright(landmarker), 10
    grey, on_its_head = np.full_like(face, 120), np.ascontiguousarray(face[::-1, ::-1])
    shown = [grey] * 3 + [on_its_head] * 30 + [face] * 30
    given = [upright.step(image, i / fps) for i, image in enumerate(shown)]
    stands = [np.array_equal(image, face) for image in given]
    known = next(i for i, good in enumerate(stands) if good)
    assert 3 <= known <= 7 and all(stands[known:33])
    again = next(i for i in range(33, 63) if stands[i])  # within a second or so
    assert again <= 33 + 1.5 * fps and all(stands[again:])
    assert not upright.turned and upright.decided


def test_live_pictures_that_stand_stay_as_they_are(landmarker: Landmarker, face: np.ndarray) -> None:
    upright = LiveUpright(landmarker)
    assert all(upright.step(face, i / 30) is face for i in range(40))
    assert upright.decided and not upright.turned


@pytest.mark.parametrize(
    ("name", "expected"), [("base.mp4", False), ("portrait916.mp4", False), ("upside_s1_pwij3s.mp4", True)]
)
def test_the_clips_of_the_field(landmarker: Landmarker, name: str, expected: bool) -> None:
    if not FIELD.is_dir():
        pytest.skip("the field's inputs are not here")
    assert stand_upright(open_footage(FIELD / name), landmarker).upside_down is expected
