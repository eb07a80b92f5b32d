"""The trained expression prior: what it says of faces whose weights are known, and what it says of bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.fit.energies.expression_prior import find_expectation, load_prior, poses_for_response, read_prior
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tests.unit.sample import sample, seen


@pytest.mark.parametrize(
    "names",
    [("jawOpen",), ("eyeBlinkLeft", "eyeBlinkRight"), ("mouthSmileRight",), ("browOuterUpLeft",), ("mouthPucker",)],
)
def test_keys_that_move_are_expected_to_move(names: tuple[str, ...]) -> None:
    """As the landmark network sees the sample head: half the frames at rest, half with one or two keys up."""
    channels = sample().rig.channels
    weights = np.zeros((60, len(channels)))
    for name in names:
        weights[30:, channels.index(name)] = 0.8
    turned, shift = np.zeros((60, 3)), np.tile([0, 0, 0.6], (60, 1))
    observations = seen(sample().response.rest, sample().response.deltas, weights, turned, shift)
    rows = np.arange(60)
    found = find_expectation(load_prior(), observations.landmarks_px, observations.depth_px, rows, rows[:30])
    rise = found.weights[30:].mean(0) - found.weights[:30].mean(0)
    of_names = [ARKIT_CHANNELS.index(name) for name in names]
    assert (rise[of_names] > 0.2).all()
    assert rise[of_names].min() > np.sort(np.delete(rise, of_names))[-3]  # only its close relatives rise as far
    assert found.activity[:30].mean() < 0.6 * found.activity[30:].mean()


def test_expectation_does_not_depend_on_where_the_head_is_and_how_large() -> None:
    channels = sample().rig.channels
    weights = np.zeros((40, len(channels)))
    weights[20:, channels.index("jawOpen")] = 0.6
    still = np.zeros((40, 3))
    rest, deltas = sample().response.rest, sample().response.deltas
    near = seen(rest, deltas, weights, still, still + np.array([0, 0, 2.0]))
    aside = seen(rest, deltas, weights, still, still + np.array([0.3, -0.2, 4.0]))
    rows = np.arange(40)
    first = find_expectation(load_prior(), near.landmarks_px, near.depth_px, rows).weights
    second = find_expectation(load_prior(), aside.landmarks_px, aside.depth_px, rows).weights
    assert np.abs(first - second).max() < 0.12


@pytest.mark.parametrize(
    "names", [("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), ("mouthSmileLeft", "mouthSmileRight")]
)
def test_an_expression_held_through_most_of_a_clip_is_not_taken_for_the_resting_face(names: tuple[str, ...]) -> None:
    channels = sample().rig.channels
    weights = np.zeros((60, len(channels)))
    of_names = [channels.index(name) for name in names]
    weights[15:, of_names] = 0.7
    still, shift = np.zeros((60, 3)), np.tile([0, 0, 0.6], (60, 1))
    observations = seen(sample().response.rest, sample().response.deltas, weights, still, shift)
    take = solve_take(observations, sample().rig, sample().embedding, FitSettings(), response=sample().response)
    assert (take.weights[20:][:, of_names].mean(0) > 0.4).all()
    assert (take.weights[:10][:, of_names].mean(0) < 0.1).all()
    assert (take.weights[:10].mean(0) < 0.25).all()


def test_poses_for_the_response_follow_the_characters_names() -> None:
    names = (
        "EyeBlinkLeft",
        "jawOpen",
        "my own key",
        *(c for c in ARKIT_CHANNELS if c not in ("eyeBlinkLeft", "jawOpen")),
    )
    poses = poses_for_response(names)
    prior = load_prior()
    assert poses is not None and poses.shape == (len(prior.poses), len(names))
    np.testing.assert_array_equal(poses[:, 1], prior.poses[:, prior.channels.index("jawOpen")])
    np.testing.assert_array_equal(poses[:, 0], prior.poses[:, prior.channels.index("eyeBlinkLeft")])
    assert (poses[:, 2] == 0).all()
    assert poses_for_response(("Key 1", "Key 2", "jawOpen")) is None


def test_damaged_prior_is_a_clear_error(tmp_path: Path) -> None:
    broken = tmp_path / "arkit_prior.npz"
    broken.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(FacecapError, match="expression prior"):
        read_prior(broken)
    with pytest.raises(FacecapError, match="expression prior"):
        read_prior(tmp_path / "missing.npz")
