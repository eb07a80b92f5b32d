"""How far each landmark is trusted, and which landmarks a stage of the schedule looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...fit.energies.landmark_terms import SPANS, terms_for
from ...landmarks.layout import Layout, layout_of

# Millimetres by which what the network sees of a good render differs from what it sees of the footage.
_ERROR_MM, _FINE_ERROR_MM, _OUTLINE_ERROR_MM = 0.7, 0.5, 1.5
# Neighbouring landmarks err together: so many of a dense scheme count as one.
_CORRELATION = {"mediapipe-478": 14.0, "ibug-68": 2.0}


@dataclass(frozen=True)
class LandmarkWeights:
    """Weights of a scheme's landmarks.

    Attributes:
        all: (L,) float64, 1/mm^2.
        jaw: (L,) bool, landmarks on the jaw line, which slide when the head turns.
        mouth: (L,) bool, lips.
        lids: (L,) bool.
        edges: (E, 2) int, neighbours along lips, lids, brows, nose and jaw, whose difference energy 2 compares.
        spans: (S, 2) int, both ends of what counts for itself in the fit, too: gaps between lips and lids, from the
            nose to the mouth and from the eyes to the brows.  span_weight: (S,) float64, 1/mm^2.
        proportions: (S,) bool, spans of the lower face, which no hair hides: what tells one face from another.
    """

    all: F64
    jaw: NDArray[np.bool_]
    mouth: NDArray[np.bool_]
    lids: NDArray[np.bool_]
    edges: NDArray[np.intp]
    spans: NDArray[np.intp]
    span_weight: F64
    proportions: NDArray[np.bool_]

    def of(self, group: str) -> F64:
        """(L,) weights of a group: all, jaw, not jaw, or mouth (lips and jaw count four times)."""
        if group == "jaw":
            return self.all * self.jaw
        if group == "not jaw":
            return self.all * ~self.jaw
        if group == "mouth":
            return self.all * np.where(self.jaw | self.mouth, 4.0, 1.0)
        return self.all


def weights_of(scheme: str) -> LandmarkWeights:
    """Weights of a landmark scheme. Raises FacecapError for one that is not known."""
    layout = layout_of(scheme)
    mouth, lids = _members(layout, _LIPS), _members(layout, _LIDS)
    jaw = _members(layout, ("jaw",))
    outline = _members(layout, ("outline",))
    error = np.where(mouth | lids, _FINE_ERROR_MM, np.where(outline, _OUTLINE_ERROR_MM, _ERROR_MM))
    edges = [
        (a, b)
        for name in (*_LIPS, *_LIDS, "brow_right", "brow_left", "nose", "jaw")
        for a, b in zip(getattr(layout, name)[:-1], getattr(layout, name)[1:], strict=True)
    ]
    terms = terms_for(scheme, look=True)
    spans = terms.used[np.stack([terms.gap_upper, terms.gap_lower], axis=1)]
    weight = 1 / (error**2 * _CORRELATION[scheme])
    low = (terms.gap_group == SPANS) & (mouth | jaw)[spans].any(1)
    return LandmarkWeights(weight, jaw, mouth, lids, np.array(edges, np.intp), spans, terms.gap_weight, low)


_LIPS = ("lips_outer_upper", "lips_outer_lower", "lips_inner_upper", "lips_inner_lower")
_LIDS = ("upper_lid_right", "lower_lid_right", "upper_lid_left", "lower_lid_left")


def _members(layout: Layout, names: tuple[str, ...]) -> NDArray[np.bool_]:
    out = np.zeros(layout.count, bool)
    for name in names:
        out[list(getattr(layout, name))] = True
    return out
