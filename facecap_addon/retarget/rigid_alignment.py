"""Head motion inside moving landmarks, and what is left of them without it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..landmarks.layout import mediapipe_of

# Mesh landmarks over bone: eye corners, the bridge of the nose, temples.
_ON_BONE = (33, 133, 362, 263, 168, 6, 193, 417, 127, 356, 234, 454)


def select_on_bone(scheme: str) -> NDArray[np.intp]:
    """Landmarks of a scheme that hardly move with the face. Raises FacecapError for an unknown scheme."""
    return np.flatnonzero(np.isin(mediapipe_of(scheme), _ON_BONE))


def fit_rigid_motion(rest: F64, moved: F64) -> tuple[F64, F64]:
    """The rigid motions that bring points at rest nearest to where they moved (Kabsch 1976), frame by frame.

    Args:
        rest: (N, 3) float64.  moved: (F, N, 3) float64.
    Returns:
        (F, 3, 3) rotations R and (F, 3) shifts t: moved ≈ R · rest + t.
    """
    centre, centres = rest.mean(axis=0), moved.mean(axis=1)
    covariance = np.einsum("fni,nj->fij", moved - centres[:, None], rest - centre)
    u, _, vt = np.linalg.svd(covariance)
    sign = np.ones((len(moved), 3))
    sign[:, 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = np.einsum("fik,fk,fkj->fij", u, sign, vt)
    return rotation, centres - rotation @ centre


def remove_head_motion(rest: F64, displacements: F64, stable: NDArray[np.integer]) -> tuple[F64, F64, F64]:
    """Take the head's own motion out of landmark displacements.

    Args:
        rest: (L, 3) float64 m.  displacements: (F, L, 3) float64 m.  stable: landmarks over bone, three or more.
    Returns:
        (F, L, 3) displacements of the face alone, as if the head stood still; (F, 3, 3) and (F, 3) the head's motion:
        where a point x of the moved face goes is R · x + t.
    """
    moved = rest + displacements
    rotation, shift = fit_rigid_motion(rest[stable], moved[:, stable])
    still = np.einsum("fji,flj->fli", rotation, moved - shift[:, None])
    return still - rest, rotation, shift
