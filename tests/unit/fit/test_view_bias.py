"""A head that only turns makes no face, though the landmark network sees it differently from every side."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.fit.energies.view_bias import find_view
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.reports.observe_head import observe_head
from facecap_addon.rig.placement.mesh_view import turn_view
from tests.unit.sample import FOCAL_PX, SIZE, facing, mesh_landmarks, posed_take, sample

FRONT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0.3, -0.2, 0.4), (-0.5, 0.1, -0.3), (0.0, 0.0, 0.0)])
def test_a_view_is_told_from_how_the_head_is_turned(yaw: float, pitch: float, roll: float) -> None:
    rolled = Rotation.from_rotvec([0.0, 0.0, roll]).as_matrix()
    found = find_view((rolled @ turn_view(FRONT, yaw, pitch))[None], np.array([[0.0, 0.0, 0.6]]))
    np.testing.assert_allclose([angle[0] for angle in found], [yaw, pitch, roll], atol=1e-9)


def test_a_head_beside_the_camera_that_looks_at_it_is_seen_from_the_front() -> None:
    aside = np.array([0.3, 0.0, 0.6])
    turned = Rotation.from_rotvec([0.0, np.arctan2(0.3, 0.6), 0.0]).as_matrix() @ FRONT
    yaw, pitch, _ = find_view(turned[None], aside[None])
    np.testing.assert_allclose([yaw[0], pitch[0]], 0.0, atol=1e-9)


def _turns(frames: int = 24) -> np.ndarray:
    """(F, 3) rad: rotation vectors of a head that shakes and nods."""
    time = np.linspace(0, 2 * np.pi, frames)
    return np.stack([0.15 * np.sin(2 * time), 0.4 * np.sin(time), np.zeros(frames)], axis=1)


@pytest.fixture(scope="module")
def turning() -> Observations:
    """The sample head as the network sees it: at rest, turning slowly."""
    rig, turn = sample().rig, _turns()
    still = posed_take(np.zeros((len(turn), len(rig.channels))), turn, fps=4.0, size=SIZE, focal_px=FOCAL_PX)
    camera = centered_camera(*SIZE, FOCAL_PX)
    return observe_head(still, rig, sample().embedding.head_from_rig, camera, open_landmarker())


@pytest.mark.parametrize("match", ["look", "weights"])
def test_a_head_at_rest_that_turns_makes_no_face(turning: Observations, match: Literal["look", "weights"]) -> None:
    response = sample().response
    without = replace(response, view_bias=response.view_bias[:0])
    settings = FitSettings(focal_px=FOCAL_PX, match=match)
    error_deg, moved = [], []
    for known in (response, without):
        take = solve_take(turning, sample().rig, sample().embedding, settings, response=known)
        found = Rotation.from_quat(take.head_rotation_wxyz[:, [1, 2, 3, 0]])
        between = found * Rotation.from_matrix(facing(_turns())).inv()
        error_deg.append(float(np.degrees((between * between.mean().inv()).magnitude()).mean()))
        moved.append(float(take.weights.std(axis=0).mean()))
    assert moved[0] < 0.9 * moved[1]
    assert error_deg[0] < error_deg[1] + 0.1


def test_a_turn_of_the_head_is_left_to_the_pose() -> None:
    """How far the network sees a head turn differs from render to footage: it must not be taken for a bias."""
    bias, rest = sample().response.view_bias, mesh_landmarks()[0]
    x, depth, up = (rest - rest.mean(axis=0)).T  # it turns, nods, leans and grows
    for along_x, along_y in ((depth, 0 * x), (0 * x, depth), (up, x), (x, -up)):
        motion = np.stack([along_x, along_y], axis=1)
        along_m = np.einsum("tli,li->t", bias, motion) / np.linalg.norm(motion)
        assert np.abs(along_m).max() < 1e-5
    assert np.linalg.norm(bias, axis=2).max() > 0.002
