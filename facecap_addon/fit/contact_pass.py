"""Lips and lids that nearly touch in solved faces touch: what Laine et al. (sections 1.2 and 5.2) do after inference.

A network that learned positions leaves slits of half a millimetre, which animators see first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64
from ..geometry.easing import smoothstep
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..takes.edits.contacts import Gaps
from .energies.contact import find_closing_gaps
from .energies.landmark_terms import LIPS

LIPS_MM, LIDS_MM = (0.3, 0.8), (0.6, 1.4)
"""Mean gaps of lips and lids up to the first are closed, from the second on left; between in part: nothing leaps."""
_ERROR_MM, _RIDGE_MM = 0.05, 1.0
"""How closely gaps are closed; what a key costs by itself."""
_LEAST_SLOPE = 0.3
"""Keys that change a group of gaps by less than this share of what the one that changes it most does have no part."""
_ROUNDS = 4


def find_gaps(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> Gaps:
    """How far a character's lips and lids gape beyond closed ones, mm of a life-size head."""
    neutral, deltas = (part / np.float32(embedding.rig_scale) for part in landmark_geometry(rig, embedding))
    gaps = find_closing_gaps(embedding.scheme, neutral, deltas, rig.usual_ranges[:, 1])
    seen = embedding.valid[gaps.upper] & embedding.valid[gaps.lower]
    upper, lower = gaps.upper[seen], gaps.lower[seen]
    rest_mm = 1000.0 * (neutral[upper] - neutral[lower])[:, 2].astype(np.float64)
    slope_mm = 1000.0 * (deltas[:, upper] - deltas[:, lower])[..., 2].T.astype(np.float64)
    keys = rig.deltas.reshape(len(rig.channels), -1).astype(np.float64) * (1000.0 / embedding.rig_scale)
    moving = max(int((np.abs(rig.deltas).max((0, 2)) > 0).sum()), 1)
    cost_mm2 = keys @ keys.T / moving + _RIDGE_MM**2 * np.eye(len(keys))
    return Gaps(rig.channels, rest_mm - gaps.most_mm[seen], slope_mm, gaps.group[seen], cost_mm2)


class ContactPass:
    """Closes what nearly touches by the character's own keys, the face moving as little as it can.

    Attributes:
        groups: (G,) int, whose each gap is, see `ClosingGaps`.

    Args:
        rig: the character.  embedding: its landmarks.
    """

    def __init__(self, rig: BlendshapeRig, embedding: LandmarkEmbedding) -> None:
        gaps = find_gaps(rig, embedding)
        self.groups, self._rest_mm, self._slope = gaps.group, gaps.rest_mm, gaps.slope_mm
        # A look takes lids along, and is none of their business.
        self._looks = np.array([(arkit_name(c) or "").startswith("eyeLook") for c in rig.channels])
        self._helps = {int(group): self._find_helpful_keys(self.groups == group) for group in np.unique(self.groups)}
        self._low, self._high = rig.ranges.astype(np.float64).T
        self._metric = gaps.cost_mm2

    def _find_helpful_keys(self, members: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(K,) bool, keys that open and close some gaps (G,) bool: others would have to move far for a little."""
        change = np.where(self._looks, 0.0, np.abs(self._slope[members]).mean(0))
        return change >= max(_LEAST_SLOPE * float(change.max(initial=0.0)), 1e-6)

    def measure_open_mm(self, weights: NDArray[np.floating]) -> F64:
        """(F, G) how far lips, then lids, are open beyond closed ones, mm of a life-size head; weights (F, K)."""
        return self._rest_mm + np.asarray(weights, np.float64) @ self._slope.T

    def close(self, weights: NDArray[np.floating]) -> F32:
        """(F, K) float32 weights with what nearly touches closed; other frames are as they were."""
        out = np.array(weights, np.float64)
        open_mm = self.measure_open_mm(out)
        missing = np.maximum(open_mm, 0) * self._find_share(open_mm)
        for frame in np.flatnonzero(missing.max(1, initial=0.0) > _ERROR_MM):
            out[frame] += self._find_step(out[frame], missing[frame])
        return out.astype(np.float32)

    def _find_share(self, open_mm: F64) -> F64:
        """(F, G) how much of each gap is closed: the lips' together, an eye's lids together."""
        share = np.zeros_like(open_mm)
        for group in np.unique(self.groups):
            members = self.groups == group
            closed, left = LIPS_MM if group == LIPS else LIDS_MM
            mean = np.maximum(open_mm[:, members], 0).mean(1, keepdims=True)
            share[:, members] = smoothstep((left - mean) / (left - closed))
        return share

    def _find_step(self, weights: F64, missing_mm: F64) -> F64:
        """(K,) change of weights within their ranges that closes gaps by so much and moves face and keys the least."""
        closing = missing_mm > 0
        free = np.any([self._helps[int(group)] for group in np.unique(self.groups[closing])], axis=0)
        slope = self._slope[closing] / _ERROR_MM
        products, pull = slope.T @ slope + self._metric, slope.T @ (-missing_mm[closing] / _ERROR_MM)
        step = np.zeros(len(weights))
        for _ in range(_ROUNDS):
            held = products[np.ix_(free, ~free)] @ step[~free]
            step[free] = np.linalg.solve(products[np.ix_(free, free)], pull[free] - held)
            inside = np.clip(weights + step, np.minimum(self._low, weights), np.maximum(self._high, weights)) - weights
            beyond = free & (np.abs(inside - step) > 1e-9)
            step = inside
            if not beyond.any():
                break
            free &= ~beyond
        return step
