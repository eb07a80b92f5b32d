"""Three small pictures of a face (mouth, middle, brows) cut out where its landmarks say, whatever the head's pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Landmarks of mediapipe-478 near a face's plane that expressions hardly move, and where they lie on the mean face:
# in outer eye distances from the middle of the face, x to the picture's right, y down.
_ANCHORS = np.array([33, 133, 362, 263, 168, 6, 2, 9])
_PLACES = np.array(
    [
        *((-0.500, -0.345), (-0.193, -0.326), (0.193, -0.326), (0.500, -0.345)),
        *((0.000, -0.425), (0.000, -0.329), (0.000, 0.158), (0.000, -0.629)),
    ]
)
_PLACES_INVERSE = np.linalg.pinv(np.concatenate([_PLACES, np.ones((len(_PLACES), 1))], axis=1))
_LIPS = np.array([61, 291, 0, 17, 37, 267, 84, 314])
# The bilinear step after block averaging still shrinks by at least this much: it must not see single blocks as pixels.
_LEFT_TO_THE_WARP = 1.5


@dataclass(frozen=True)
class CropShape:
    """Which part of the face a crop shows: its middle and half its size, outer eye distances, and its size in pixels.

    `on_lips`: the middle is counted from the middle of the lips, wherever the jaw has taken them.
    """

    name: str
    middle: tuple[float, float]
    half: tuple[float, float]
    size: tuple[int, int]
    on_lips: bool = False


CROPS = (
    CropShape("mouth", (0.0, 0.0), (0.48, 0.36), (72, 54), on_lips=True),
    CropShape("middle", (0.0, 0.40), (0.72, 0.72), (64, 64)),
    CropShape("brows", (0.0, -0.58), (0.66, 0.37), (72, 40)),
)


WHOLE_FACE = CropShape("face", (0.0, 0.10), (0.80, 1.0), (64, 80))
"""From the forehead to a dropped chin, coarse: what lies before the face is told from its surroundings."""


def cut_face(
    rgb: NDArray[np.uint8], landmarks_px: NDArray[np.floating], shapes: Sequence[CropShape] = CROPS
) -> tuple[NDArray[np.uint8], ...]:
    """Cut parts of one face out of a picture; outside the picture its border is repeated.

    Args:
        rgb: (H, W, 3) uint8.  landmarks_px: (478, 2), picture pixels.  shapes: which parts.
    Returns:
        A (height, width, 3) uint8 picture for each of `shapes`.
    """
    image_from_face = image_from_face_plane(landmarks_px)
    lips = landmarks_px[_LIPS].mean(0) - image_from_face[:, 2]
    on_lips = np.linalg.lstsq(image_from_face[:, :2], lips, rcond=None)[0]
    maps = [_image_from_crop(image_from_face, shape, on_lips) for shape in shapes]
    # What all crops read, once, and averaged over blocks of whole pixels: the step to the crops must not alias.
    corners = np.concatenate([_corners(m, s.size) for m, s in zip(maps, shapes, strict=True)])
    window, (left, top) = _window(rgb, corners)
    finest = min(float(np.sqrt(abs(np.linalg.det(m[:, :2])))) for m in maps)
    block = max(1, int(finest / _LEFT_TO_THE_WARP))
    picture = Image.fromarray(window)
    picture = picture.reduce(block) if block > 1 else picture
    crops = []
    for matrix, shape in zip(maps, shapes, strict=True):
        matrix[:, 2] -= (left, top)
        matrix /= block
        crop = picture.transform(shape.size, Image.Transform.AFFINE, matrix.ravel().tolist(), Image.Resampling.BILINEAR)
        crops.append(np.asarray(crop))
    return tuple(crops)


def places_in_crop(landmarks_px: NDArray[np.floating], shape: CropShape) -> NDArray[np.float64]:
    """(L, 2) where landmarks (L, 2) of a picture lie in a crop that is not `on_lips`: 0 to 1 from edge to edge."""
    matrix = image_from_face_plane(landmarks_px)
    places = np.linalg.solve(matrix[:, :2], (landmarks_px - matrix[:, 2]).T).T
    return (places - shape.middle) / (2 * np.array(shape.half)) + 0.5


def image_from_face_plane(landmarks_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """(2, 3) affine map from places on the mean face (outer eye distances) to picture pixels."""
    return (_PLACES_INVERSE @ landmarks_px[_ANCHORS].astype(np.float64)).T


def _image_from_crop(
    image_from_face: NDArray[np.float64], shape: CropShape, lips: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(2, 3) map from a crop's pixels to the picture's, the edges of pixels being whole numbers in both."""
    middle, half = np.array(shape.middle), np.array(shape.half)
    if shape.on_lips:
        middle = middle + lips
    matrix = image_from_face.copy()
    matrix[:, 2] += matrix[:, :2] @ (middle - half) + 0.5
    matrix[:, :2] *= 2 * half / np.array(shape.size)
    return matrix


def _corners(matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    return np.array([(x, y, 1.0) for x in (0, size[0]) for y in (0, size[1])]) @ matrix.T


def _window(rgb: NDArray[np.uint8], corners: NDArray[np.float64]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The part of a picture around some points, its border repeated outside, and where its upper left corner is."""
    height, width = rgb.shape[:2]
    low, high = np.floor(corners.min(0)).astype(int) - 2, np.ceil(corners.max(0)).astype(int) + 2
    (x0, y0), (x1, y1) = np.maximum(low, (-width, -height)).tolist(), np.minimum(high, (2 * width, 2 * height)).tolist()
    # At least one column and row of the picture are there to be repeated.
    left, top = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    right, bottom = max(min(x1, width), left + 1), max(min(y1, height), top + 1)
    window = np.ascontiguousarray(rgb[top:bottom, left:right])
    margins = ((max(top - y0, 0), max(y1 - bottom, 0)), (max(left - x0, 0), max(x1 - right, 0)), (0, 0))
    if any(before or after for before, after in margins):
        window = np.pad(window, margins, mode="edge")
    return window, (min(x0, left), min(y0, top))
