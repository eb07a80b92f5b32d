"""Landmarks and features on disk come back as they were, whether crops were looked at or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.jobs.steps.landmark_cache import CHUNK_FRAMES, LandmarkCache, LandmarkFacts
from facecap_addon.landmarks.tracking.observe import FrameObservation


def _frames(count: int, features: int) -> list[FrameObservation]:
    random = np.random.default_rng(0)
    return [
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
        for i in range(count)
    ]


@pytest.mark.parametrize("features", [0, 5])
def test_chunks_come_back_joined(tmp_path: Path, features: int) -> None:
    frames = _frames(CHUNK_FRAMES + 20, features)
    cache = LandmarkCache(tmp_path / "landmarks")
    cache.save_chunk(0, frames[:CHUNK_FRAMES], [])
    np.testing.assert_array_equal(cache.last_of_chunk(0).appearance, frames[CHUNK_FRAMES - 1].appearance)
    cache.save_chunk(1, frames[CHUNK_FRAMES:], [])
    cache.finish(2, LandmarkFacts(len(frames), "four", (64, 48), "v1", ()))
    found = cache.observations()
    np.testing.assert_array_equal(found.appearance, np.stack([f.appearance for f in frames]))
    np.testing.assert_array_equal(found.landmarks_px, np.stack([f.landmarks_px for f in frames]))


def test_a_face_that_was_kept_comes_back_and_a_damaged_or_missing_one_is_none(tmp_path: Path) -> None:
    across = np.linspace(0, 255, 64, dtype=np.uint8)
    face = np.stack([np.tile(across, (64, 1)), np.tile(across[:, None], (1, 64)), np.full((64, 64), 90, np.uint8)], 2)
    cache = LandmarkCache(tmp_path)
    cache.save_chunk(0, _frames(4, 1), [], {2: face, 3: face})
    kept = cache.face_in(2)
    assert kept is not None
    np.testing.assert_allclose(kept, face, atol=8)
    whole = (tmp_path / "face-000000003.jpg").read_bytes()
    (tmp_path / "face-000000003.jpg").write_bytes(whole[: len(whole) // 2])
    assert cache.face_in(3) is None
    assert cache.face_in(1) is None
