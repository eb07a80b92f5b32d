"""What stands before a face is seen in its pixels: a real person's, who was in no training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.single_image import find_landmarks_in_image
from facecap_addon.landmarks.visibility import VisibilityNetwork, open_visibility, read_cells

PICTURE = Path(__file__).resolve().parents[2] / "data" / "carphone_000.png"
LIPS, BROWS = [0, 13, 14, 17], [70, 63, 105, 66, 107, 300, 293, 334, 296, 336]


@pytest.fixture(scope="module")
def network() -> VisibilityNetwork:
    found = open_visibility("mediapipe-478")
    assert found is not None
    return found


def _picture_and_landmarks() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    picture = np.asarray(Image.open(PICTURE).convert("RGB"))
    face = find_landmarks_in_image(picture, open_landmarker())
    assert face is not None
    return picture, face.landmarks_px


def test_a_clear_face_is_seen_as_clear(network: VisibilityNetwork) -> None:
    seen = network.visibility(*_picture_and_landmarks())
    assert seen[LIPS + BROWS].min() > 0.5


def test_skin_before_the_mouth_covers_the_lips_and_not_the_brows(network: VisibilityNetwork) -> None:
    picture, landmarks = _picture_and_landmarks()
    covered = picture.copy()
    size = float(np.linalg.norm(landmarks[33] - landmarks[263]))
    x, y = (int(v) for v in landmarks[[13, 14]].mean(0))
    cheek = picture[int(landmarks[50, 1]), int(landmarks[50, 0])].tolist()
    cv2.ellipse(covered, (x, y), (int(0.55 * size), int(0.35 * size)), 20, 0, 360, cheek, -1)
    seen = network.visibility(covered, landmarks)
    assert seen[LIPS].max() < 0.5
    assert seen[BROWS].min() > 0.5


def test_cells_are_read_between_their_middles_and_held_at_the_edge() -> None:
    cells = np.arange(6, dtype=np.float32).reshape(3, 2)
    places = np.array([[0.25, 1 / 6], [0.5, 1 / 6], [0.75, 5 / 6], [-3.0, 9.0]])
    assert read_cells(cells, places).tolist() == pytest.approx([0.0, 0.5, 5.0, 4.0])
