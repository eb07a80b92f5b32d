"""Parity with MediaPipe's own interpreter: stored outputs for fixed pictures, compared at every build.

The outputs in `tests/data/landmark_networks_reference.npz` were made by `make_reference.py`. Pictures are built with
integer operations only, so they are the same bytes everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .networks import NETWORKS, Network

DATA_FOLDER = Path(__file__).resolve().parents[2] / "tests" / "data"
REFERENCE_FILE = DATA_FOLDER / "landmark_networks_reference.npz"
# Largest difference allowed, in crop pixels (landmarks, boxes) or logits (scores).
TOLERANCE = 1e-3
_FRAMES = ("carphone_000.png", "carphone_060.png")
_SIDES = {"face_detection_short_range": 128, "face_detection_full_range": 192, "iris": 64}
# Top left corners (row, column) of 96 px squares: the face, the face with its mouth cut off below, and to its left.
_FACE_CORNERS = ((12, 44), (-42, 44), (20, 84))
_EYE_CORNER = (44, 56)


def reference_pictures(network: Network) -> NDArray[np.uint8]:
    """The pictures that a network's parity is checked on: (N, H, W, 3) uint8 RGB, the last one synthetic."""
    side = _side(network)
    pictures: list[NDArray[np.uint8]] = []
    for name in _FRAMES:
        frame = cv2.cvtColor(cv2.imread(str(DATA_FOLDER / name)), cv2.COLOR_BGR2RGB)
        if network.onnx_outputs == ("boxes", "scores"):
            pictures.append(_window(frame, (0, 24 if side == 128 else -8), side))
        elif network.name == "iris":
            pictures.append(_window(frame, _EYE_CORNER, side // 2).repeat(2, axis=0).repeat(2, axis=1))
        else:
            pictures += [_window(frame, c, side // 2).repeat(2, axis=0).repeat(2, axis=1) for c in _FACE_CORNERS]
    return np.stack([*pictures, drawn_picture(network)])


def drawn_picture(network: Network) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: waves, of nobody, that use all of a network."""
    rows, columns = np.indices((_side(network), _side(network)))
    waves = [(rows * 3 + columns * 5) % 256, (rows * columns) // 7 % 256, (rows * rows // 9 + columns) % 256]
    return np.stack(waves, axis=2).astype(np.uint8)


def _side(network: Network) -> int:
    return _SIDES.get(network.name, 192)


def _window(frame: NDArray[Any], corner: tuple[int, int], side: int) -> NDArray[np.uint8]:
    """A square cut out of a frame, black where it reaches outside."""
    window = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = corner
    bottom, right = min(top + side, frame.shape[0]), min(left + side, frame.shape[1])
    row, column = max(top, 0), max(left, 0)
    window[row - top : bottom - top, column - left : right - left] = frame[row:bottom, column:right]
    return window


def parity_error(network: Network, outputs: tuple[NDArray[Any], ...]) -> float:
    """Largest absolute difference of a network's raw outputs from the stored ones.

    Args:
        outputs: one array per label of the network, first axis the pictures of `reference_pictures`.
    """
    worst = 0.0
    with np.load(REFERENCE_FILE, allow_pickle=False) as stored:
        for label, output in zip(network.labels, outputs, strict=True):
            expected = stored[f"{network.name}/{label}"]
            if f"{network.name}/rows" in stored:
                output = output.reshape(output.shape[0], stored[f"{network.name}/row_count"], -1)
                output = output[:, stored[f"{network.name}/rows"]]
            worst = max(worst, float(np.abs(output.reshape(expected.shape) - expected).max()))
    return worst


__all__ = ["NETWORKS", "REFERENCE_FILE", "TOLERANCE", "drawn_picture", "parity_error", "reference_pictures"]
