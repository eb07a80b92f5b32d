"""What a landmark network sees differently only because the head is turned, taken away from what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...rig.network_response import view_features
from ..initial_pose import weak_perspective_pose

# How a face is turned is found from landmarks that are off because it is turned.
_ROUNDS = 2


@dataclass(frozen=True)
class ViewBias:
    """The bias of a view on a life-size character, of the used landmarks.

    Attributes:
        rest: (M, 3) float64 m, head space, landmarks at neutral.  rigid: (M,) bool, those that say how it is turned.
        bias: (T, M, 2) float64 m, see `NetworkResponse.view_bias`.
    """

    rest: F64
    rigid: NDArray[np.bool_]
    bias: F64

    def away_px(self, landmarks_px: F64, focal_px: float) -> F64:
        """(F, M, 2) px: how far off landmarks are seen.

        Args:
            landmarks_px: (F, M, 2) px from the principal point.
            focal_px: of an ordinary camera: how a face is turned hardly depends on it.
        """
        weight = self.rigid.astype(np.float64)
        away = np.zeros_like(landmarks_px)
        for _ in range(_ROUNDS):
            rotation, translation = weak_perspective_pose(self.rest, (landmarks_px - away) / focal_px, weight)
            middle = translation + rotation @ (self.rest * weight[:, None]).sum(0) / weight.sum()
            yaw, pitch, roll = find_view(rotation, middle)
            upright = np.tensordot(view_features(yaw, pitch), self.bias, axes=1)
            turn = np.stack([np.cos(roll), -np.sin(roll), np.sin(roll), np.cos(roll)], axis=1).reshape(-1, 2, 2)
            away = upright @ turn.transpose(0, 2, 1) * (focal_px / middle[:, 2])[:, None, None]
        return away


def find_view(rotation: F64, middle: F64) -> tuple[F64, F64, F64]:
    """Yaw, pitch and roll (F,) rad of a head as the camera sees it, which looks at it along the ray to its middle.

    Args:
        rotation: (F, 3, 3) camera from head space.  middle: (F, 3) of the head, camera space.
    """
    ray = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    forward = (rotation.transpose(0, 2, 1) @ ray[..., None])[..., 0]
    yaw, pitch = np.arctan2(-forward[:, 0], forward[:, 1]), np.arcsin(np.clip(-forward[:, 2], -1, 1))
    # Where an upright head's own upward direction points in the picture.
    up = rotation[:, :2, 2]
    return yaw, pitch, np.arctan2(up[:, 0], -up[:, 1])
