"""How the actor's face at rest differs from the character's: one smooth, small offset per landmark.

Offsets are a Gaussian process over the character's surface: neighbours move together. They are estimated from all
calibration frames at once while pose and weights are fixed, so that what the weights can explain is not taken twice.
"""

from __future__ import annotations

import numpy as np

from ..arrays import F64
from .least_squares.normal_equations import MM, Geometry, State, landmark_positions

LENGTH_M = 0.025
INDEPENDENT_FRAMES = 12.0
"""Frames of one take share their errors: all together they count as this many independent looks."""


def offset_covariance(rest: F64, smooth_m: float, own_m: float) -> F64:
    """Prior covariance (L, L) of one coordinate of the offsets, m^2: a smooth part and each landmark's own."""
    apart = ((rest[:, None] - rest[None]) ** 2).sum(-1)
    return smooth_m**2 * np.exp(-apart / (2 * LENGTH_M**2)) + own_m**2 * np.eye(len(rest))


def estimate_offsets(
    geometry: Geometry, offsets: F64, state: State, observed: F64, weight: F64, covariance: F64
) -> F64:
    """Offsets that best explain what is left, given pose and weights.

    Args:
        geometry: landmarks with the present `offsets` already in `rest`.
        offsets: (L, 3) float64 m, head space, the present ones.
        state: F frames.  observed: (F, L, 2) normalised.  weight: (F, L) 1/mm^2, robust factor included.
        covariance: (L, L) m^2.
    Returns:
        (L, 3) float64 m, without the part that a head motion or a change of size would explain.
    """
    frames, count = weight.shape
    head = landmark_positions(geometry, state)
    camera = head @ state.rotation.transpose(0, 2, 1) + state.translation[:, None]
    seen = camera[..., :2] / camera[..., 2:3]
    scale = MM * state.translation[:, 2, None]
    residual = (seen - observed) * scale[..., None]
    a = scale / camera[..., 2]
    m = np.zeros((frames, count, 2, 3))
    m[..., 0, 0] = m[..., 1, 1] = a
    m[..., 0, 2], m[..., 1, 2] = -a * seen[..., 0], -a * seen[..., 1]
    m = m @ state.rotation[:, None]
    looks = weight * min(1.0, INDEPENDENT_FRAMES / frames)
    information = np.einsum("fl,flij,flik->ljk", looks, m, m, optimize=True)
    pull = -np.einsum("fl,flij,fli->lj", looks, m, residual, optimize=True)
    pull += np.einsum("ljk,lk->lj", information, offsets)
    # (K^-1 + H) o = pull  <=>  (I + K H) o = K pull, with K acting on each axis alike
    system = np.einsum("lm,mjk->ljmk", covariance, information).reshape(3 * count, 3 * count)
    system[np.diag_indices(3 * count)] += 1.0
    solved = np.linalg.solve(system, (covariance @ pull).reshape(-1)).reshape(count, 3)
    return without_rigid_part(solved, geometry.points - offsets)


def without_rigid_part(offsets: F64, rest: F64) -> F64:
    """Offsets minus their best translation, small rotation and scale about the landmarks' mean, (L, 3) m."""
    centred = rest - rest.mean(0)
    count = len(rest)
    basis = np.zeros((count, 3, 7))
    basis[:, [0, 1, 2], [0, 1, 2]] = 1.0
    for axis in range(3):
        basis[:, :, 3 + axis] = np.cross(np.eye(3)[axis], centred)
    basis[:, :, 6] = centred
    flat = basis.reshape(-1, 7)
    return offsets - (flat @ np.linalg.lstsq(flat, offsets.reshape(-1), rcond=None)[0]).reshape(count, 3)
