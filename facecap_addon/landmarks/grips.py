"""Handles by which a person takes hold of landmarks: one alone, lip corners, edges of lips and lids, brows, the jaw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..geometry.easing import smoothstep
from .layout import Layout

KINDS = ("point", "lip corner", "lip edge", "lid edge", "brow", "jaw")
_LEAST_SHARE = 0.3
_JAW_TURN = 1.02


@dataclass(frozen=True, eq=False)
class Grip:
    """Landmarks that are dragged together.

    Attributes:
        landmarks: (N,) int, of the scheme.  share: (N,) float64 in 0..1, how far each goes along.
        apart: landmarks that do not follow, however near they are: the other lip, the other lid.
    """

    landmarks: NDArray[np.intp]
    share: F64
    apart: tuple[int, ...] = ()


def grips_of(layout: Layout, kind: str) -> list[Grip]:
    """All grips of a kind (one of KINDS) on a face."""
    upper_lip = (*layout.lips_outer_upper[1:-1], *layout.lips_inner_upper[1:-1])
    lower_lip = (*layout.lips_outer_lower[1:-1], *layout.lips_inner_lower[1:-1])
    lids = (
        (layout.upper_lid_right, layout.lower_lid_right),
        (layout.upper_lid_left, layout.lower_lid_left),
    )
    irises = (*layout.iris_right, *layout.iris_left)
    if kind == "point":
        apart = dict.fromkeys(upper_lip, lower_lip) | dict.fromkeys(lower_lip, upper_lip)
        for upper, lower in lids:
            apart |= dict.fromkeys(upper[1:-1], lower[1:-1]) | dict.fromkeys(lower[1:-1], upper[1:-1])
        return [_grip((i,), apart=apart.get(i, ())) for i in range(layout.count)]
    if kind == "lip corner":
        return [_grip((layout.lips_outer_upper[end], layout.lips_inner_upper[end])) for end in (0, -1)]
    if kind == "lip edge":
        return [
            _edges((layout.lips_outer_upper, layout.lips_inner_upper), lower_lip),
            _edges((layout.lips_outer_lower, layout.lips_inner_lower), upper_lip),
        ]
    if kind == "lid edge":
        return [
            _edges((edge,), (*other[1:-1], *irises))
            for upper, lower in lids
            for edge, other in ((upper, lower), (lower, upper))
        ]
    if kind == "brow":
        return [_grip(layout.brow_right), _grip(layout.brow_left)]
    if kind == "jaw":
        return [_jaw(layout, apart=upper_lip)]
    raise ValueError(f"there are no grips of the kind {kind!r}")


def find_grip(layout: Layout, kind: str, points: F64, at: F64) -> tuple[Grip, int]:
    """The grip of a kind that is nearest to a place in the picture, and which of its landmarks is.

    Args:
        points: (L, 2) px.  at: (2,) px.
    Returns:
        the grip; the landmark, of the scheme.
    """
    away = np.linalg.norm(points - at, axis=1)
    grips = grips_of(layout, kind)
    grip = min(grips, key=lambda one: float(away[one.landmarks].min()))
    return grip, int(grip.landmarks[np.argmin(away[grip.landmarks])])


def grip_with(layout: Layout, kind: str, landmark: int) -> Grip:
    """The grip of a kind that holds a landmark; raises ValueError if none does."""
    for grip in grips_of(layout, kind):
        if landmark in grip.landmarks:
            return grip
    raise ValueError(f"landmark {landmark} is in no {kind}")


def drag(points: F64, grip: Grip, picked: int, offset: F64, radius: float) -> tuple[NDArray[np.intp], F64]:
    """What moves when one landmark of a grip is dragged, and how far.

    The grip goes along as a whole, its ends less; landmarks around it follow the less the farther away they are.

    Args:
        points: (L, 2) px.  picked: the landmark that goes all the way.  offset: (2,) px.  radius: px; 0: none follow.
    Returns:
        (N,) int landmarks, ascending; (N, 2) float64 px.
    """
    share = np.zeros(len(points))
    own = grip.share[np.flatnonzero(grip.landmarks == picked)[0]]
    gone = np.minimum(grip.share / max(own, _LEAST_SHARE), 1.0)
    if radius > 0:
        away = np.linalg.norm(points[:, None] - points[grip.landmarks], axis=2)
        nearest = away.argmin(1)
        share = gone[nearest] * smoothstep(1 - away.min(1) / radius)
        share[list(grip.apart)] = 0.0
    share[grip.landmarks] = gone
    share[picked] = 1.0
    moved = np.flatnonzero(share > 1e-3)
    return moved, share[moved, None] * offset


def _grip(landmarks: tuple[int, ...], apart: tuple[int, ...] = ()) -> Grip:
    return Grip(np.array(landmarks, np.intp), np.ones(len(landmarks)), apart)


def _jaw(layout: Layout, apart: tuple[int, ...]) -> Grip:
    """The chin, less of the outline beside it, and the lower lip, as an opening jaw takes them along."""
    third = len(layout.jaw) // 3
    chin = layout.jaw[third : len(layout.jaw) - third]
    aside = np.abs(np.linspace(-1, 1, len(chin)))
    lip = _edges((layout.lips_outer_lower, layout.lips_inner_lower), apart)
    landmarks = np.concatenate([np.array(chin, np.intp), lip.landmarks])
    share = np.concatenate([np.cos(_JAW_TURN * aside), np.minimum(1.0, 0.7 + 0.5 * lip.share)])
    return Grip(landmarks, share, apart)


def _edges(edges: tuple[tuple[int, ...], ...], apart: tuple[int, ...]) -> Grip:
    """Edges between corners, which stay."""
    inner = [edge[1:-1] for edge in edges]
    share = [np.sin(np.pi * np.arange(1, len(edge) - 1) / (len(edge) - 1)) for edge in edges]
    return Grip(np.concatenate([np.array(edge, np.intp) for edge in inner]), np.concatenate(share), apart)
