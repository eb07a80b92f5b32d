"""Smoothing in time: a fast nod keeps its size, a head that is only seen with noise keeps still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.fit.least_squares.levenberg_marquardt import spare_fast_turns
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.observations import Observations

from ..sample import FOCAL_PX, facing, sample, seen

FPS = 25.0
FRAMES = 60


def observe(turn: np.ndarray) -> Observations:
    found = sample()
    shift = np.tile([0.0, 0.0, 0.6], (len(turn), 1))
    calm = np.zeros((len(turn), len(found.rig.channels)))
    return seen(found.response.rest, found.response.deltas, calm, turn, shift, fps=FPS)


def solved_turns(observations: Observations) -> np.ndarray:
    """(F, 3) rad: how the solved head is turned."""
    found = sample()
    frontal = replace(found.response, view_bias=found.response.view_bias[:0])  # landmarks here are exact at every turn
    take = solve_take(observations, found.rig, found.embedding, FitSettings(focal_px=FOCAL_PX), response=frontal)
    rotation = Rotation.from_quat(take.head_rotation_wxyz[:, [1, 2, 3, 0]])
    return (rotation * Rotation.from_matrix(facing(np.zeros((1, 3)))[0]).inv()).as_rotvec()


@pytest.mark.parametrize("frequency_hz", [2.0, 3.0])
def test_a_fast_nod_keeps_its_size(frequency_hz: float):
    turn = np.zeros((FRAMES, 3))
    turn[:, 0] = 0.1 * np.sin(2 * np.pi * frequency_hz * np.arange(FRAMES) / FPS)
    solved = solved_turns(observe(turn))[:, 0]
    assert 0.9 < np.polyfit(turn[:, 0], solved, 1)[0] < 1.1


def test_noise_of_landmarks_does_not_shake_a_still_head():
    still = observe(np.zeros((FRAMES, 3)))
    noise = np.random.default_rng(3).normal(0.0, 1.0, still.landmarks_px.shape)
    noisy = replace(still, landmarks_px=still.landmarks_px + np.float32(noise))
    shake = np.diff(solved_turns(noisy), 2, axis=0)
    # Each picture for itself, a pixel of noise shakes it by 1.1 degrees.
    assert np.degrees(np.sqrt((shake**2).sum(1).mean())) < 0.2


def test_only_turns_that_last_are_spared():
    random = np.random.default_rng(0)
    noise = random.normal(0.0, 0.01, (202, 1)) * np.array([1.0, 0.0, 0.0])
    bend = np.zeros((200, 8))
    bend[:, :3] = np.diff(noise, 2, axis=0)
    bend[100:106, 0] += 0.2
    weights = spare_fast_turns(np.full(8, 5.0), bend)
    assert (weights[:, 3:] == 5.0).all()
    assert (weights[101:105, :3] < 0.5).all()
    assert np.median(weights[:90, :3]) > 4.0
