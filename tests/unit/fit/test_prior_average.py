"""Two expression priors in one answer with their mean."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.energies.expression_prior import network_input, network_output
from tools.train_prior.average import average_priors

LANDMARKS, BASIS, WIDTH, CHANNELS = 5, 3, 7, 4


def _prior(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    sizes = (3 * LANDMARKS + BASIS + 3, WIDTH, WIDTH, CHANNELS)
    layers = {f"weight_{i}": random.normal(size=sizes[i : i + 2]) for i in range(3)}
    biases = {f"bias_{i}": random.normal(size=sizes[i + 1]) for i in range(3)}
    return {
        **{"scheme": np.array("s"), "channels": np.arange(CHANNELS), "template": np.ones(3), "subset": np.arange(5)},
        **{"align_weight": np.ones(3), "layer_count": np.array(3), "response": random.normal(size=(CHANNELS, 15))},
        **{"covariance": np.eye(CHANNELS) * seed, "identity_mean": random.normal(size=3 * LANDMARKS)},
        **{"identity_basis": random.normal(size=(3 * LANDMARKS, BASIS))},
        **layers,
        **biases,
    }


def _answer(prior: dict[str, np.ndarray], shape: np.ndarray, neutral: np.ndarray, turn: np.ndarray) -> np.ndarray:
    identity = np.tile((neutral - prior["identity_mean"]) @ prior["identity_basis"], (len(shape), 1))
    layers = [(prior[f"weight_{i}"], prior[f"bias_{i}"]) for i in range(3)]
    return network_output(layers, network_input(shape - neutral, identity, turn).astype(np.float64))


def test_the_average_answers_with_the_mean_of_both() -> None:
    one, other, random = _prior(1), _prior(2), np.random.default_rng(0)
    shape, neutral, turn = random.normal(size=(6, 15)), random.normal(size=15), random.normal(size=(6, 3))
    both = average_priors(one, other)
    expected = (_answer(one, shape, neutral, turn) + _answer(other, shape, neutral, turn)) / 2
    np.testing.assert_allclose(_answer(both, shape, neutral, turn), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(both["covariance"], np.eye(CHANNELS) * 1.5)


def test_priors_that_align_landmarks_differently_are_not_averaged() -> None:
    with pytest.raises(ValueError, match="template"):
        average_priors(_prior(1), {**_prior(2), "template": np.zeros(3)})
