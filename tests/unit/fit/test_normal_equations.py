"""The fit's linearisation against finite differences, and its time coupling against a dense solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.fit.least_squares.banded import (
    second_difference,
    second_differences_of,
    smoothness_gradient,
    solve_in_time,
)
from facecap_addon.fit.least_squares.normal_equations import POSE, State, make_geometry, normal_equations, residuals_mm


@pytest.fixture
def problem():
    random = np.random.default_rng(3)
    landmarks, channels, frames = 40, 7, 3
    rest = random.normal(0, 0.05, (landmarks, 3)).astype(np.float32)
    rest[[1, 3, 5]] = rest[[0, 2, 4]] + np.float32(0.002)
    deltas = random.normal(0, 0.01, (channels, landmarks, 3)).astype(np.float32)
    deltas[:, [1, 3, 5]] = 0.9 * deltas[:, [0, 2, 4]]
    deltas[5:, [1, 3, 5]] = deltas[5:, [0, 2, 4]]  # two error modes, which move no gaps
    geometry = make_geometry(rest, deltas[:5], deltas[5:], np.array([0, 2, 4]), np.array([1, 3, 5]))
    state = State(
        Rotation.random(frames, random_state=1).as_matrix(),
        random.normal(0, 0.05, (frames, 3)) + np.array([0, 0, 0.9]),
        random.uniform(0, 1, (frames, channels)),
    )
    observed = random.normal(0, 0.05, (frames, landmarks, 2))
    weight = random.uniform(0.1, 2, (frames, landmarks + 3))
    return geometry, state, observed, weight


def jacobian(geometry, state, observed, depth, frame):
    """Numeric Jacobian of one frame's residuals, (2 P, 6 + K)."""
    size = POSE + geometry.channel_count
    columns = []
    for n in range(size):
        step = np.zeros((state.weights.shape[0], size))
        h = 3e-4 if n < POSE else 3e-2  # landmarks are computed in single precision
        step[frame, n] = h
        up = residuals_mm(geometry, state.with_step(step, -9.0, 9.0), observed, depth)[frame]
        down = residuals_mm(geometry, state.with_step(-step, -9.0, 9.0), observed, depth)[frame]
        columns.append((up - down).ravel() / (2 * h))
    return np.stack(columns, axis=1)


def test_normal_equations_match_finite_differences(problem):
    geometry, state, observed, weight = problem
    depth = state.translation[:, 2]
    # the gaps' Jacobian is taken half-way between their ends: leave them out of the exact comparison
    weight[:, geometry.landmark_count :] = 0
    equations = normal_equations(geometry, state, observed, weight, depth)
    residual = residuals_mm(geometry, state, observed, depth)
    for frame in range(3):
        j = jacobian(geometry, state, observed, depth, frame)
        w = np.repeat(weight[frame], 2)
        np.testing.assert_allclose(equations.matrix[frame], (j.T * w) @ j, rtol=2e-3, atol=2e-3 * np.abs(j.T @ j).max())
        np.testing.assert_allclose(
            equations.gradient[frame], j.T @ (w * residual[frame].ravel()), rtol=2e-3, atol=2e-2 * np.abs(j).max()
        )


def test_gap_terms_follow_the_difference_of_two_landmarks(problem):
    geometry, state, observed, weight = problem
    depth = state.translation[:, 2]
    weight[:, : geometry.landmark_count] = 0
    equations = normal_equations(geometry, state, observed, weight, depth)
    residual = residuals_mm(geometry, state, observed, depth)
    np.testing.assert_allclose(residual[:, -3:], residual[:, [0, 2, 4]] - residual[:, [1, 3, 5]], atol=0.05)
    # translation is not seen by a gap; weights are
    assert np.abs(equations.matrix[:, 3:POSE]).max() == 0
    assert np.abs(equations.gradient[:, POSE:]).min(axis=None) >= 0
    diagonal = np.diagonal(equations.matrix, axis1=1, axis2=2)[:, POSE:]
    assert (diagonal[:, :5] > 0).all() and (diagonal[:, 5:] == 0).all()


