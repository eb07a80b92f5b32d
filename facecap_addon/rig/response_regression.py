"""Regression of a landmark network's response to a character: on its keys, and on the side from which it is seen.

One ridge regression per landmark, held near the mesh's own geometry, and one for the bias of the view, on what keys
leave. What neither explains is split into the ways in which all landmarks err together, and each one's own error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import F32, F64

ERROR_MODES = 12
_MM = 1000.0
_NOISE_MM = 1.2
# How far what is seen may differ from the mesh: a part of the landmark's own motion, and a little that it lacks.
_GAIN_SPREAD, _OWN_SPREAD_MM, _REST_SPREAD_MM = 0.35, 0.35, 3.0
# How far the bias of a view may reach, where each feature of the view is as large as it usually is.
_BIAS_SPREAD_MM = 1.2


@dataclass(frozen=True)
class Pictures:
    """What was seen in N pictures of L landmarks and A keys.

    Attributes:
        weights: (N, A).  views: (N, T) features of the view.
        rows: (N, L, 2, 3), motion in the picture per motion in head space.  residuals: (N, L, 2) m, seen from mesh.
    """

    weights: F32
    views: F64
    rows: F64
    residuals: F64


@dataclass(frozen=True)
class Correction:
    """How what is seen differs from the mesh; all float32, metres.

    Attributes:
        rest: (L, 3).  deltas: (A, L, 3).  error_modes: (B, L, 3).  error_m: (L,).  view_bias: (T, L, 2), see
            `NetworkResponse`.
    """

    rest: F32
    deltas: F32
    error_modes: F32
    error_m: F32
    view_bias: F32


def regress_response(rest: F32, deltas: F32, pictures: Pictures, rig_scale: float) -> Correction:
    """Corrections of rest and keys, the bias of a view, and what is left.

    Args:
        rest: (L, 3) m, head space, and deltas: (A, L, 3) m, of the mesh.
        rig_scale: size of the character's head in life sizes.
    """
    unit = rig_scale / _MM
    # the head as a whole is where the footage's pose puts it: a common shift of all landmarks is no news
    residuals = pictures.residuals - np.median(pictures.residuals, axis=1, keepdims=True)
    basis = np.ones((len(residuals), 1 + pictures.weights.shape[1]))
    basis[:, 1:] = pictures.weights
    change = _regress_on_keys(basis, deltas, pictures.rows, residuals, unit)
    left = residuals - np.einsum("nlij,nlj->nli", pictures.rows, np.tensordot(basis, change, axes=1))
    bias = _without_rigid_part(_regress_on_views(pictures.views, left, unit), rest)
    left -= np.tensordot(pictures.views, bias, axes=1)
    error_modes, error_m = _find_error_modes(pictures.rows, left)
    small = change.astype(np.float32)
    return Correction(small[0], small[1:], error_modes, error_m, bias.astype(np.float32))


def _regress_on_keys(basis: F64, deltas: F32, rows: F64, residuals: F64, unit: float) -> F64:
    """(1 + A, L, 3) m: what is added to the landmarks at rest, and to their motion per key.

    Args:
        basis: (N, 1 + A), one and the weights.  residuals: (N, L, 2) m.  unit: a millimetre of a life-size head, m.
    """
    pictures, landmarks = residuals.shape[:2]
    size = basis.shape[1]
    found = np.empty((size, landmarks, 3))
    products = np.einsum("na,nb->nab", basis, basis).reshape(pictures, -1)
    for landmark in range(landmarks):
        m = rows[:, landmark]  # (N, 2, 3)
        moment = np.einsum("nij,nik->njk", m, m).reshape(pictures, 9)
        normal = (products.T @ moment).reshape(size, size, 3, 3).transpose(0, 2, 1, 3).reshape(3 * size, 3 * size)
        right = (basis.T @ np.einsum("nij,ni->nj", m, residuals[:, landmark])).reshape(-1)
        spread = np.empty((size, 3))
        spread[0] = _REST_SPREAD_MM * unit
        own = np.abs(deltas[:, landmark])
        spread[1:] = _GAIN_SPREAD * own + (_OWN_SPREAD_MM * unit) * np.array([1.0, 0.3, 1.0])
        ridge = (_NOISE_MM * unit / spread.reshape(-1)) ** 2
        found[:, landmark] = np.linalg.solve(normal + np.diag(ridge), right).reshape(size, 3)
    return found


def _regress_on_views(views: F64, residuals: F64, unit: float) -> F64:
    """(T, L, 2) m per unit of each feature: the bias of views (N, T) in residuals (N, L, 2) m."""
    usual = np.sqrt((views**2).mean(axis=0))
    spread = _BIAS_SPREAD_MM * unit / np.maximum(usual, 1e-9)
    ridge = (_NOISE_MM * unit / spread) ** 2
    found = np.linalg.solve(views.T @ views + np.diag(ridge), views.T @ residuals.reshape(len(residuals), -1))
    return found.reshape(-1, *residuals.shape[1:])


def _without_rigid_part(bias: F64, rest: F32) -> F64:
    """The bias (T, L, 2) m without what a head that turns, moves or grows would explain: that is left to the pose.

    How far the network sees a head turn differs from render to footage; how a turned face differs, much less.
    """
    x, depth, up = (rest - rest.mean(axis=0)).astype(np.float64).T
    none, one = np.zeros_like(x), np.ones_like(x)
    along_x = np.stack([one, none, x, up, depth, none], axis=1)
    along_y = np.stack([none, one, -up, x, none, depth], axis=1)
    fields = np.stack([along_x, along_y], axis=1).reshape(2 * len(rest), -1)
    flat = bias.reshape(len(bias), -1)
    return (flat - flat @ np.linalg.pinv(fields).T @ fields.T).reshape(bias.shape)


def _find_error_modes(rows: F64, left: F64) -> tuple[F32, F32]:
    """Principal components of the errors (B, L, 3), m, head space, and what they leave (L,), m.

    Args:
        rows: (N, L, 2, 3).  left: (N, L, 2) m.
    """
    # the smallest displacement in head space that shows as this error
    gram = rows @ rows.transpose(0, 1, 3, 2)
    inside = (rows.transpose(0, 1, 3, 2) @ np.linalg.solve(gram, left[..., None]))[..., 0]
    flat = inside.reshape(len(inside), -1)
    _, scale, axes = np.linalg.svd(flat, full_matrices=False)
    count = min(ERROR_MODES, len(scale))
    error_modes = (scale[:count, None] * axes[:count] / np.sqrt(len(flat))).reshape(count, -1, 3)
    rest = flat - (flat @ axes[:count].T) @ axes[:count]
    own = np.sqrt((rest.reshape(inside.shape) ** 2).sum(-1).mean(0) / 2)
    return error_modes.astype(np.float32), own.astype(np.float32)
