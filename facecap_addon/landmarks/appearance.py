"""Features of a face's crops: what its pixels show beyond its landmarks, as a small trained network puts it.

The network was trained on drawn faces (`tools/train_appearance`). Its features mean something only as changes from
those of the same person at rest under the same light; the fit reads them (`fit/energies/appearance.py`).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .backends.model_files import open_session
from .face_crops import CROPS, cut_face

MODEL_PATH = Path(__file__).resolve().parent / "models" / "appearance.onnx"
SCHEME = "mediapipe-478"


class AppearanceNetwork:
    """The trunk that ships with the add-on, for landmarks of the scheme "mediapipe-478".

    Attributes:
        version: hash of the network: features are the same while this is the same.
    """

    def __init__(self, path: Path = MODEL_PATH) -> None:
        self._session = open_session(path, 1)
        self.version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self.feature_count = int(self._session.get_outputs()[0].shape[1])

    def features(self, rgb: NDArray[np.uint8], landmarks_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """(A,) float32 features of the face with these landmarks (478, 2) px in a picture (H, W, 3) uint8."""
        crops = cut_face(rgb, landmarks_px)
        given = {shape.name: crop[None] for shape, crop in zip(CROPS, crops, strict=True)}
        return np.asarray(self._session.run(["features"], given)[0], np.float32)[0]


@lru_cache(maxsize=2)
def open_appearance(scheme: str) -> AppearanceNetwork | None:
    """The network for landmarks of a scheme; None where there is none; opened once per process.

    Raises FacecapError if it is damaged.
    """
    return AppearanceNetwork() if scheme == SCHEME else None
