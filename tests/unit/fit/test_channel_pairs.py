"""Channels that recordings of faces never show together, or only one within the other, are not solved so either."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.energies.weight_priors import channel_priors
from facecap_addon.fit.least_squares.levenberg_marquardt import Terms, _add_priors, _prior_energies
from facecap_addon.fit.least_squares.normal_equations import POSE, NormalEquations
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tests.unit.sample import FOCAL_PX, sample, seen


def _terms(frames: int) -> Terms:
    priors = channel_priors(ARKIT_CHANNELS, None, 1.0, 1.0)
    count = len(ARKIT_CHANNELS)
    return Terms(
        observed=np.zeros((frames, 1, 2)),
        weight=np.ones((frames, 1)),
        shut=np.zeros((frames, 0)),
        robust_mm=1.0,
        prior_mean=np.zeros((frames, count)),
        prior_precision=priors.precision,
        seen_mean=np.zeros((frames, count)),
        seen_precision=np.zeros((frames, count)),
        sparsity=priors.sparsity,
        opposed=priors.opposed,
        opposed_weight=30.0,
        within=priors.within,
        within_weight=priors.within_weight,
        low=np.zeros(count),
        high=np.ones(count),
        time_s=np.arange(frames) / 25,
        smooth=priors.smooth,
        held=np.zeros((frames, 6 + count), bool),
    )


def test_derivatives_of_priors_are_those_of_their_energy() -> None:
    random = np.random.default_rng(3)
    terms, count = _terms(2), len(ARKIT_CHANNELS)
    weights, mean = random.random((2, count)), random.random((2, count))
    close, jaw = ARKIT_CHANNELS.index("mouthClose"), ARKIT_CHANNELS.index("jawOpen")
    weights[:, [close, jaw]] = [[0.7, 0.2], [0.2, 0.7]]  # outside in the first frame, within in the second
    size = POSE + count
    found = NormalEquations(np.zeros((2, size, size)), np.zeros((2, size)), np.zeros(2))
    _add_priors(found, weights, mean, terms)
    np.testing.assert_allclose(found.energy, _prior_energies(weights, mean, terms))
    step = 1e-6
    for k in range(count):
        moved = weights.copy()
        moved[:, k] += step
        slope = (_prior_energies(moved, mean, terms) - found.energy) / step
        np.testing.assert_allclose(found.gradient[:, POSE + k], slope, rtol=1e-3, atol=1e-2)


@pytest.mark.usefixtures("models")
def test_lips_do_not_close_further_than_the_jaw_is_open() -> None:
    """Lips that push over one another are pressed or shrugged, not closed over a jaw that is not open."""
    channels, response = sample().rig.channels, sample().response
    weights = np.zeros((48, len(channels)), np.float32)
    up = np.clip(np.sin(np.arange(48) / 4), 0, 1)
    weights[:, channels.index("mouthClose")] = 0.6 * up
    for side in ("Left", "Right"):
        weights[:, channels.index(f"mouthSmile{side}")] = 0.6 * up
    still = np.zeros((48, 3))
    observed = seen(response.rest, response.deltas, weights, still, still + np.array([0, 0, 0.6]))
    settings = FitSettings(focal_px=FOCAL_PX)
    take = solve_take(observed, sample().rig, sample().embedding, settings, response=response)
    solved = {name: take.weights[:, channels.index(name)] for name in ("mouthClose", "jawOpen", "mouthSmileLeft")}
    assert (solved["mouthClose"] - solved["jawOpen"]).max() < 0.3
    assert solved["mouthSmileLeft"].max() > 0.4
    frown = take.weights[:, channels.index("mouthFrownLeft")]
    assert np.minimum(solved["mouthSmileLeft"], frown).max() < 0.1
