"""What stands before a face: its landmarks are bridged, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facecap_addon.fit.covered import BELIEVED, bridge_covered, parts_of
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.landmarks.mesh_478 import NORMALS_468
from facecap_addon.landmarks.observations import Observations

FRAMES, COVER = 30, slice(10, 18)
_LIPS = parts_of(MEDIAPIPE_478)[0]


def _moving_face() -> Observations:
    """A rigid face that drifts and turns in the picture's plane."""
    places = np.concatenate([NORMALS_468, np.tile(NORMALS_468[:1], (10, 1))])
    flat = np.stack([places[:, 0], -places[:, 1]], axis=1) * 100
    points = []
    for frame in range(FRAMES):
        angle = 0.01 * frame
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points.append(flat @ turn.T + [300 + 2 * frame, 250 + frame])
    return Observations(
        time_s=np.arange(FRAMES) / 25,
        frame_index=np.arange(FRAMES),
        landmarks_px=np.array(points, np.float32),
        depth_px=np.zeros((FRAMES, 478), np.float32),
        presence=np.ones(FRAMES, np.float32),
        confidence=np.ones((FRAMES, 478), np.float32),
        scheme="mediapipe-478",
        image_size=(640, 480),
        model_version="test",
        visibility=np.ones((FRAMES, 478), np.float32),
    )


def _covered(lips: NDArray[np.intp]) -> tuple[Observations, Observations]:
    true = _moving_face()
    landmarks, visibility = true.landmarks_px.copy(), true.visibility.copy()
    landmarks[COVER, lips] += 40
    visibility[COVER, lips] = 0
    return true, replace(true, landmarks_px=landmarks, visibility=visibility)


def test_lips_behind_a_hand_go_with_the_head_from_one_side_to_the_other():
    true, seen = _covered(np.array(_LIPS))
    found = bridge_covered(seen).observations
    away = np.linalg.norm(found.landmarks_px - true.landmarks_px, axis=2)
    assert np.linalg.norm(seen.landmarks_px - true.landmarks_px, axis=2).max() > 50
    assert away.max() < 1.0  # of a head 200 px wide: what bridging a turn of 0.1 rad linearly costs
    assert np.allclose(found.confidence[COVER, _LIPS], BELIEVED)


def test_what_is_behind_a_hand_does_not_jump_where_it_comes_and_goes():
    _, seen = _covered(np.array(_LIPS))
    found = bridge_covered(seen).observations.landmarks_px[:, _LIPS]
    assert np.linalg.norm(np.diff(found, 2, axis=0), axis=2).max() < 1.0


def test_frames_without_a_hand_stay_to_the_bit():
    true, seen = _covered(np.array(_LIPS))
    found = bridge_covered(seen).observations
    rest = np.r_[0 : COVER.start - 1, COVER.stop + 1 : FRAMES]
    assert (found.landmarks_px[rest] == true.landmarks_px[rest]).all()
    assert (found.confidence[rest] == true.confidence[rest]).all()


def test_footage_that_is_clear_or_that_nobody_looked_at_stays_what_it_is():
    clear = _moving_face()
    assert bridge_covered(clear).observations is clear
    unseen = replace(clear, visibility=np.zeros((FRAMES, 0), np.float32))
    assert bridge_covered(unseen).observations is unseen
