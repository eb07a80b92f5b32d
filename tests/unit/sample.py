"""The sample head as the command line reads it, with its landmarks and the measured response, for tests of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.geometry.quaternions import wxyz_of
from facecap_addon.jobs.steps.character import embedding_of, response_of
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig
from facecap_addon.rig.embedding import LandmarkEmbedding, landmark_geometry
from facecap_addon.rig.network_response import NetworkResponse
from facecap_addon.takes.take import REGIONS, STATUS_SOLVED, Take

SIZE = (640, 480)
FOCAL_PX = 800.0


@dataclass(frozen=True)
class Sample:
    """A character ready to be solved on."""

    rig: BlendshapeRig
    embedding: LandmarkEmbedding
    response: NetworkResponse


@lru_cache(maxsize=1)
def sample() -> Sample:
    """Read the sample head; the test is skipped where it was not prepared (`make models`)."""
    kept = sorted(CACHE.glob("rig-*.npz"))
    if not kept:
        pytest.skip("the sample head was not prepared (python -m tools.build_sample_cache)")
    rig = load_rig(kept[-1])
    try:
        landmarker = open_landmarker()
    except FacecapError:
        pytest.skip("the landmark networks are not built (python -m tools.build_models)")
    embedding = embedding_of(rig, landmarker, CACHE)
    return Sample(rig, embedding, response_of(rig, embedding, landmarker, CACHE))


def facing(turn: np.ndarray) -> np.ndarray:
    """(F, 3, 3) camera from head space: a head facing the camera, turned by rotation vectors (F, 3) rad."""
    front = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return Rotation.from_rotvec(turn).as_matrix() @ front


def seen(
    neutral: np.ndarray, deltas: np.ndarray, weights: np.ndarray, turn: np.ndarray, shift: np.ndarray, fps: float = 30.0
) -> Observations:
    """What a perfect network would see: landmarks of known weights and pose, projected.

    Args:
        neutral: (L, 3) m.  deltas: (K, L, 3) m.  weights: (F, K).  turn: (F, 3) rad.  shift: (F, 3) m, camera space.
    """
    head = neutral + np.tensordot(weights, deltas, axes=1)
    camera = head @ facing(turn).transpose(0, 2, 1) + shift[:, None]
    centre = np.array([(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2])
    frames = len(weights)
    return Observations(
        time_s=np.arange(frames) / fps,
        frame_index=np.arange(frames),
        landmarks_px=(camera[..., :2] / camera[..., 2:] * FOCAL_PX + centre).astype(np.float32),
        depth_px=((camera[..., 2] - shift[:, None, 2]) * FOCAL_PX / shift[:, None, 2]).astype(np.float32),
        presence=np.ones(frames, np.float32),
        confidence=np.ones(camera.shape[:2], np.float32),
        scheme="mediapipe-478",
        image_size=SIZE,
        model_version="projected",
    )


def posed_take(weights: np.ndarray, turn: np.ndarray, *, fps: float, size: tuple[int, int], focal_px: float) -> Take:
    """A take of the sample head, 0.6 m from the camera.

    Args:
        weights: (F, K).  turn: (F, 3) rad, see `facing`.  size: (width, height) px.
    """
    frames = len(weights)
    return Take(
        time_s=np.arange(frames) / fps,
        channels=sample().rig.channels,
        weights=weights.astype(np.float32),
        head_rotation_wxyz=wxyz_of(Rotation.from_matrix(facing(turn))).astype(np.float32),
        head_translation_m=np.tile(np.float32([0.0, 0.0, 0.6]), (frames, 1)),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(frames, STATUS_SOLVED, np.int8),
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=size,
        focal_px=focal_px,
    )


def mesh_landmarks() -> tuple[np.ndarray, np.ndarray]:
    """Landmarks of the sample head's mesh and what its keys do to them."""
    found = sample()
    return landmark_geometry(found.rig, found.embedding)
