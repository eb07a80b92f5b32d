"""Linear solve of all frames together: per-frame blocks coupled by second differences in time.

Second differences couple a variable only with itself one and two frames away, so the matrix is banded with 2 N bands (N
variables per frame) and LAPACK's banded Cholesky solves it in O(frames N^3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solveh_banded

from ...arrays import F64
from ...errors import FacecapError

REFERENCE_STEP_S = 1.0 / 30.0
MAX_GAP_S = 0.25


def second_difference(time_s: F64) -> F64:
    """Coefficients of the second derivative at the inner frames, scaled to frames of 1/30 s.

    On evenly spaced frames at 30 Hz a row is (1, -2, 1). A row that spans a gap of more than a quarter of a second is
    zero: motion is not smoothed across a hole. The coefficients are for the divided difference on uneven times, times
    the square root of the time a frame stands for, so that the sum of squares approximates an integral over time.

    Args:
        time_s: (F,) float64, seconds, increasing.
    Returns:
        (max(F - 2, 0), 3) float64.
    """
    if time_s.size < 3:
        return np.zeros((0, 3))
    before, after = np.diff(time_s)[:-1], np.diff(time_s)[1:]
    before, after = np.maximum(before, 1e-6), np.maximum(after, 1e-6)
    scale = REFERENCE_STEP_S**2 * np.sqrt((before + after) / 2 / REFERENCE_STEP_S)
    rows = np.stack([2 / before, -2 / before - 2 / after, 2 / after], axis=1) / (before + after)[:, None]
    rows *= scale[:, None]
    rows[(before > MAX_GAP_S) | (after > MAX_GAP_S)] = 0.0
    return rows


def solve_in_time(
    matrix: F64,
    gradient: F64,
    difference: F64,
    smooth: F64,
    values: F64,
    free: NDArray[np.bool_],
    coupling: F64 | None = None,
) -> F64:
    """One Newton step of all frames under per-frame terms and second-difference smoothing, some variables fixed.

    Minimises sum_f (1/2 s^T A_f s + g_f^T s) + 1/2 sum smooth |difference (values + s)|^2 over s, with s = 0 where not
    free; and sum_f s_{f+1}^T C_f s_f, where frames are coupled with their neighbours.

    Args:
        matrix: (F, N, N) float64, positive definite on the free variables.
        gradient: (F, N) float64.
        difference: (F - 2, 3) float64, see `second_difference`.
        smooth: (N,) or (F - 2, N) float64, weight of the squared second difference of each variable.
        values: (F, N) float64, current values of the variables (differences are taken of values + step).
        free: (F, N) bool.
        coupling: (F - 1, N, N) float64, C above: rows are the later frame's variables.  None: nothing.
    Returns:
        (F, N) float64, the step.
    Raises:
        FacecapError: if the system is singular.
    """
    frames, size = gradient.shape
    total = gradient + smoothness_gradient(difference, smooth, values)
    bands = np.zeros((2 * size + 1, frames, size))  # bands[d, f, n] couples variable (f, n) with the one d further on
    fixed = ~free
    for d in range(size):
        index = np.arange(size - d)
        bands[d, :, : size - d] = matrix[:, index + d, index]
    if coupling is not None:
        later, earlier = np.indices((size, size))
        bands[size + later - earlier, :-1, earlier] += coupling[:, later, earlier].transpose(1, 2, 0)
    diagonal, one, two = _coupling(difference, smooth, (frames, size))
    bands[0] += diagonal
    bands[size] += one
    bands[2 * size] += two
    flat = bands.reshape(2 * size + 1, -1)
    _fix_variables(flat, fixed.reshape(-1))
    right = np.where(free, -total, 0.0).reshape(-1)
    try:
        step = solveh_banded(flat, right, lower=True, overwrite_ab=True, check_finite=False)
    except LinAlgError as error:
        raise FacecapError(
            "The fit became singular on these frames.", "Check the landmarks on the character and solve again."
        ) from error
    return np.asarray(step).reshape(frames, size)


def smoothness_gradient(difference: F64, smooth: F64, values: F64) -> F64:
    """Gradient of 1/2 sum smooth |difference values|^2, (F, N) float64. Arguments as in `solve_in_time`."""
    gradient = np.zeros_like(values)
    if difference.shape[0] == 0:
        return gradient
    bend = second_differences_of(difference, values) * smooth
    gradient[:-2] += difference[:, 0, None] * bend
    gradient[1:-1] += difference[:, 1, None] * bend
    gradient[2:] += difference[:, 2, None] * bend
    return gradient


def second_differences_of(difference: F64, values: F64) -> F64:
    """(F - 2, N) float64: second differences of (F, N) values."""
    if difference.shape[0] == 0:
        return np.zeros((0, values.shape[1]))
    return (
        difference[:, 0, None] * values[:-2]
        + difference[:, 1, None] * values[1:-1]
        + difference[:, 2, None] * values[2:]
    )


def _coupling(difference: F64, smooth: F64, shape: tuple[int, int]) -> tuple[F64, F64, F64]:
    """Diagonal, first and second off-diagonal of difference^T smooth difference, each (F, N)."""
    diagonal, one, two = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    if difference.shape[0]:
        a, b, c = difference.T[:, :, None]
        diagonal[:-2] += a * a * smooth
        diagonal[1:-1] += b * b * smooth
        diagonal[2:] += c * c * smooth
        one[:-2] += a * b * smooth
        one[1:-1] += b * c * smooth
        two[:-2] += a * c * smooth
    return diagonal, one, two


def _fix_variables(flat: F64, fixed: NDArray[np.bool_]) -> None:
    """Replace rows and columns of fixed variables by the identity, in lower band storage."""
    total = fixed.size
    flat[:, fixed] = 0.0
    for d in range(1, flat.shape[0]):
        flat[d, : total - d][fixed[d:]] = 0.0
    flat[0, fixed] = 1.0
