"""From the fit's unknowns to a take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..landmarks.observations import Observations
from ..rig.blendshapes import BlendshapeRig
from ..takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take
from .calibrate import Calibration
from .confidence import region_confidence
from .frames import SeenFrames
from .gaze import gaze_angles
from .landmark_terms import LandmarkTerms
from .minimise import Terms
from .model import MM, State, residuals_mm

F64 = NDArray[np.float64]


def take_of(
    observations: Observations,
    rig: BlendshapeRig,
    calibration: Calibration,
    landmark_terms: LandmarkTerms,
    seen: SeenFrames,
    state: State,
    energy: Terms,
    not_observed: tuple[str, ...],
    rig_scale: float,
    *,
    with_gaze: bool,
) -> Take:
    """A take of all observed frames; those without a face are missing and at rest.

    Args:
        state: pose and weights (and habits, left out) of the seen frames, on a life-size head.
        rig_scale: size of the character's head in life sizes.
    """
    frames, rows = observations.frame_count, seen.rows
    observed = seen.centred_px / calibration.focal_px
    residual = residuals_mm(calibration.geometry, state, observed, state.translation[:, 2])
    residual = residual[:, : calibration.geometry.landmark_count]
    in_px = residual * (calibration.focal_px / (MM * state.translation[:, 2]))[:, None, None]
    used = energy.weight[:, : calibration.geometry.landmark_count] > 0
    confidence = region_confidence(
        np.linalg.norm(residual, axis=-1),
        observations.confidence[np.ix_(rows, landmark_terms.used)],
        observations.presence[rows],
        landmark_terms,
    )

    def spread(values: NDArray[np.generic], fill: float) -> NDArray[np.float32]:
        full = np.full((frames, *values.shape[1:]), fill, np.float32)
        full[rows] = values
        return full

    status = np.full(frames, STATUS_MISSING, np.int8)
    status[rows] = STATUS_SOLVED
    quaternion = np.zeros((frames, 4), np.float32)
    quaternion[:, 0] = 1.0
    quaternion[rows] = _continuous(Rotation.from_matrix(state.rotation).as_quat()[:, [3, 0, 1, 2]])
    gaze = (
        gaze_angles(calibration.geometry.points, landmark_terms, state, observed)
        if with_gaze
        else np.zeros((len(rows), 2, 2))
    )
    squared = (in_px**2).sum(-1) * used
    return Take(
        time_s=observations.time_s,
        channels=rig.channels,
        weights=spread(state.weights[:, : len(rig.channels)], 0.0),
        head_rotation_wxyz=quaternion,
        head_translation_m=spread(state.translation * rig_scale, 0.0),
        gaze_rad=spread(gaze, 0.0),
        confidence=spread(confidence, 0.0),
        regions=REGIONS,
        status=status,
        landmarks_px=observations.landmarks_px,
        residual_px=spread(np.sqrt(squared.sum(1) / np.maximum(used.sum(1), 1)), np.nan),
        image_size=observations.image_size,
        focal_px=calibration.focal_px,
        not_observed=not_observed,
        provenance={"method": "landmark fit", "landmarks": observations.model_version, "character": rig.name},
    )


def _continuous(quaternion: F64) -> F64:
    """Quaternions with signs chosen so that neighbours are close (a quaternion and its negative turn alike)."""
    flips = np.cumprod(np.where((quaternion[1:] * quaternion[:-1]).sum(1) < 0, -1.0, 1.0))
    return quaternion * np.concatenate([[1.0], flips])[:, None]
