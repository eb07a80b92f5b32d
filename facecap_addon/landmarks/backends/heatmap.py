"""The second backend: any network that answers with 68 heatmaps of 64×64 (the FAN family).

Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D Face Alignment problem?", 2017; the landmark positions
are read as in Bao et al., "High-Quality Face Capture Using Deep Energies", 2019, equation 3.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ..layout import IBUG_68
from ..protocol import Face, Landmarks
from ..regions import Region, region_around, to_image
from .blazeface import FaceDetector
from .crop_batch import cut
from .model_files import MODELS_FOLDER, open_session
from .torchscript import open_torchscript

CROP_SIZE = 256
HEATMAP_SIZE = 64
LANDMARK_COUNT = 68
# Bao et al. section 4: "beta = 50 is set experimentally".
SOFT_ARGMAX_BETA = 50.0
# FAN was trained on squares of 200 px · (box width + box height) / 195 around the face's box.
_SIDE_OVER_BOX = 200.0 / 195.0 * 2.0
# The box of 68 landmarks lacks the forehead, so it is smaller and lies lower than a detector's.
_SIDE_OVER_LANDMARKS = 1.7
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)

_WAY_OUT = "Choose an ONNX or TorchScript network that takes (N, 3, 256, 256) pictures and answers (N, 68, 64, 64)."

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def soft_argmax(heatmaps: NDArray[np.floating], beta: float = SOFT_ARGMAX_BETA) -> NDArray[np.float64]:
    """Sub-pixel peak of each heatmap: m̂ = Σ m·exp(β H(m)) / Σ exp(β H(m)) over the 3×3 patch around the argmax.

    Bao et al. 2019, equation 3. At the border the patch holds only the pixels that exist.

    Args:
        heatmaps: (..., H, W) float.  beta: sharpness.
    Returns:
        (..., 2) float64, (x, y) in heatmap pixels; the centre of column i is at x = i.
    """
    height, width = heatmaps.shape[-2:]
    flat = np.asarray(heatmaps, dtype=np.float64).reshape(-1, height, width)
    rows, columns = np.divmod(flat.reshape(len(flat), -1).argmax(axis=1), width)
    padded = np.pad(flat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    dy, dx = (offset.reshape(-1) for offset in np.indices((3, 3)) - 1)
    every = np.arange(len(flat))[:, None]
    patch = padded[every, rows[:, None] + 1 + dy, columns[:, None] + 1 + dx]
    # The largest value is subtracted so that exp cannot overflow; the ratio stays the same.
    weight = np.exp(beta * (patch - patch.max(axis=1, keepdims=True)))
    weight /= weight.sum(axis=1, keepdims=True)
    x = columns + weight @ dx.astype(np.float64)
    y = rows + weight @ dy.astype(np.float64)
    return np.stack([x, y], axis=1).reshape(*heatmaps.shape[:-2], 2)


class HeatmapLandmarker:
    """68 landmarks (scheme "ibug-68") from a heatmap network; implements `protocol.Landmarker`.

    Faces are found by the same detector as the default backend's. Presence is the mean height of the peaks, confidence
    each peak's own height: FAN was trained on heatmaps of height 1.
    """

    scheme = "ibug-68"
    landmark_count = LANDMARK_COUNT

    def __init__(self, path: Path, *, threads: int = 1, models_folder: Path = MODELS_FOLDER) -> None:
        """Open a network. Raises FacecapError if the file is missing, damaged or of another kind."""
        if not path.is_file():
            raise FacecapError(f"The landmark network {path} does not exist.", _WAY_OUT)
        self._network = _open_onnx(path, threads) if path.suffix.lower() == ".onnx" else _open_torchscript(path)
        self.detector = FaceDetector(models_folder, threads)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()[:12]
        self.model_version = f"heatmap-68/{path.stem}/{digest}"

    def find_faces(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Faces in a picture (H, W, 3) uint8 RGB, the largest first."""
        return self.detector.find_faces(rgb)

    def region_of_face(self, face: Face) -> Region:
        """The region around a detected face, turned so that the eyes are level."""
        left, top, right, bottom = face.box_px
        axis = face.keypoints_px[1] - face.keypoints_px[0]
        side = _SIDE_OVER_BOX * ((right - left) + (bottom - top)) / 2
        return Region(((left + right) / 2, (top + bottom) / 2), side, float(np.arctan2(axis[1], axis[0])))

    def region_of_landmarks(self, landmarks_px: NDArray[np.floating]) -> Region:
        """The region around known landmarks (68, 2), turned so that the eyes are level."""
        axis = landmarks_px[_LEFT_EYE].mean(axis=0) - landmarks_px[_RIGHT_EYE].mean(axis=0)
        return region_around(landmarks_px, axis, _SIDE_OVER_LANDMARKS)

    def landmarks_in_regions(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Landmarks]:
        """Landmarks in each region of a picture (H, W, 3) uint8 RGB, one batch.

        Raises FacecapError if the network's answer has another shape.
        """
        if not regions:
            return []
        pictures = cut(rgb, regions, CROP_SIZE)
        heatmaps = self._network(pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255.0))
        if heatmaps.shape != (len(regions), LANDMARK_COUNT, HEATMAP_SIZE, HEATMAP_SIZE):
            raise FacecapError(f"The landmark network answered with an array of {heatmaps.shape}.", _WAY_OUT)
        return [_place_landmarks(heatmaps[i], region) for i, region in enumerate(regions)]


