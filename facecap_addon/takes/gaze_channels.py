"""Where the eyes look as channels of a take, beside the weights of shapes: angles for eye bones."""

from __future__ import annotations

import numpy as np

from ..arrays import F32
from .take import Take

GAZE_CHANNELS = ("rightEyeYaw", "rightEyePitch", "leftEyeYaw", "leftEyePitch")
"""Radians: yaw to the character's left, pitch up."""


def channels_with_gaze(take: Take, gain: float = 1.0) -> tuple[tuple[str, ...], F32]:
    """What a mapping can go by: a take's channels that were observed and, after them, where the eyes look.

    Args:
        gain: factor on the weights, not on the gaze.
    Returns:
        names, and (F, K) float32.
    """
    seen = [column for column, channel in enumerate(take.channels) if channel not in take.not_observed]
    weights = take.weights[:, seen].astype(np.float32) * np.float32(gain)
    gaze = np.nan_to_num(take.gaze_rad.reshape(-1, 4)).astype(np.float32)
    names = tuple(take.channels[column] for column in seen)
    added = [k for k, name in enumerate(GAZE_CHANNELS) if name not in names]
    return names + tuple(GAZE_CHANNELS[k] for k in added), np.concatenate([weights, gaze[:, added]], axis=1)
