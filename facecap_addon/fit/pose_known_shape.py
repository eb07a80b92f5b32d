"""The head's pose when the expression is known already: landmarks on a mesh whose shape a trained solver gave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..geometry.perspective_n_point import Poses, find_poses, refine_poses

_LEAST = 12
FOCAL_WIDTHS = 1.2
"""Where nobody knows the lens: a phone's, in picture widths."""
_SMALLEST_PX = 2.0
"""Landmarks that are nowhere further apart are no face."""
_CHUNK = 32
"""Frames at once: their planes stay in the processor's cache."""
_ROBUST_SHARE, _ROUNDS = 0.03, 3
"""A landmark off by more than this share of the face's width, and half as much again as the median, is left out of the
next round: steps of least trimmed squares, which soon settle."""


def head_poses(points: F64, landmarks_px: F64, focal_px: float, image_size: tuple[int, int]) -> tuple[F64, F64, F64]:
    """Pose of each frame by perspective-n-point, each for itself; outliers are left out step by step.

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
    for first in range(0, frames, _CHUNK):
        rows = slice(first, first + _CHUNK)
        sights = (landmarks_px[rows] - centre) / focal_px
        poses, away = _poses(np.asarray(points[rows], np.float64), sights, focal_px)
        rotation[rows][poses.found] = poses.rotation[poses.found]
        translation[rows][poses.found] = poses.translation[poses.found]
        residual[rows][poses.found] = np.sqrt(np.nanmean(away[poses.found] ** 2, axis=1))
    return rotation, translation, residual


def measure_misses(
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


def _poses(points: F64, sights: F64, focal_px: float) -> tuple[Poses, F64]:
    """Poses of some frames, and how far (F, L) px landmarks are from there, NaN where one is missing."""
    seen = np.isfinite(sights).all(-1) & np.isfinite(points).all(-1)
    known = seen[..., None]
    extent_px = focal_px * (np.where(known, sights, -np.inf).max(1) - np.where(known, sights, np.inf).min(1))
    posable = (seen.sum(1) >= _LEAST) & (extent_px.max(1) > _SMALLEST_PX)
    poses = find_poses(points, sights, seen & posable[:, None])
    away_px = _away_px(points, sights, poses, focal_px, seen)
    used = seen
    for _ in range(_ROUNDS):
        near_px = np.full(len(points), np.nan)
        rows = np.flatnonzero(poses.found)
        near_px[rows] = np.maximum(_ROBUST_SHARE * extent_px[rows, 0], 1.5 * np.nanmedian(away_px[rows], axis=1))
        good = away_px < near_px[:, None]
        rows = np.flatnonzero((good.sum(1) >= _LEAST) & (good != used).any(1))
        if not len(rows):
            break
        poses.put(rows, refine_poses(points[rows], sights[rows], good[rows], poses.part(rows)))
        used, away_px = good, _away_px(points, sights, poses, focal_px, seen)
    return poses, away_px


def _away_px(points: F64, sights: F64, poses: Poses, focal_px: float, seen: NDArray[np.bool_]) -> F64:
    placed = points @ poses.rotation.transpose(0, 2, 1) + poses.translation[:, None]
    there = seen & poses.found[:, None] & (placed[..., 2] > 0)
    depth = np.where(there, placed[..., 2], np.nan)
    return focal_px * np.linalg.norm(placed[..., :2] / depth[..., None] - sights, axis=-1)