def _place_landmarks(heatmaps: NDArray[np.float32], region: Region) -> Landmarks:
    if region.mirrored:
        heatmaps = heatmaps[IBUG_68.mirror]
    # Bao et al. section 4: the 64×64 coordinates times 4 are those of the 256×256 crop.
    in_crop = soft_argmax(heatmaps) * (CROP_SIZE / HEATMAP_SIZE)
    confidence = np.clip(heatmaps.reshape(LANDMARK_COUNT, -1).max(axis=1), 0.0, 1.0).astype(np.float32)
    return Landmarks(
        landmarks_px=to_image(in_crop, region, CROP_SIZE).astype(np.float32),
        depth_px=np.zeros(LANDMARK_COUNT, dtype=np.float32),
        presence=float(confidence.mean()),
        confidence=confidence,
    )


def _open_onnx(path: Path, threads: int) -> Network:
    session = open_session(path, threads)
    entry = session.get_inputs()[0]
    outputs = [
        o.name for o in session.get_outputs() if list(o.shape)[1:] == [LANDMARK_COUNT, HEATMAP_SIZE, HEATMAP_SIZE]
    ]
    if len(session.get_inputs()) != 1 or len(entry.shape) != 4 or not outputs:
        raise FacecapError(f"{path.name} is not a 68-point heatmap network.", _WAY_OUT)
    # Stacked hourglasses answer once per stack; the last is the most refined.
    output, one_at_a_time = outputs[-1], entry.shape[0] == 1

    def run(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        batches = [pictures[i : i + 1] for i in range(len(pictures))] if one_at_a_time else [pictures]
        maps = [session.run([output], {entry.name: batch})[0] for batch in batches]
        return np.concatenate(cast("list[NDArray[np.float32]]", maps))

    return run


def _open_torchscript(path: Path) -> Network:
    # Two copies of OpenMP and gigabytes of memory in Blender's own process are not worth a second file format.
    if "bpy" in sys.modules:
        raise FacecapError("TorchScript networks cannot run inside Blender.", "Convert the network to ONNX.")
    script = open_torchscript(path, _WAY_OUT)
    import torch  # only for who names a TorchScript network

    def run(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            answer: Any = script(torch.from_numpy(pictures))
        return (answer[-1] if isinstance(answer, (list, tuple)) else answer).numpy()

    return run
