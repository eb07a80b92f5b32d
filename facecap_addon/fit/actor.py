"""Who performed, as a fit found her: her neutral face, her proportions, and her size against the character's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..errors import FacecapError
from ..takes.actor import SCALE_LIMITS, SCALED_REGIONS, Actor, RegionScale
from .calibrate import Calibration
from .energies.expression_prior import Expectation, ExpressionPrior
from .energies.landmark_terms import SPANS, LandmarkTerms
from .normal_equations import Geometry
from .rest_spans import fit_rest_spans

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


def describe_actor(
    scheme: str,
    terms: LandmarkTerms,
    geometry: Geometry,
    found: Calibration,
    observed_px: F64,
    *,
    character: str,
    face: tuple[ExpressionPrior, Expectation] | None = None,
) -> Actor:
    """What a calibration says of the actor.

    Args:
        geometry: the character's, without offsets.  found: on it, with the pose and weights of its frames.
        observed_px: (F, M, 2) float64 px from the principal point, of those frames.
        character: its name.
        face: the expression prior and what it said, where one took part.
    """
    neutral, rest = found.geometry.points, geometry.points
    spans = np.flatnonzero(terms.gap_group == SPANS)
    ends = terms.used[np.stack([terms.gap_upper[spans], terms.gap_lower[spans]], axis=1)]
    pairs = _pairs_of(scheme)
    its = _proportions(pairs, terms.used, rest)
    if face is not None:
        hers = _proportions(pairs, face[0].subset, face[1].neutral.reshape(-1, 3))
    else:
        hers = _fit_proportions(pairs, terms, found, observed_px)
    scales = {
        region: RegionScale(float(np.clip(hers[name] / max(its[name], 1e-6), *SCALE_LIMITS)), 1.0)
        for region, name in _REGION_OF.items()
    }
    return Actor(
        scheme=scheme,
        landmarks=terms.used,
        neutral_m=neutral,
        offsets_m=neutral - rest,
        span_ends=ends,
        spans_m=found.geometry.rest[:, found.geometry.landmark_count + spans].T.astype(np.float64),
        proportions=hers,
        scales={region: scales[region] for region in SCALED_REGIONS},
        face_landmarks=face[0].subset if face is not None else np.zeros(0, np.intp),
        face=face[1].neutral.reshape(-1, 3) if face is not None else np.zeros((0, 3)),
        character=character,
    )


def _proportions(pairs: dict[str, Pairs], landmarks: NDArray[np.intp], points: F64) -> dict[str, float]:
    """Proportions of a face of which some landmarks (P,), ascending, lie at points (P, 3)."""

    def length(ends: Pairs) -> float:
        at = points[np.searchsorted(landmarks, np.array(ends))]
        return float(np.linalg.norm(at[:, 0] - at[:, 1], axis=1).mean())

    return {name: length(ends) / length(pairs[EYES]) for name, ends in pairs.items() if name != EYES}


def _fit_proportions(
    pairs: dict[str, Pairs], terms: LandmarkTerms, found: Calibration, observed_px: F64
) -> dict[str, float]:
    """The actor's proportions where nothing says which expression she wears: as she is in most of the frames."""
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
