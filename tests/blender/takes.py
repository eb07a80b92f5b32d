"""Takes with known content."""

from __future__ import annotations

import numpy as np

from facecap_addon.takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take
from tests.blender.faces import ARKIT


def make_take(
    frames: int = 40,
    *,
    rate: float = 25.0,
    channels: tuple[str, ...] = ARKIT,
    missing: tuple[int, ...] = (),
    not_observed: tuple[str, ...] = (),
    seed: int = 5,
    **provenance: object,
) -> Take:
    """Random weights and a head that turns and drifts, at a steady rate with a little jitter in its timestamps."""
    rng = np.random.default_rng(seed)
    time_s = (np.arange(frames) + rng.uniform(0, 0.3, frames)) / rate
    time_s[0] = 0.0
    status = np.full(frames, STATUS_SOLVED, np.int8)
    status[list(missing)] = STATUS_MISSING
    angle = np.linspace(-0.4, 0.5, frames)
    facing = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])  # head space (Z up) seen by a camera (Y down)
    turn = np.stack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)], axis=1)
    w, x = facing[0], facing[1]
    a, d = turn[:, 0], turn[:, 3]
    rotation = np.stack([w * a, x * a, -x * d, w * d], axis=1)
    weights = rng.uniform(0, 1, (frames, len(channels)))
    weights[status == STATUS_MISSING] = 0.0
    return Take(
        time_s=time_s,
        channels=channels,
        weights=weights.astype(np.float32),
        head_rotation_wxyz=rotation.astype(np.float32),
        head_translation_m=np.stack([0.02 * np.sin(angle), 0.03 * angle, 0.6 + 0.1 * angle], 1).astype(np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.full((frames, len(REGIONS)), 0.9, np.float32),
        regions=REGIONS,
        status=status,
        landmarks_px=np.zeros((frames, 478, 2), np.float32),
        residual_px=np.full(frames, 0.7, np.float32),
        image_size=(640, 480),
        focal_px=700.0,
        not_observed=not_observed,
        provenance={"source": "/footage/réplique 1.mp4", **provenance},
    )


def expected_weights(take: Take, time_s: float) -> np.ndarray:
    """(K,): the take's weights at any time, linear between solved frames."""
    solved = take.solved
    return np.array([np.interp(time_s, take.time_s[solved], column) for column in take.weights[solved].T])
