"""The default backend: MediaPipe's face detector and its 478-point landmark network with attention.

Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time", 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..layout import MIRROR_478
from ..protocol import Face, Landmarks
from ..regions import Region, image_from_crop, region_around
from .blazeface import FULL_RANGE_FILE, SHORT_RANGE_FILE, FaceDetector
from .crop_batch import cut
from .facing_confidence import facing_confidence
from .model_files import MODELS_FOLDER, open_session, version_of

LANDMARKS_FILE = "face_landmarks_attention.onnx"
CROP_SIZE = 192
_REGION_SCALE = 1.5
# Outer corner of the person's right eye, outer corner of her left eye.
_EYE_CORNERS = (33, 263)


class MediaPipeLandmarker:
    """478 landmarks (scheme "mediapipe-478"); implements `protocol.Landmarker`."""

    scheme = "mediapipe-478"
    landmark_count = 478

    def __init__(self, *, threads: int = 1, folder: Path = MODELS_FOLDER) -> None:
        self._network = open_session(folder / LANDMARKS_FILE, threads)
        self.detector = FaceDetector(folder, threads)
        files = (LANDMARKS_FILE, SHORT_RANGE_FILE, FULL_RANGE_FILE)
        self.model_version = f"mediapipe-0.10.21/{version_of(folder, files)}"

    def find_faces(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Faces in a picture (H, W, 3) uint8 RGB, the largest first."""
        return self.detector.find_faces(rgb)

    def region_of_face(self, face: Face) -> Region:
        """The region around a detected face, turned so that the eyes are level."""
        corners = np.asarray(face.box_px).reshape(2, 2)
        return region_around(corners, face.keypoints_px[1] - face.keypoints_px[0], _REGION_SCALE)

    def region_of_landmarks(self, landmarks_px: NDArray[np.floating]) -> Region:
        """The region around known landmarks (478, 2), turned so that the eyes are level."""
        right, left = _EYE_CORNERS
        return region_around(landmarks_px, landmarks_px[left] - landmarks_px[right], _REGION_SCALE)

    def landmarks_in_regions(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Landmarks]:
        """Landmarks in each region of a picture (H, W, 3) uint8 RGB, one batch."""
        if not regions:
            return []
        outputs = self._network.run(["landmarks", "presence"], {"image": cut(rgb, regions, CROP_SIZE)})
        points, presence = cast("list[NDArray[np.float32]]", outputs)
        return [_place_landmarks(points[i], float(presence[i]), region) for i, region in enumerate(regions)]


def _place_landmarks(points: NDArray[np.float32], presence: float, region: Region) -> Landmarks:
    if region.mirrored:
        points = points[MIRROR_478]
    matrix = image_from_crop(region, CROP_SIZE)
    landmarks_px = (points[:, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    depth_px = (points[:, 2] * (region.side_px / CROP_SIZE)).astype(np.float32)
    return Landmarks(landmarks_px, depth_px, presence, facing_confidence(landmarks_px, depth_px))