def test_second_difference_is_a_second_derivative_on_uneven_times():
    time_s = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 50))
    rows = second_difference(time_s)
    bend = second_differences_of(rows, (3 * time_s**2 + time_s)[:, None])[:, 0]
    spans = (time_s[2:] - time_s[:-2]) / 2
    np.testing.assert_allclose(bend, 6 * (1 / 30) ** 2 * np.sqrt(spans * 30), rtol=1e-9)
    straight = second_differences_of(rows, (5 * time_s - 2)[:, None])
    assert np.abs(straight).max() < 1e-9


def test_no_smoothing_across_a_hole():
    time_s = np.array([0, 0.04, 0.08, 1.08, 1.12, 1.16])
    rows = second_difference(time_s)
    assert (rows[[1, 2]] == 0).all() and (rows[[0, 3]] != 0).any(axis=1).all()


def test_banded_solve_equals_dense_solve_with_held_variables():
    random = np.random.default_rng(5)
    frames, size = 7, 5
    root = random.normal(size=(frames, size, size))
    matrix = root @ root.transpose(0, 2, 1) + np.eye(size)
    gradient, values = random.normal(size=(2, frames, size))
    smooth = random.uniform(0.5, 3, size)
    free = random.random((frames, size)) > 0.3
    difference = second_difference(np.cumsum(random.uniform(0.02, 0.05, frames)))
    step = solve_in_time(matrix, gradient, difference, smooth, values, free)
    dense = np.zeros((frames * size, frames * size))
    for f in range(frames):
        dense[f * size : (f + 1) * size, f * size : (f + 1) * size] = matrix[f]
    bend = np.zeros((frames - 2, frames))
    for i in range(frames - 2):
        bend[i, i : i + 3] = difference[i]
    dense += np.kron(bend.T @ bend, np.diag(smooth))
    total = (gradient + smoothness_gradient(difference, smooth, values)).ravel()
    inside = free.ravel()
    expected = np.zeros(frames * size)
    expected[inside] = np.linalg.solve(dense[np.ix_(inside, inside)], -total[inside])
    np.testing.assert_allclose(step.ravel(), expected, atol=1e-10)
    # Frames that are coupled with their neighbours, too, as optical flow couples them.
    coupling = 0.1 * random.normal(size=(frames - 1, size, size))
    for f in range(frames - 1):
        here, later = slice(f * size, (f + 1) * size), slice((f + 1) * size, (f + 2) * size)
        dense[later, here] += coupling[f]
        dense[here, later] += coupling[f].T
    expected[inside] = np.linalg.solve(dense[np.ix_(inside, inside)], -total[inside])
    step = solve_in_time(matrix, gradient, difference, smooth, values, free, coupling)
    np.testing.assert_allclose(step.ravel(), expected, atol=1e-10)


def test_a_shut_eye_wants_the_characters_own_shut_eye(problem):
    geometry, state, observed, weight = problem
    depth = state.translation[:, 2]
    geometry = replace(geometry, shut=geometry.deltas[:, geometry.landmark_count :, 2].copy())
    state.weights[:] = 0.0
    state.weights[:, 2] = 1.0  # the key that shuts it
    shut = np.ones((3, 3))
    assert np.abs(residuals_mm(geometry, state, observed, depth, shut)[:, -3:]).max() < 1e-3
    half = residuals_mm(geometry, state, observed, depth, 0.5 * shut)[:, -3:]
    np.testing.assert_allclose(half, 0.5 * residuals_mm(geometry, state, observed, depth)[:, -3:], atol=1e-3)
    weight[:, : geometry.landmark_count] = 0
    pull = normal_equations(geometry, state, observed, weight, depth, shut=shut).gradient
    assert np.abs(pull).max() < 1e-3
