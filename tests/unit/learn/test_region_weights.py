"""Lips and lids count more: where they are, whatever the size of the head, and what a network learns for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.learn.data.region_weights import place_landmarks, weigh_vertices
from tests.unit.sample import sample

FAR = (10, 152, 234, 454)
"""Forehead, chin and ears."""


def test_the_edges_of_lips_and_lids_count_most_and_what_is_far_counts_once() -> None:
    rig, embedding = sample().rig, sample().embedding
    weights = weigh_vertices(rig, embedding, 8.0)
    at = place_landmarks(rig, embedding, rig.neutral[None])[0]
    nearest = np.linalg.norm(rig.neutral[None] - at[:, None], axis=2).argmin(1)
    edges = [*MEDIAPIPE_478.lips_inner_upper[1:-1], *MEDIAPIPE_478.upper_lid_left[1:-1]]
    assert weights[nearest[edges]].min() > 6.0
    assert weights[nearest[list(FAR)]].max() < 1.01
    assert weights.min() >= 1.0 and weights.max() <= 8.0


def test_a_head_of_another_size_has_the_same_weights() -> None:
    rig, embedding = sample().rig, sample().embedding
    large = replace(rig, neutral=rig.neutral * 10, deltas=rig.deltas * 10)
    assert weigh_vertices(large, embedding, 8.0) == pytest.approx(weigh_vertices(rig, embedding, 8.0), abs=1e-3)


def test_once_is_alike() -> None:
    assert np.array_equal(weigh_vertices(sample().rig, sample().embedding, 1.0), np.ones(len(sample().rig.neutral)))
