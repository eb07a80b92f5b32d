"""Measures with answers known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.takes.measures import metrics

RNG = np.random.default_rng(7)


def test_jitter_is_the_mean_distance_moved() -> None:
    """Two of four vertices move by 3-4-5 mm and 10 mm at weight 1: D = (5 + 10) / 4 mm per unit of weight."""
    deltas = np.zeros((1, 4, 3), np.float32)
    deltas[0, 1] = (0.003, 0.004, 0)
    deltas[0, 3] = (0, 0, -0.010)
    found = metrics.measure_jitter(np.array([[0.0], [1.0], [0.5], [0.5]]), deltas)
    assert np.isnan(found[0])
    assert_allclose(found[1:], [0.015 / 4, 0.0075 / 4, 0.0], rtol=1e-6)


def test_jitter_from_weights_is_jitter_from_vertices(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = RNG.uniform(0, 1, (50, 6)).astype(np.float32)
    deltas = (RNG.normal(size=(6, 30, 3)) * 0.01).astype(np.float32)
    deltas[:, 20:] = 0
    vertices = np.einsum("fk,kvc->fvc", weights, deltas)
    expected = metrics.jitter_of_vertices(vertices)
    assert_allclose(metrics.measure_jitter(weights, deltas), expected, rtol=1e-4)
    monkeypatch.setattr(metrics, "_BLOCK_NUMBERS", 200)  # several blocks
    assert_allclose(metrics.measure_jitter(weights, deltas), expected, rtol=1e-4)


def test_jitter_is_unknown_next_to_missing_frames() -> None:
    solved = np.array([True, True, False, True, True])
    found = metrics.measure_jitter(RNG.uniform(0, 1, (5, 2)), np.ones((2, 3, 3), np.float32), solved)
    assert np.isnan(found).tolist() == [True, False, True, True, False]


def test_jitter_of_nothing() -> None:
    assert metrics.measure_jitter(np.zeros((0, 2)), np.ones((2, 3, 3), np.float32)).shape == (0,)
    assert np.isnan(metrics.measure_jitter(np.zeros((1, 2)), np.ones((2, 3, 3), np.float32))).all()
    assert_allclose(metrics.measure_jitter(np.ones((3, 2)), np.zeros((2, 3, 3), np.float32))[1:], 0)


def test_rmse_of_vertices_and_of_the_driven_rig_agree() -> None:
    weights, truth = RNG.uniform(0, 1, (20, 4)), RNG.uniform(0, 1, (20, 4))
    deltas = (RNG.normal(size=(4, 50, 3)) * 0.01).astype(np.float32)
    mask = np.arange(50) < 30
    a, b = (np.einsum("fk,kvc->fvc", w, deltas)[:, mask] for w in (weights, truth))
    assert_allclose(metrics.driven_rmse(weights, truth, deltas, mask), metrics.vertex_rmse(a, b), rtol=1e-4)
    assert_allclose(metrics.vertex_rmse(np.zeros((1, 9, 3)), np.full((1, 9, 3), (0.003, 0.0, 0.004))), 0.005)


def test_moving_vertices() -> None:
    deltas = np.zeros((2, 3, 3), np.float32)
    deltas[0, 0, 0], deltas[1, 1, 2] = 0.0006, 0.0004
    assert metrics.moving_vertices(deltas).tolist() == [True, False, False]


def test_correlation_and_error_per_channel() -> None:
    t = np.linspace(0, 6.28, 200)
    truth = np.stack([np.sin(t), np.sin(t), np.sin(t), np.zeros(200)], axis=1)
    found = np.stack([0.5 * np.sin(t) + 0.2, -np.sin(t), np.full(200, 0.3), np.sin(t)], axis=1)
    correlation = metrics.channel_correlation(found, truth)
    assert_allclose(correlation[:3], [1, -1, 0], atol=1e-9)
    assert np.isnan(correlation[3])
    assert_allclose(metrics.channel_absolute_error(found, truth)[3], np.abs(np.sin(t)).mean())


@pytest.mark.parametrize(("scheme", "count", "lips", "corners"), [
    ("mediapipe-478", 478, ((13, 82, 312, 81, 311), (14, 87, 317, 178, 402)), (33, 263)),
    ("ibug-68", 68, ((61, 62, 63), (67, 66, 65)), (36, 45)),
])  # fmt: skip
def test_lip_gap_in_face_units(
    scheme: str, count: int, lips: tuple[tuple[int, ...], ...], corners: tuple[int, int]
) -> None:
    points = np.zeros((2, count, 2))
    points[:, corners[1], 0] = 200
    points[1, list(lips[1]), 1] = 30
    assert_allclose(metrics.lip_gap(points, scheme), [0, 0.15])
    assert_allclose(metrics.lip_gap(points * 3.7, scheme), [0, 0.15])


def test_lid_gap_tells_the_eyes_apart() -> None:
    points = np.zeros((478, 2))
    points[133, 0], points[263, 0] = 40, 50
    points[[145, 153, 144], 1] = 12
    assert_allclose(metrics.lid_gap(points), [0.3, 0.0])
