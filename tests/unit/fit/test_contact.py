"""Lips that touch are seen to touch, from the side as well as from the front."""

from __future__ import annotations

import numpy as np

from facecap_addon.fit.energies.contact import measure_closedness
from facecap_addon.fit.energies.landmark_terms import LIPS, terms_for
from tests.unit.sample import mesh_landmarks, sample, seen


def test_lips_that_touch_are_seen_to_touch_from_the_side_too() -> None:
    """The inner edge of the lower lip lies deeper than that of the upper one, which from the side is no gap."""
    neutral, deltas = mesh_landmarks()
    turns = np.array([0.0, 0.5, -0.5])
    turn = np.zeros((6, 3))
    turn[:, 1] = np.tile(turns, 2)
    weights = np.zeros((6, len(deltas)))
    weights[3:, sample().rig.channels.index("jawOpen")] = 0.3
    observed = seen(neutral, deltas, weights, turn, np.tile([0.0, 0.0, 0.6], (6, 1)))
    terms = terms_for("mediapipe-478")
    closed = measure_closedness(terms, observed.landmarks_px[:, terms.used].astype(np.float64))
    lips = closed[:, terms.gap_group == LIPS]
    assert lips[:3].min() > 0.8
    assert np.abs(lips[1:3] - lips[0]).max() < 0.15
    assert lips[3:, lips.shape[1] // 2].max() < 0.01
