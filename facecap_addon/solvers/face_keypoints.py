"""Where a face lies in a picture: a few points and a box, in parts of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32
from ..landmarks.layout import IBUG_68, MEDIAPIPE_OF_IBUG, Layout, layout_of

_EYES = ("upper_lid_right", "lower_lid_right"), ("upper_lid_left", "lower_lid_left")


def _select_moving(layout: Layout) -> list[int]:
    """Landmarks of what moves most: brows to chin, without forehead and ears."""
    groups = [*(name for names in _EYES for name in names), "brow_right", "brow_left", "nose"]
    groups += ["lips_outer_upper", "lips_outer_lower"]
    third = len(layout.jaw) // 3
    return sorted({*(i for name in groups for i in getattr(layout, name)), *layout.jaw[third:-third]})


def extract_face_keypoints(landmarks_px: NDArray[np.floating], size: tuple[int, int], scheme: str) -> tuple[F32, F32]:
    """(F, 3, 2) eyes and nose and (F, 4) boxes in parts of the picture, see `ShotRows`; landmarks (F, L, 2) px."""
    layout = layout_of(scheme)
    eyes = [sorted({i for name in names for i in getattr(layout, name)}) for names in _EYES]
    whole = (np.asarray(landmarks_px, np.float64) + 0.5) / size
    face = np.stack([whole[:, eyes[0]].mean(1), whole[:, eyes[1]].mean(1), whole[:, list(layout.nose)].mean(1)], 1)
    moving = whole[:, _select_moving(layout)]
    box = np.concatenate([moving.min(1), moving.max(1)], 1)
    return face.astype(np.float32), box.astype(np.float32)


def extract_ibug_points(landmarks_px: NDArray[np.floating], size: tuple[int, int], scheme: str) -> F32:
    """(F, 68, 2) the points of iBUG's mark-up in parts of the picture; landmarks (F, L, 2) px of any scheme."""
    chosen = slice(None) if scheme == IBUG_68.scheme else list(MEDIAPIPE_OF_IBUG)
    return ((np.asarray(landmarks_px, np.float64)[:, chosen] + 0.5) / size).astype(np.float32)


def fill_gaps(points: F32) -> F32:
    """(F, 3, 2), unseen faces where they were last seen."""
    seen = np.isfinite(points).all((1, 2))
    last = np.maximum.accumulate(np.where(seen, np.arange(len(points)), -1))
    first = int(np.argmax(seen))
    return points[np.where(last < 0, first, last)]
