"""Two spellings of one key bear its weight together, so that the face moves once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.energies.weight_priors import channel_priors, prior_mean
from facecap_addon.rig.duplicate_keys import key_shares
from tests.unit.takes.test_between import make_rig


def test_twins_share_and_other_keys_of_the_channel_do_not() -> None:
    one = make_rig(2)
    jaw, pucker = one.deltas
    teeth = np.roll(jaw, 5, axis=0)
    names = ("jawOpen", "Jaw_Open", "Teeth.jawOpen", "mouthPucker", "browInnerUp_L", "browInnerUp_R")
    head = replace(
        one,
        channels=names,
        deltas=np.stack([jaw, jaw, teeth, pucker, pucker, pucker]),
        ranges=np.tile(np.float32([0, 1]), (6, 1)),
    )
    np.testing.assert_allclose(key_shares(head), [0.5, 0.5, 1, 1, 1, 1])


def test_the_prior_expects_of_twins_what_one_key_would_do() -> None:
    trained = load_prior()
    expected = np.full((3, len(trained.channels)), 0.6)
    shares = np.array([0.5, 0.5, 1.0])
    priors = channel_priors(("jawOpen", "Jaw_Open", "mouthPucker"), trained, 1.0, 1.0, shares)
    mean = prior_mean(priors, expected, 3, np.zeros(3), np.ones(3))
    np.testing.assert_allclose(mean[:, :2].sum(axis=1), 0.6)
    np.testing.assert_allclose(mean[:, 2], 0.6)
