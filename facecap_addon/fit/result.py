"""From the fit's unknowns to a take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..arrays import F32, F64
from ..geometry.quaternions import wxyz_of
from ..rig.blendshapes import BlendshapeRig
from ..takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take
from .calibrate import Calibration
from .confidence import region_confidence
from .energies.visible_frames import VisibleFrames
from .gaze import gaze_angles, straight_ahead
from .least_squares.normal_equations import MM, State, residuals_mm

_CHUNK_FRAMES = 256


def take_of(
    rig: BlendshapeRig,
    calibration: Calibration,
    seen: VisibleFrames,
    state: State,
    not_observed: tuple[str, ...],
    rig_scale: float,
    *,
    with_gaze: bool,
    rows: NDArray[np.bool_] | None = None,
) -> Take:
    """A take of all observed frames; those without a face, and those not asked for, are missing and at rest.

    Args:
        state: pose and weights (and error modes, left out) of the seen frames, on a life-size head.
        rig_scale: size of the character's head in life sizes.
        rows: (F,) bool, the frames asked for; absent: all.
    """
    observations = seen.observations
    frames, count = observations.frame_count, len(seen.rows)
    wanted = np.ones(count, bool) if rows is None else rows[seen.rows]
    confidence = np.zeros((count, len(REGIONS)), np.float32)
    residual_px, gaze = np.zeros(count), np.zeros((count, 2, 2), np.float32)
    for start in range(0, count, _CHUNK_FRAMES):
        part = slice(start, min(start + _CHUNK_FRAMES, count))
        confidence[part], residual_px[part], gaze[part] = measure_frames(calibration, seen, state.part(part), part)
    gaze[wanted] = straight_ahead(gaze[wanted]) if with_gaze and wanted.any() else 0.0
    solved = seen.rows[wanted]

    def scatter(values: NDArray[np.generic], fill: float) -> NDArray[np.float32]:
        full = np.full((frames, *values.shape[1:]), fill, np.float32)
        full[solved] = values[wanted]
        return full

    status = np.full(frames, STATUS_MISSING, np.int8)
    status[solved] = STATUS_SOLVED
    quaternion = np.zeros((frames, 4), np.float32)
    quaternion[:, 0] = 1.0
    quaternion[solved] = _continuous(wxyz_of(Rotation.from_matrix(state.rotation[wanted])))
    return Take(
        time_s=observations.time_s,
        channels=rig.channels,
        weights=scatter(state.weights[:, : len(rig.channels)], 0.0),
        head_rotation_wxyz=quaternion,
        head_translation_m=scatter(state.translation * rig_scale, 0.0),
        gaze_rad=scatter(gaze, 0.0),
        confidence=scatter(confidence, 0.0),
        regions=REGIONS,
        status=status,
        landmarks_px=observations.landmarks_px,
        residual_px=scatter(residual_px, np.nan),
        image_size=observations.image_size,
        focal_px=calibration.focal_px,
        not_observed=not_observed,
        provenance={"method": "landmark fit", "landmarks": observations.model_version, "character": rig.name},
    )


def measure_frames(calibration: Calibration, seen: VisibleFrames, state: State, frames: slice) -> tuple[F32, F64, F32]:
    """Confidence (n, R), residual (n,) px and gaze (n, 2, 2) rad of some of the seen frames."""
    observations, rows, terms = seen.observations, seen.rows[frames], seen.terms
    centred_px, weight, _ = seen.landmarks(frames)
    observed = centred_px / calibration.focal_px
    landmarks = calibration.geometry.landmark_count
    residual = residuals_mm(calibration.geometry, state, observed, state.translation[:, 2])[:, :landmarks]
    distance_mm = np.linalg.norm(residual, axis=-1)
    confidence = region_confidence(
        distance_mm, observations.confidence[np.ix_(rows, terms.used)], observations.presence[rows], terms
    )
    used = weight[:, :landmarks] > 0
    in_px = distance_mm * (calibration.focal_px / (MM * state.translation[:, 2]))[:, None]
    residual_px = np.sqrt((in_px**2 * used).sum(1) / np.maximum(used.sum(1), 1))
    return confidence, residual_px, gaze_angles(calibration.geometry.points, terms, state, observed)


def _continuous(quaternion: F64) -> F64:
    """Quaternions with signs chosen so that neighbours are close (a quaternion and its negative turn alike)."""
    if not len(quaternion):
        return quaternion
    flips = np.cumprod(np.where((quaternion[1:] * quaternion[:-1]).sum(1) < 0, -1.0, 1.0))
    return quaternion * np.concatenate([[1.0], flips])[:, None]
