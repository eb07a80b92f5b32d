"""A judge that nothing here optimises: dlib's 68 points, where its packages are installed.

    pip install dlib-bin face_recognition_models "setuptools<81"

For development only: the data behind its model are not free for every use, so it is never shipped.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecap_addon.images.resample import resize
from facecap_addon.landmarks.face_measures import MEASURES, MeasureAgreement, compare_measures, fit_similarities

F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
_MODEL = "models/shape_predictor_68_face_landmarks.dat"
_RIGID = [27, 28, 29, 30, 36, 39, 42, 45]
# Its points jitter more than the landmark network's: only clear motion is compared, in outer eye distances.
_LEAST_RANGE = np.array([0.06, 0.06, 0.1, 0.04, 0.06, 0.08] + [0.045] * 9)
_HEIGHT_PX = 480
_DETECT_EVERY = 8


def has_dlib() -> bool:
    """Whether dlib and its model can be used."""
    return importlib.util.find_spec("dlib") is not None and _model() is not None


def observe_with_dlib(pictures: Iterable[U8]) -> F64:
    """(F, 68, 2) points of pictures (H, W, 3) in order, in their pixels at 480 px of height; NaN without a face."""
    import dlib  # pyright: ignore[reportMissingImports]

    find_faces, find_points = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(_model()))
    box, out = None, []
    for k, picture in enumerate(pictures):
        # Small footage is enlarged: below 480 px dlib's points are drawn to whole pixels, and motion drowns in that.
        scale = _HEIGHT_PX / picture.shape[0]
        shown = np.ascontiguousarray(resize(picture, (round(picture.shape[1] * scale), _HEIGHT_PX)))
        if box is None or k % _DETECT_EVERY == 0:
            found = find_faces(shown, 0) or (find_faces(shown, 1) if box is None else [])
            box = max(found, key=dlib.rectangle.area) if found else box
        if box is None:
            out.append(np.full((68, 2), np.nan))
            continue
        shape = find_points(shown, box)
        out.append(np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)], np.float64))
    return np.array(out)


def compare_with_dlib(footage: F64, head: F64) -> MeasureAgreement:
    """The same fifteen measures on (F, 68, 2) points of footage and head, each smoothed over three frames."""
    mine, of_head = (_smooth(_measure(_align(points))) for points in (footage, head))
    return compare_measures(MEASURES, mine, of_head, _LEAST_RANGE)


def _model() -> Path | None:
    package = importlib.util.find_spec("face_recognition_models")
    path = Path(package.origin).parent / _MODEL if package is not None and package.origin else None
    return path if path is not None and path.exists() else None


def _align(points: F64) -> F64:
    """Over one another by the nose's bridge and the corners of the eyes, in distances of the outer eye corners."""
    seen = np.isfinite(points).all(axis=(1, 2))
    aligned = np.full(points.shape, np.nan)
    if not seen.any():
        return aligned
    rigid = points[seen][:, _RIGID]
    middle = rigid.mean(axis=1, keepdims=True)
    rigid = rigid - middle
    reference = np.median(rigid, axis=0)
    rotation, scale = fit_similarities(rigid, reference)
    turned = (points[seen] - middle) @ rotation
    aligned[seen] = scale[:, None, None] * turned / np.linalg.norm(reference[4] - reference[7])
    return aligned


def _measure(aligned: F64) -> F64:
    def distance(a: int, b: int) -> F64:
        return np.linalg.norm(aligned[:, a] - aligned[:, b], axis=1)

    def down(*of: int) -> F64:
        return aligned[:, of, 1].mean(axis=1)

    nose = down(31, 33, 35)
    width, gap = distance(48, 54), distance(62, 66)
    columns = [
        width,
        gap,
        gap / width,
        down(50, 51, 52) - nose,
        down(56, 57, 58) - nose,
        down(7, 8, 9) - nose,
        nose - down(48),
        nose - down(54),
        (aligned[:, 48, 0] + aligned[:, 54, 0]) / 2,
        down(40, 41) - down(37, 38),
        down(46, 47) - down(43, 44),
        -down(20, 21),
        -down(22, 23),
        -down(17, 18),
        -down(25, 26),
    ]
    return np.stack(columns, axis=1)


def _smooth(curves: F64) -> F64:
    padded = np.pad(curves, ((1, 1), (0, 0)), mode="edge")
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3
