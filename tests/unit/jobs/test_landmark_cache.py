"""Landmarks and features on disk come back as they were, whether crops were looked at or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.jobs.steps.landmark_cache import CHUNK_FRAMES, LandmarkCache, LandmarkFacts
from facecap_addon.landmarks.tracking.observe import FrameObservation


@pytest.mark.parametrize("features", [0, 5])
def test_chunks_come_back_joined(tmp_path: Path, features: int) -> None:
    random = np.random.default_rng(0)
    frames = [
        FrameObservation(
            index=i,
            time_s=i / 30,
            landmarks_px=random.normal(size=(4, 2)).astype(np.float32),
            depth_px=random.normal(size=4).astype(np.float32),
            presence=1.0,
            confidence=np.ones(4, np.float32),
            other_faces=0,
            appearance=random.normal(size=features).astype(np.float32),
        )
        for i in range(CHUNK_FRAMES + 20)
    ]
    cache = LandmarkCache(tmp_path / "landmarks")
    cache.save_chunk(0, frames[:CHUNK_FRAMES], [])
    np.testing.assert_array_equal(cache.last_of_chunk(0).appearance, frames[CHUNK_FRAMES - 1].appearance)
    cache.save_chunk(1, frames[CHUNK_FRAMES:], [])
    cache.finish(2, LandmarkFacts(len(frames), "four", (64, 48), "v1", ()))
    found = cache.observations()
    np.testing.assert_array_equal(found.appearance, np.stack([f.appearance for f in frames]))
    np.testing.assert_array_equal(found.landmarks_px, np.stack([f.landmarks_px for f in frames]))
