"""Radial basis functions: the same answers as scipy's, through every landmark, and words for what cannot work."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from facecap_addon.errors import FacecapError
from facecap_addon.retarget.kernels import kernel_values
from facecap_addon.retarget.options import KERNELS
from facecap_addon.retarget.rbf import fit_rbf, measure_influence, merge_points

RANDOM = np.random.default_rng(4)
CENTRES = RANDOM.normal(scale=0.05, size=(40, 3))
POINTS = RANDOM.normal(scale=0.06, size=(500, 3))
VALUES = RANDOM.normal(scale=0.01, size=(40, 3))


@pytest.mark.parametrize(
    ("kernel", "theirs"),
    [("gaussian", "gaussian"), ("thin-plate", "thin_plate_spline"), ("multiquadric", "multiquadric")],
)
def test_it_agrees_with_scipy(kernel: str, theirs: str) -> None:
    sigma = 0.03
    shape = {} if kernel == "thin-plate" else {"epsilon": 1 / (np.sqrt(2) * sigma)}
    wanted = RBFInterpolator(CENTRES, VALUES, kernel=theirs, degree=1, **shape)(POINTS)
    found = measure_influence(fit_rbf(CENTRES, kernel=kernel, sigma=sigma), POINTS) @ VALUES
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_landmarks_get_where_they_are_sent(kernel: str) -> None:
    found = measure_influence(fit_rbf(CENTRES, kernel=kernel), CENTRES) @ VALUES
    np.testing.assert_allclose(found, VALUES, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_affine_motion_is_reproduced_everywhere(kernel: str) -> None:
    matrix = np.array([[0.1, 0.02, 0.0], [0.0, -0.05, 0.03], [0.01, 0.0, 0.2]])
    found = measure_influence(fit_rbf(CENTRES, kernel=kernel), POINTS) @ (CENTRES @ matrix + 0.004)
    np.testing.assert_allclose(found, POINTS @ matrix + 0.004, atol=1e-6)


def test_both_gaussians_are_what_they_are_called() -> None:
    distance, sigma = np.array([0.0, 0.5, 2.0]), 0.7
    np.testing.assert_allclose(kernel_values("gaussian", distance**2, sigma), np.exp(-(distance**2) / (2 * sigma**2)))
    np.testing.assert_allclose(
        kernel_values("gaussian-printed", distance**2, sigma), np.exp(-distance / (2 * sigma**2))
    )


def test_anchors_stay_where_they_are() -> None:
    centres = np.concatenate([CENTRES, POINTS[:7]])
    matrix = measure_influence(fit_rbf(centres, anchors=7), POINTS[:7])
    assert matrix.shape == (7, 40)
    assert np.abs(matrix @ VALUES).max() < 1e-8


def test_the_unit_does_not_matter() -> None:
    in_metres = measure_influence(fit_rbf(CENTRES), POINTS) @ VALUES
    in_millimetres = measure_influence(fit_rbf(1000 * CENTRES), 1000 * POINTS) @ (1000 * VALUES)
    np.testing.assert_allclose(in_millimetres, 1000 * in_metres, atol=1e-4)


@pytest.mark.parametrize(
    ("centres", "says"),
    [
        (CENTRES[:3], "four or more"),
        (np.c_[CENTRES[:, :2], np.zeros(40)], "one plane"),
        (np.concatenate([CENTRES, CENTRES]), "same place"),
        (CENTRES * np.nan, "infinity"),
    ],
)
def test_what_cannot_be_interpolated_is_said(centres: np.ndarray, says: str) -> None:
    with pytest.raises(FacecapError, match=says):
        fit_rbf(centres)


def test_a_kernel_that_is_much_too_wide_is_refused() -> None:
    with pytest.raises(FacecapError, match="cannot be told apart"):
        fit_rbf(np.concatenate([CENTRES, CENTRES + 1e-6]), kernel="gaussian", sigma=5.0)


def test_points_at_one_place_are_found() -> None:
    points = CENTRES[:5].copy()
    points[3] = points[1] + 1e-9
    assert merge_points(points, closer_than=1e-6).tolist() == [0, 1, 2, 1, 4]
