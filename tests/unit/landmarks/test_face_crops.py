"""Crops of a face show the same whatever its place, size and turn in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.images.resample import warp_affine
from facecap_addon.landmarks.face_crops import CROPS, cut_face, image_from_face_plane

MEAN_FACE = {
    **{33: (-0.5, -0.345), 133: (-0.193, -0.326), 362: (0.193, -0.326), 263: (0.5, -0.345)},
    **{168: (0, -0.425), 6: (0, -0.329), 2: (0, 0.158), 9: (0, -0.629)},
    **{61: (-0.277, 0.419), 291: (0.277, 0.419), 0: (0, 0.317), 17: (0, 0.515)},
    **{37: (-0.09, 0.317), 267: (0.09, 0.317), 84: (-0.09, 0.51), 314: (0.09, 0.51)},
}


def place(matrix: np.ndarray) -> np.ndarray:
    """(478, 2) landmarks of the mean face under a map (2, 3) from outer eye distances to pixels."""
    landmarks = np.zeros((478, 2), np.float32)
    for index, where in MEAN_FACE.items():
        landmarks[index] = matrix[:, :2] @ where + matrix[:, 2]
    return landmarks


def smooth_picture(width: int = 320, height: int = 320) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width) / 25, np.arange(height) / 31)
    waves = np.stack([np.sin(x + 0.3 * y), np.cos(y), np.sin(x * 0.5) * np.cos(y * 0.7)], axis=-1)
    return np.round(128 + 100 * waves).astype(np.uint8)


UPRIGHT = np.array([[80.0, 0, 160], [0, 80.0, 150]])


def test_the_face_plane_is_found_from_landmarks() -> None:
    turned = np.array([[70.0, -20, 150], [18.0, 75, 140]])
    np.testing.assert_allclose(image_from_face_plane(place(turned)), turned, atol=1e-3)


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.9])
@pytest.mark.parametrize("scale", [1.0, 1.4])
def test_crops_do_not_depend_on_place_turn_and_size(angle: float, scale: float) -> None:
    picture = smooth_picture()
    expected = cut_face(picture, place(UPRIGHT))
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    moved_from = np.array([[cosine, sine, 0], [-sine, cosine, 0.0]])
    moved_from[:, 2] = np.array([160, 150]) - moved_from[:, :2] @ [250, 260]
    moved = warp_affine(picture, moved_from, (520, 540))
    into = np.linalg.inv(moved_from[:, :2])
    matrix = np.concatenate([into @ UPRIGHT[:, :2], (into @ (UPRIGHT[:, 2] - moved_from[:, 2]))[:, None]], axis=1)
    found = cut_face(moved, place(matrix))
    for shape, a, b in zip(CROPS, expected, found, strict=True):
        assert a.shape == (shape.size[1], shape.size[0], 3) and a.dtype == np.uint8
        assert np.abs(a.astype(float) - b).mean() < 3, shape.name


def test_the_mouths_crop_goes_with_the_lips() -> None:
    picture = np.zeros((320, 320, 3), np.uint8)
    landmarks = place(UPRIGHT)
    lips = [61, 291, 0, 17, 37, 267, 84, 314]
    landmarks[lips, 1] += 30
    middle = landmarks[lips].mean(0)
    x, y = np.round(middle).astype(int)
    picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    mouth = cut_face(picture, landmarks)[0]
    at = np.argwhere(mouth[..., 0] > 128).mean(0)
    np.testing.assert_allclose(at, (np.array(mouth.shape[:2]) - 1) / 2, atol=1.0)


def test_large_faces_are_averaged_not_sampled() -> None:
    """Fine stripes in a large picture become grey; sampled they would flicker."""
    picture = np.zeros((1600, 1600, 3), np.uint8)
    picture[:, ::2] = 255
    matrix = UPRIGHT * 5
    for crop in cut_face(picture, place(matrix)):
        assert crop.std() < 30 and 100 < crop.mean() < 155


@pytest.mark.parametrize("shift", [(-1500.0, 0.0), (0.0, 900.0), (-150.0, -120.0), (260.0, 250.0)])
def test_a_face_partly_or_wholly_outside_repeats_the_border(shift: tuple[float, float]) -> None:
    picture = smooth_picture(300, 280)
    wide = np.pad(picture, ((400, 400), (400, 400), (0, 0)), mode="edge")
    matrix = UPRIGHT.copy()
    matrix[:, 2] += shift
    found = cut_face(picture, place(matrix))
    if max(abs(v) for v in shift) < 300:
        matrix[:, 2] += 400
        for a, b in zip(found, cut_face(wide, place(matrix)), strict=True):
            np.testing.assert_allclose(a.astype(float), b, atol=1)
