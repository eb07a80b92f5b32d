"""What the landmark network always sees differently on footage and render, whatever the face does.

The actor's features lie elsewhere than the character's, and the network errs in its own way on each of them. All of
that is there in every frame; an expression is what changes. The bias turns with the head, so it is kept in head space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64, Bools
from ..views import View

_ROUNDS = 6
# A difference that is this far from the usual one is an expression that was not found yet.
_ROBUST_MM = 1.5
# One camera hardly sees depth: it is held at none by so many frames that saw it from the side.
_HELD_FRAMES, _HELD_DEPTH_FRAMES = 0.01, 0.5


@dataclass(frozen=True)
class Disagreement:
    """What the network sees of renders of N frames minus what it sees of the footage.

    Attributes:
        away_mm: (N, C, L, 2) float64, mm at the face along the axes of each camera's crop.
        rotation: (N, 3, 3), the first camera's space from head space.
        image_from_crop: (C, N, 2, 3), as `Plates.image_from_fine`.
        seen: (N, C), whether a camera shows the face; where it does not, `away_mm` says nothing.
    """

    away_mm: F64
    rotation: F64
    image_from_crop: F64
    seen: Bools

    def part(self, frames: Bools) -> Disagreement:
        """That of some of the frames, (N,) bool."""
        return Disagreement(
            self.away_mm[frames], self.rotation[frames], self.image_from_crop[:, frames], self.seen[frames]
        )


def project_bias(bias_mm: F64, rotation: F64, view: View, image_from_crop: F64) -> F64:
    """(N, L, 2) mm along the crops' axes of a bias (L, 3) in head space.

    Args:
        rotation: (N, 3, 3), the first camera's space from head space.  image_from_crop: (N, 2, 3).
    """
    return np.einsum("nij,lj->nli", _crop_from_head(rotation, view, image_from_crop), bias_mm)


def estimate_bias(disagreement: Disagreement, view: View, camera: int, seen: NDArray[np.bool_]) -> F64:
    """(L, 3) mm, head space: robust least squares over the frames (N,) in which a camera sees the face."""
    away = disagreement.away_mm[seen, camera]
    axes = _crop_from_head(disagreement.rotation[seen], view, disagreement.image_from_crop[camera][seen])
    held = np.diag([_HELD_FRAMES, _HELD_DEPTH_FRAMES, _HELD_FRAMES])
    bias = np.zeros((away.shape[1], 3))
    for _ in range(_ROUNDS):
        off = away - np.einsum("nij,lj->nli", axes, bias)
        weight = 1 / (1 + (off**2).sum(-1) / _ROBUST_MM**2)
        information = np.einsum("nl,nij,nik->ljk", weight, axes, axes) + held
        pull = np.einsum("nl,nij,nli->lj", weight, axes, away)
        bias = np.linalg.solve(information, pull[..., None])[..., 0]
    return bias


def measure_unlikeness(bias_mm: F64, spans: NDArray[np.intp]) -> float:
    """By how much a face's proportions differ: the median over spans (S, 2) of the bias between their ends, mm.

    Single landmarks are far off for other reasons, too: hair, shading, the outline. Brows are hair, which a head
    that is a scan often lacks.

    Args:
        bias_mm: (L, 3), head space.
    """
    between = bias_mm[spans[:, 0]] - bias_mm[spans[:, 1]]
    return float(np.median(np.linalg.norm(between[:, (0, 2)], axis=1)))


def _crop_from_head(rotation: F64, view: View, image_from_crop: F64) -> F64:
    """(N, 2, 3): directions of head space along the crops' axes, seen from far away."""
    turn = image_from_crop[:, :, :2] / np.linalg.norm(image_from_crop[:, :, 0], axis=1)[:, None, None]
    return turn.transpose(0, 2, 1) @ (view.from_first[:3, :3] @ rotation)[:, :2]
