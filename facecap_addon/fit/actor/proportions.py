"""Proportions of a face, in distances of the outer corners of its eyes: the actor's and the character's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...errors import FacecapError
from ...takes.region_scale import SCALE_LIMITS
from ..calibrate import Calibration
from ..energies.landmark_terms import LandmarkTerms
from ..rest_spans import fit_rest_spans

Pairs = tuple[tuple[int, int], ...]
EYES = "eyes"
# Between which landmarks each proportion is measured, the mean over its pairs, and what all are measured in.
_PAIRS_478: dict[str, Pairs] = {
    EYES: ((33, 263),),
    "mouth_width": ((61, 291),),
    "lip_height": ((0, 17),),
    "eye_opening": ((159, 145), (386, 374)),
    "brow_distance": ((133, 107), (362, 336), (33, 105), (263, 334)),
    "jaw_length": ((2, 152),),
}
_PAIRS_68: dict[str, Pairs] = {
    EYES: ((36, 45),),
    "mouth_width": ((48, 54),),
    "lip_height": ((51, 57),),
    "eye_opening": ((37, 41), (38, 40), (43, 47), (44, 46)),
    "brow_distance": ((39, 21), (42, 22), (36, 19), (45, 24)),
    "jaw_length": ((33, 8),),
}
_REGION_OF = {"mouth": "mouth_width", "lids": "eye_opening", "brows": "brow_distance", "jaw": "jaw_length"}


def compare_sizes(hers: dict[str, float], its: dict[str, float]) -> dict[str, float]:
    """How large the actor is against the character in each region (SCALED_REGIONS); 1 is equal."""
    return {
        region: float(np.clip(hers[name] / max(its[name], 1e-6), *SCALE_LIMITS)) for region, name in _REGION_OF.items()
    }


def proportions_of(scheme: str, landmarks: NDArray[np.intp], points: F64) -> dict[str, float]:
    """Proportions of a face of which some landmarks of a scheme (P,), ascending, lie at points (P, 3)."""
    pairs = _pairs_of(scheme)

    def length(ends: Pairs) -> float:
        at = points[np.searchsorted(landmarks, np.array(ends))]
        return float(np.linalg.norm(at[:, 0] - at[:, 1], axis=1).mean())

    return {name: length(ends) / length(pairs[EYES]) for name, ends in pairs.items() if name != EYES}


def fit_proportions(scheme: str, terms: LandmarkTerms, found: Calibration, observed_px: F64) -> dict[str, float]:
    """The actor's proportions where nothing says which expression she wears: as she is in most of the frames.

    Args:
        found: with the pose of its frames.  observed_px: (F, M, 2) px from the principal point, of those frames.
    """
    pairs = _pairs_of(scheme)
    every = [pair for ends in pairs.values() for pair in ends]
    upper, lower = np.searchsorted(terms.used, np.array(every, np.intp).T)
    state = replace(found.state, weights=np.zeros_like(found.state.weights))
    measured = found.geometry.with_gaps(upper, lower)
    measured = fit_rest_spans(measured, state, observed_px / found.focal_px, np.ones(len(every), bool))
    lengths = np.linalg.norm(measured.rest[:, measured.landmark_count :], axis=0).astype(np.float64)
    of = np.repeat(list(pairs), [len(ends) for ends in pairs.values()])
    return {name: float(lengths[of == name].mean() / lengths[of == EYES].mean()) for name in pairs if name != EYES}


def _pairs_of(scheme: str) -> dict[str, Pairs]:
    if scheme == "mediapipe-478":
        return _PAIRS_478
    if scheme == "ibug-68":
        return _PAIRS_68
    raise FacecapError(f"The landmark layout {scheme} is not known to the fit.", "Choose another landmark network.")
