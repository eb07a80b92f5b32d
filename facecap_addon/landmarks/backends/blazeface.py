"""MediaPipe's face detector (BlazeFace): short range first, full range when that finds nothing.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ...images.resample import resize, warp_affine
from ..protocol import Face
from .model_files import open_session

SHORT_RANGE_FILE = "face_detection_short_range.onnx"
FULL_RANGE_FILE = "face_detection_full_range.onnx"
_SUPPRESSION_IOU = 0.3
_KEYPOINTS = 6


@dataclass(frozen=True)
class _Network:
    session: onnxruntime.InferenceSession
    size: int
    anchors: NDArray[np.float64]
    threshold: float


class FaceDetector:
    """Finds faces in a picture with two networks, one for near and one for distant faces."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.short_range = _Network(
            open_session(folder / SHORT_RANGE_FILE, threads), 128, _make_anchors(((16, 2), (8, 6))), 0.5
        )
        self.full_range = _Network(open_session(folder / FULL_RANGE_FILE, threads), 192, _make_anchors(((48, 1),)), 0.6)

    def find_faces(self, rgb: NDArray[np.uint8], *, full_range: bool = True) -> list[Face]:
        """Faces in a picture, the largest first.

        Args:
            rgb: (H, W, 3) uint8.
            full_range: also look for distant faces when the short-range network finds none.
        """
        faces = _detect(self.short_range, rgb)
        if not faces and full_range:
            faces = _detect(self.full_range, rgb)
        return sorted(faces, key=lambda face: face.side_px, reverse=True)


def _make_anchors(layers: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Anchor centres (A, 2) in 0..1: order row, column, anchor of the cell; layers one after the other."""
    parts: list[NDArray[np.float64]] = []
    for cells, per_cell in layers:
        rows, columns = np.indices((cells, cells))
        centers = (np.stack([columns, rows], axis=2).reshape(-1, 2) + 0.5) / cells
        parts.append(np.repeat(centers, per_cell, axis=0))
    return np.concatenate(parts)


def _detect(network: _Network, rgb: NDArray[np.uint8]) -> list[Face]:
    height, width = rgb.shape[:2]
    square = float(max(height, width))
    outputs = network.session.run(["boxes", "scores"], {"image": _pad_to_square(rgb, network.size)[None]})
    boxes, logits = cast("list[NDArray[np.float32]]", outputs)
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0].astype(np.float64), -100.0, 100.0)))
    found = np.flatnonzero(scores >= network.threshold)
    if found.size == 0:
        return []
    raw = boxes[0][found].astype(np.float64) / network.size
    points = raw.reshape(len(found), -1, 2)
    centers = points[:, 0] + network.anchors[found]
    half = points[:, 1] / 2
    keypoints = points[:, 2 : 2 + _KEYPOINTS] + network.anchors[found][:, None]
    decoded = np.concatenate([(centers - half)[:, None], (centers + half)[:, None], keypoints], axis=1)
    origin = np.array([(square - width) / 2, (square - height) / 2])
    faces: list[Face] = []
    for merged, score in _merge_overlapping(decoded, scores[found]):
        placed = merged * square - origin
        (left, top), (right, bottom) = placed[0], placed[1]
        if right > left and bottom > top:
            faces.append(Face((float(left), float(top), float(right), float(bottom)), score, placed[2:]))
    return faces


def _pad_to_square(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The picture in the middle of a black square, (size, size, 3)."""
    height, width = rgb.shape[:2]
    scale = size / max(height, width)
    across, down = scale, scale
    if scale < 1.0:
        # Averaging keeps a small face from falling between the samples of a large picture.
        rgb = resize(rgb, (max(1, round(width * scale)), max(1, round(height * scale))))
        across, down = width * scale / rgb.shape[1], height * scale / rgb.shape[0]
    left, top = (size - width * scale) / 2, (size - height * scale) / 2
    image_from_square = np.array([[1 / across, 0.0, -left / across], [0.0, 1 / down, -top / down]])
    return warp_affine(rgb, image_from_square, (size, size), border=(0, 0, 0))


def _merge_overlapping(
    boxes: NDArray[np.float64], scores: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], float]]:
    """Score-weighted non-maximum suppression: overlapping boxes become their weighted mean.

    Args:
        boxes: (D, P, 2), the first two points are the box's corners.  scores: (D,).
    """
    merged: list[tuple[NDArray[np.float64], float]] = []
    left = np.argsort(-scores, kind="stable")
    while left.size:
        best = left[0]
        overlapping = _overlap(boxes[best, :2], boxes[left, :2]) > _SUPPRESSION_IOU
        overlapping[0] = True
        group = left[overlapping]
        weight = scores[group] / scores[group].sum()
        merged.append((np.tensordot(weight, boxes[group], axes=1), float(scores[best])))
        left = left[~overlapping]
    return merged


def _overlap(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of a box (2, 2) with others (D, 2, 2), corners as rows."""
    low, high = np.maximum(box[0], others[:, 0]), np.minimum(box[1], others[:, 1])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    union = np.prod(box[1] - box[0]) + np.prod(others[:, 1] - others[:, 0], axis=1) - shared
    return shared / np.maximum(union, 1e-12)
