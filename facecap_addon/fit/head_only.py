"""The head's pose when the expression is known already: landmarks on a mesh whose shape a trained solver gave."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
_LEAST = 12
FOCAL_WIDTHS = 1.2
"""Where nobody knows the lens: a phone's, in picture widths."""
_NO_DISTORTION = np.zeros(4)
# Landmarks off by more than this share of the face's width have little to say.
_ROBUST_SHARE, _ROUNDS = 0.03, 2


def head_poses(points: F64, landmarks_px: F64, focal_px: float, image_size: tuple[int, int]) -> tuple[F64, F64, F64]:
    """Pose of each frame by perspective-n-point, outliers counted less in a second round.

    Args:
        points: (F, L, 3) m, head space, landmarks on the surface.  landmarks_px: (F, L, 2), NaN where missing.
        focal_px: of the camera.  image_size: (width, height) px.
    Returns:
        (F, 3, 3) camera from head, (F, 3) m, and (F,) residual px, NaN where there is no pose.
    """
    frames = len(points)
    rotation, translation = np.tile(np.eye(3), (frames, 1, 1)), np.zeros((frames, 3))
    residual = np.full(frames, np.nan)
    centre = np.array([(image_size[0] - 1) / 2, (image_size[1] - 1) / 2])
    camera = np.array([[focal_px, 0, centre[0]], [0, focal_px, centre[1]], [0, 0, 1]])
    before: tuple[F64, F64] | None = None
    for f in range(frames):
        seen = np.flatnonzero(np.isfinite(landmarks_px[f]).all(1))
        if len(seen) < _LEAST:
            continue
        wide = float(np.ptp(landmarks_px[f, seen, 0]))
        good = seen
        for _ in range(_ROUNDS):
            found, turn, shift = _solve(points[f, good], landmarks_px[f, good], camera, before)
            if not found:
                break
            placed, _ = cv2.projectPoints(points[f, seen], turn, shift, camera, _NO_DISTORTION)
            away = np.linalg.norm(placed[:, 0] - landmarks_px[f, seen], axis=1)
            good = seen[away < max(_ROBUST_SHARE * wide, 1.5 * float(np.median(away)))]
            before = (turn, shift)
            rotation[f], translation[f] = cv2.Rodrigues(turn)[0], shift[:, 0]
            residual[f] = float(np.sqrt((away**2).mean()))
            if len(good) < _LEAST:
                break
    return rotation, translation, residual


def missed(
    points: F64,
    rotation: F64,
    translation: F64,
    landmarks_px: NDArray[np.floating],
    focal_px: float,
    image_size: tuple[int, int],
) -> NDArray[np.float32]:
    """How far landmarks are from where a posed mesh has them, on the face.

    Args:
        points, landmarks_px, focal_px, image_size: as in `head_poses`.  rotation, translation: what that gave.
    Returns:
        (F, L, 2) float32 mm across and down, NaN where a landmark is missing.
    """
    placed = points @ rotation.transpose(0, 2, 1) + translation[:, None]
    depth = np.maximum(placed[..., 2:], 1e-3)
    centre = np.array([(image_size[0] - 1) / 2, (image_size[1] - 1) / 2])
    wanted_m = (np.asarray(landmarks_px, np.float64) - centre) * depth / focal_px
    return (1000 * (wanted_m - placed[..., :2])).astype(np.float32)


def _solve(points: F64, seen: F64, camera: F64, before: tuple[F64, F64] | None) -> tuple[bool, F64, F64]:
    turn, shift = (np.zeros((3, 1)), np.zeros((3, 1))) if before is None else (before[0].copy(), before[1].copy())
    method = cv2.SOLVEPNP_SQPNP if before is None else cv2.SOLVEPNP_ITERATIVE
    try:
        found, turn, shift = cv2.solvePnP(points, seen, camera, _NO_DISTORTION, turn, shift, before is not None, method)
    except cv2.error:
        return False, turn, shift  # landmarks in one place, as from a network that has learned nothing: no pose
    turn, shift = np.asarray(turn, np.float64), np.asarray(shift, np.float64)
    return bool(found) and float(shift[2, 0]) > 0, turn, shift
