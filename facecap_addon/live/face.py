"""What live capture gives for one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

F32 = NDArray[np.float32]
HEAD_FRONT_WXYZ = (0.7071068, 0.7071068, 0.0, 0.0)
"""Camera from head of a head that looks into the camera."""


def rotation_of(wxyz: NDArray[np.floating] | tuple[float, ...]) -> Rotation:
    """A rotation from quaternions (…, 4), real part first."""
    return Rotation.from_quat(np.asarray(wxyz)[..., [1, 2, 3, 0]])


def wxyz_of(rotation: Rotation) -> F32:
    """(4,) quaternion, real part first."""
    return rotation.as_quat()[[3, 0, 1, 2]].astype(np.float32)


@dataclass(frozen=True)
class LiveFace:
    """One frame's face.

    Attributes:
        time_s: since the start.  weights: (K,) of the character's channels.
        head_wxyz: (4,) camera from head.  head_m: (3,) camera space.  gaze_rad: (2, 2), see `Take`.
        confidence: 0..1.
    """

    time_s: float
    weights: F32
    head_wxyz: F32
    head_m: F32
    gaze_rad: F32
    confidence: float
