"""From one face's proportions to another's: displacements scaled region by region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..landmarks.layout import layout_of

_LEAST, _MOST = 0.4, 2.5


def measure_region_scales(source: F64, target: F64, scheme: str) -> F64:
    """(L, 3) float64: factors on displacements x, y, z of each landmark, from one face to another.

    A smile goes as much further as the mouth is wider. Lids have to meet: across the eye their factor is that of the
    opening, along it that of the eye. What belongs to no region takes the face's own factor.

    Args:
        source, target: (L, 3) float64 landmarks of the two neutrals, head space (x left, y back, z up), any unit.
        scheme: of the landmarks.
    """
    layout = layout_of(scheme)
    out = np.full((len(source), 3), _measure_ratio(_spread(source), _spread(target)))
    mouth = _join_groups(
        layout.lips_outer_upper, layout.lips_outer_lower, layout.lips_inner_upper, layout.lips_inner_lower
    )
    groups = (mouth, _join_groups(layout.nose), _join_groups(layout.brow_right), _join_groups(layout.brow_left))
    for group in groups:
        if len(group) > 1:
            out[group] = _measure_ratio(_spread(source[group]), _spread(target[group]))
    lids = ((layout.upper_lid_right, layout.lower_lid_right), (layout.upper_lid_left, layout.lower_lid_left))
    for upper, lower in lids:
        eye = _join_groups(upper, lower)
        out[eye] = _measure_ratio(_spread(source[eye]), _spread(target[eye]))
        # Closed lids have no opening to compare.
        gaps = [_measure_opening(face, upper, lower) for face in (source, target)]
        if min(gaps) > 0.1 * min(_spread(source[eye]), _spread(target[eye])):
            out[eye, 2] = _measure_ratio(*gaps)
    return out


def _join_groups(*groups: tuple[int, ...]) -> NDArray[np.intp]:
    return np.unique(np.concatenate([np.array(group, np.intp) for group in groups]))


def _spread(points: F64) -> float:
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _measure_opening(points: F64, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    middle = slice(len(upper) // 3, len(upper) - len(upper) // 3)
    return float((points[list(upper[middle]), 2] - points[list(lower[middle]), 2]).mean())


def _measure_ratio(source: float, target: float) -> float:
    return min(max(target / max(source, 1e-12), _LEAST), _MOST)
