"""Which landmarks are really seen: what stands before a face (a hand, hair, a cup), found by a small trained network.

The landmark network guesses a likely mouth behind a hand, and is as sure of it as of any other. This one looks at a
coarse crop of the whole face and says of each of its cells how far something covers it. It was trained on faces, drawn
and filmed, with things drawn before them (`tools/train_visibility`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .backends.model_files import open_session
from .face_crops import WHOLE_FACE, cut_face, places_in_crop

MODEL_PATH = Path(__file__).resolve().parent / "models" / "visibility.onnx"
SCHEME = "mediapipe-478"
CELL = 4
"""Pixels of the crop in a cell, along either side."""


class VisibilityNetwork:
    """The network that ships with the add-on, for landmarks of the scheme "mediapipe-478".

    Attributes:
        version: hash of the network: what it sees is the same while this is the same.
    """

    def __init__(self, path: Path = MODEL_PATH) -> None:
        self._session = open_session(path, 1)
        self.version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]

    def covered(self, rgb: NDArray[np.uint8], landmarks_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """(rows, columns) float32 in 0..1 how far each cell of a face's crop is covered.

        Args:
            rgb: (H, W, 3) uint8.  landmarks_px: (478, 2) px, as the landmark network sees them.
        """
        crops = cut_face(rgb, landmarks_px, (WHOLE_FACE,))
        return np.asarray(self._session.run(["covered"], {WHOLE_FACE.name: crops[0][None]})[0], np.float32)[0]

    def visibility(self, rgb: NDArray[np.uint8], landmarks_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """(478,) float32 in 0..1: how far each landmark is seen, 0 where something stands before it."""
        return 1 - read_cells(self.covered(rgb, landmarks_px), places_in_crop(landmarks_px, WHOLE_FACE))


def read_cells(cells: NDArray[np.float32], places: NDArray[np.floating]) -> NDArray[np.float32]:
    """(L,) values of a map (rows, columns) at places (L, 2), 0 to 1 from edge to edge; the edge's own outside."""
    rows, columns = cells.shape
    at = np.clip(places * (columns, rows) - 0.5, 0, (columns - 1, rows - 1))
    low = np.minimum(at.astype(np.intp), (columns - 2, rows - 2))
    (x, y), (u, v) = low.T, (at - low).T.astype(np.float32)
    upper = cells[y, x] * (1 - u) + cells[y, x + 1] * u
    lower = cells[y + 1, x] * (1 - u) + cells[y + 1, x + 1] * u
    return upper * (1 - v) + lower * v


@lru_cache(maxsize=2)
def open_visibility(scheme: str) -> VisibilityNetwork | None:
    """The network for landmarks of a scheme; None where there is none; opened once per process.

    Raises FacecapError if it is damaged.
    """
    return VisibilityNetwork() if scheme == SCHEME else None
