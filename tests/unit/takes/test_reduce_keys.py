"""Fewer keys, the same curve: within the tolerance everywhere, and the keys that must stay do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.takes.npz import load_take
from facecap_addon.takes.reduce_keys import ReducedCurve, reduce_curves

TAKE = Path(__file__).parents[3] / "sample_scenes" / "take_01.npz"


def played(curve: ReducedCurve, frames: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What a curve with handles at a third of the way shows, by de Casteljau's construction."""
    x, y = frames[curve.rows], values[curve.rows]
    part = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    third = (x[part + 1] - x[part]) / 3
    points = np.stack(
        [y[part], y[part] + curve.slopes[part] * third, y[part + 1] - curve.slopes[part + 1] * third, y[part + 1]]
    )
    share = (at - x[part]) / (3 * third)
    bezier = points
    while len(bezier) > 1:
        bezier = bezier[:-1] * (1 - share) + bezier[1:] * share
    return np.where(curve.straight[part], points[0] + (points[3] - points[0]) * share, bezier[0])


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("tolerance", [0.002, 0.005, 0.02])
def test_a_real_take_keeps_its_curves_everywhere_within_the_tolerance(tolerance: float, linear: bool) -> None:
    weights = load_take(TAKE).weights.astype(np.float64)
    frames = 1 + np.arange(len(weights)) * 0.96
    at = np.linspace(frames[0], frames[-1], 40 * len(frames))
    curves = reduce_curves(frames, weights, tolerance, linear=linear)
    for column, curve in zip(weights.T, curves, strict=True):
        off = np.abs(played(curve, frames, column, at) - np.interp(at, frames, column))
        assert off.max() <= tolerance
        assert curve.rows[0] == 0 and curve.rows[-1] == len(frames) - 1
    assert sum(len(curve.rows) for curve in curves) < weights.size / (4 if tolerance < 0.004 else 5)


def test_a_cubic_needs_two_keys_and_they_have_its_slopes() -> None:
    frames = np.linspace(0, 10, 2001)
    values = 0.3 + 0.1 * frames - 0.05 * frames**2 + 0.004 * frames**3
    (curve,) = reduce_curves(frames, values[:, None], 1e-4)
    assert curve.rows.tolist() == [0, 2000]
    np.testing.assert_allclose(curve.slopes, [0.1, 0.1 - 0.1 * 10 + 0.012 * 100], atol=1e-4)


def test_what_jumps_stays_a_jump_and_does_not_swing_over() -> None:
    frames = np.arange(60.0)
    values = np.where((frames >= 20) & (frames < 23), 1.0, 0.0)  # a blink of three frames
    (curve,) = reduce_curves(frames, values[:, None], 0.005)
    at = np.linspace(0, 59, 5000)
    shown = played(curve, frames, values, at)
    assert np.abs(shown - np.interp(at, frames, values)).max() <= 0.005
    assert len(curve.rows) < 12


def test_keys_that_are_pinned_stay_and_a_finer_tolerance_never_has_fewer_than_it_needs() -> None:
    rng = np.random.default_rng(3)
    frames = np.cumsum(rng.uniform(0.3, 1.5, 200))
    values = np.stack([np.sin(frames / 9), np.zeros(200)], 1)
    pinned = np.zeros((200, 2), bool)
    pinned[[31, 32, 90], 0] = True
    one, other = reduce_curves(frames, values, np.array([0.01, 0.01]), pinned=pinned)
    assert {0, 31, 32, 90, 199} <= set(one.rows.tolist())
    assert other.rows.tolist() == [0, 199]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_curve_of_few_keys_stays(count: int) -> None:
    values = np.array([[0.0], [1.0], [0.0]])[:count]
    (curve,) = reduce_curves(np.arange(count), values, 0.01)
    assert curve.rows.tolist() == list(range(count))
