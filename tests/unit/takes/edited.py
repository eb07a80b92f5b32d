"""Takes to edit, with known curves."""

from __future__ import annotations

import numpy as np

from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take

RATE = 25.0


def make_take(frames: int = 50, *, missing: tuple[int, ...] = (), seed: int = 0, **curves: object) -> Take:
    """Random weights between 0.05 and 0.45 in all of ARKit's channels, but where curves are given by name."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.05, 0.45, (frames, len(ARKIT_CHANNELS))).astype(np.float32)
    for name, values in curves.items():
        weights[:, ARKIT_CHANNELS.index(name)] = values
    status = np.full(frames, STATUS_SOLVED, np.int8)
    status[list(missing)] = STATUS_MISSING
    weights[list(missing)] = 0
    turn = rng.normal(size=(frames, 4))
    return Take(
        time_s=np.arange(frames) / RATE,
        channels=ARKIT_CHANNELS,
        weights=weights,
        head_rotation_wxyz=(turn / np.linalg.norm(turn, axis=1, keepdims=True)).astype(np.float32),
        head_translation_m=rng.normal(size=(frames, 3)).astype(np.float32),
        gaze_rad=rng.normal(0, 0.1, (frames, 2, 2)).astype(np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=status,
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(640, 480),
        focal_px=600.0,
        jaw=rng.normal(0, 0.1, (frames, 6)).astype(np.float32),
        provenance={"fps": "25", "edits": [{"edit": "filter"}]},
    )


def of(take: Take, channel: str) -> np.ndarray:
    """(F,) a channel's weights."""
    return take.weights[:, take.channels.index(channel)]
