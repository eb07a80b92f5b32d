"""Scattered interpolation by radial basis functions as one matrix from what is known to what is wanted.

Seo and Luo (section 4, equations 3 and 4) solve for new weights in every frame. Where the centres are landmarks at
rest, the solution is linear in their displacements and the same in every frame: it is solved once, for all of them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, LinAlgWarning, solve
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ..arrays import F32, F64
from ..errors import FacecapError
from .kernels import kernel_values, squared_distances
from .options import KERNELS

SPACINGS = {"gaussian": 2.0, "gaussian-printed": 3.0, "thin-plate": 1.0, "multiquadric": 1.0}
"""σ over the landmarks' median distance from their neighbours, by kernel: wide enough to reach across a cheek, narrow
enough that close landmarks of opposite motion do not fight each other."""

_CHUNK_BYTES = 16 * 2**20
_FLAT = 1e-4
"""A cloud of landmarks thinner than this share of its width is a plane."""


@dataclass(frozen=True)
class Interpolant:
    """What `fit_rbf` found: values at any point are linear in those at the centres.

    Attributes:
        kernel: its name.  sigma: σ, in units of `scale`.
        origin: (3,) and scale: coordinates are taken less `origin`, over `scale`, against rounding.
        centres: (C, D) float64, scaled; the first three coordinates are places, others tell sides apart.
        linear: (P,) coordinates of the linear term: those in which centres differ.
        coefficients: (C + 1 + P, L) float64: weights of the kernels, of 1 and of the linear term, for each of the L
            centres whose values are given (other centres are anchors, whose value is zero).
    """

    kernel: str
    sigma: float
    origin: F64
    scale: float
    centres: F64
    linear: NDArray[np.intp]
    coefficients: F64


def spacing(points: NDArray[np.floating]) -> float:
    """Median distance of points (N, 3) from the nearest other one, their unit."""
    return float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))


def fit_rbf(
    centres: NDArray[np.floating], *, kernel: str = "gaussian-printed", sigma: float | None = None, anchors: int = 0
) -> Interpolant:
    """Solve equation 4 with a linear term, for every centre at once.

    The bordered system is symmetric and indefinite; it is factored as LDLᵀ (Bunch and Kaufman).

    Args:
        centres: (C, D) float, D ≥ 3, where values are known; any unit.
        kernel: one of KERNELS.
        sigma: in the unit of the centres; None: by their median spacing, `SPACINGS` times.
        anchors: how many of the last centres always have the value zero.
    Raises:
        FacecapError: fewer than four centres, all in one plane, two at one place, or a σ at which they cannot be told
            apart.
    """
    centres = np.asarray(centres, np.float64)
    if kernel not in KERNELS:
        raise FacecapError(f"There is no kernel {kernel!r}.", f"Choose one of {', '.join(KERNELS)}.")
    if len(centres) < 4:
        raise FacecapError(f"There are {len(centres)} landmarks; a warp needs four or more.", "Place more landmarks.")
    if not np.isfinite(centres).all():
        raise FacecapError("A landmark lies at infinity.", "Place the landmarks again.")
    origin = centres[:, :3].mean(axis=0)
    spread = np.linalg.svd(centres[:, :3] - origin, compute_uv=False)
    if spread[2] <= _FLAT * spread[0]:
        raise FacecapError(
            "All landmarks lie in one plane.", "Place landmarks on the nose, the brows and the jaw, too."
        )
    scale = float(spread[0] / np.sqrt(len(centres)))
    width = sigma if sigma is not None else SPACINGS[kernel] * spacing(centres)
    if not width > 0:
        raise FacecapError("Two landmarks lie at the same place.", "Merge them, or move one of them.")
    scaled = centres.copy()
    scaled[:, :3] -= origin
    scaled /= scale
    count, linear = len(centres), np.flatnonzero(np.ptp(scaled, axis=0) > _FLAT)
    size = count + 1 + len(linear)
    system = np.zeros((size, size))
    system[:count, :count] = kernel_values(kernel, squared_distances(scaled, scaled), width / scale)
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :] = scaled[:, linear]
    system[count + 1 :, :count] = scaled[:, linear].T
    given = np.eye(size, count - anchors)
    try:
        with warnings.catch_warnings():  # what is left over is looked at below
            warnings.simplefilter("ignore", LinAlgWarning)
            coefficients = solve(system, given, assume_a="sym", check_finite=False)
            coefficients += solve(system, given - system @ coefficients, assume_a="sym", check_finite=False)
    except LinAlgError as error:
        raise _too_wide(width) from error
    if np.abs(system @ coefficients - given).max() > 1e-6:
        raise _too_wide(width)
    return Interpolant(kernel, width / scale, origin, scale, scaled, linear, coefficients)


def measure_influence(interpolant: Interpolant, points: NDArray[np.floating]) -> F32:
    """The matrix from values at the centres to values at points.

    Args:
        points: (V, D) float, unit and coordinates of the centres.
    Returns:
        (V, L) float32: values at the points are this times the values (L, …) at the centres.
    """
    count, anchored = len(interpolant.centres), interpolant.coefficients.shape[1]
    out = np.empty((len(points), anchored), np.float32)
    step = max(256, _CHUNK_BYTES // (8 * count))
    for first in range(0, len(points), step):
        scaled = np.array(points[first : first + step], np.float64)
        scaled[:, :3] -= interpolant.origin
        scaled /= interpolant.scale
        pulls = kernel_values(interpolant.kernel, squared_distances(scaled, interpolant.centres), interpolant.sigma)
        rows = pulls @ interpolant.coefficients[:count] + interpolant.coefficients[count]
        rows += scaled[:, interpolant.linear] @ interpolant.coefficients[count + 1 :]
        out[first : first + step] = rows
    return out


def merge_points(points: NDArray[np.floating], *, closer_than: float) -> NDArray[np.intp]:
    """(N,) for each point the first one that lies at its place, itself if none does.

    Args:
        points: (N, 3) float.  closer_than: their unit.
    """
    first = np.arange(len(points))
    for a, b in sorted(cKDTree(points).query_pairs(closer_than)):
        first[b] = min(first[b], first[a])
    return first


def _too_wide(width: float) -> FacecapError:
    return FacecapError(
        f"At a width of {1000 * width:.1f} mm the landmarks cannot be told apart.",
        "Choose a smaller σ, or the thin-plate kernel.",
    )
