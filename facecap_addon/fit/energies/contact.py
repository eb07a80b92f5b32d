"""Lips and lids that are seen to touch must touch, whatever else they do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...geometry.easing import smoothstep
from ...rig.channels import arkit_name
from ...rig.embedding import OUTER_EYE_CORNERS_M
from .landmark_terms import LID_GROUPS, LIPS, OTHER_GAPS, LandmarkTerms, terms_for

# A gap seen closed counts this much more.
CONTACT = 20.0
# Lips are as good as closed up to this width.
_LIPS_MM = 1.2
# Mean gap of an eye's lids that the network reports: shut up to the first, open from the second. It sees the edges of
# shut lids two millimetres apart, on rendered faces as in footage.
_SHUT_MM, _OPEN_MM = 2.0, 2.8
# How far apart the landmarks of touching lips lie at most.
_TOUCHING_MM = 0.5
# A key shuts an eye if it leaves no more than this of the gap, as the network sees it.
_SHUT_SHARE = 0.65


def measure_closedness(terms: LandmarkTerms, landmarks_px: F64) -> F64:
    """How surely each gap is seen closed: (F, G) float64 in 0..1, lips pair by pair, an eye's lids together.

    Args:
        landmarks_px: (F, M, 2) px, the used landmarks.
    """
    outer = [corners[0] for corners in terms.eye_corners]
    across = landmarks_px[:, outer[0]] - landmarks_px[:, outer[1]]
    across_px = np.linalg.norm(across, axis=1)[:, None]
    apart = landmarks_px[:, terms.gap_upper] - landmarks_px[:, terms.gap_lower]
    gap_px = np.linalg.norm(apart, axis=2)
    # The inner edge of one lip may lie deeper than the other's: seen from the side that is no gap.
    down = np.stack([-across[:, 1], across[:, 0]], axis=1) / np.maximum(across_px, 1e-6)
    lips = terms.gap_group == LIPS
    gap_px[:, lips] = np.abs(np.einsum("fgc,fc->fg", apart[:, lips], down))
    gap_mm = gap_px / np.maximum(across_px, 1e-6) * OUTER_EYE_CORNERS_M * 1000
    closed = np.exp(-((gap_mm / _LIPS_MM) ** 2))
    for group in np.intersect1d(LID_GROUPS, terms.gap_group):
        members = terms.gap_group == group
        shut = smoothstep((_OPEN_MM - gap_mm[:, members].mean(1)) / (_OPEN_MM - _SHUT_MM))
        closed[:, members] = shut[:, None]
    return closed


def shut_lids(
    terms: LandmarkTerms, rest: NDArray[np.float32], deltas: NDArray[np.float32], high: NDArray[np.floating]
) -> tuple[LandmarkTerms, F64]:
    """How the gaps between lids change when the key that shuts the eye best is fully on.

    A seen gap cannot tell how far that is: the actor's eyes are wider or narrower than the character's.

    Args:
        rest: (M, 3) float32 m, used landmarks at neutral.  deltas: (K, M, 3) float32 m.  high: (K,) largest weights.
    Returns:
        the terms, in which the gaps of an eye that no key shuts are not a lid's any more; and (3, G) float64 m, zero
        for all other gaps.
    """
    rest_gap = rest[terms.gap_upper] - rest[terms.gap_lower]
    change = (deltas[:, terms.gap_upper] - deltas[:, terms.gap_lower]) * high[:, None, None]
    groups, shut = terms.gap_group.copy(), np.zeros(rest_gap.shape)
    for group in LID_GROUPS:
        members = terms.gap_group == group
        left_open = np.linalg.norm(rest_gap[members] + change[:, members], axis=2).mean(1)
        best = int(np.argmin(left_open))
        if left_open[best] > _SHUT_SHARE * np.linalg.norm(rest_gap[members], axis=1).mean():
            groups[members] = OTHER_GAPS
        else:
            shut[members] = change[best, members]
    return replace(terms, gap_group=groups), shut.T


@dataclass(frozen=True)
class ClosingGaps:
    """Gaps of a character's face that can close: between lips, and between lids that a key shuts.

    Attributes:
        terms: of the scheme, in which lids that no key shuts are none any more.
        chosen: (G,) int, which of its gaps these are.  group: (G,) int, LIPS or one of LID_GROUPS.
        upper, lower: (G,) int, landmarks of the scheme on both sides.
        most_mm: (G,) float64, height in head space up to which a gap counts as closed.
    """

    terms: LandmarkTerms
    chosen: NDArray[np.intp]
    group: NDArray[np.intp]
    upper: NDArray[np.intp]
    lower: NDArray[np.intp]
    most_mm: F64


def find_closing_gaps(
    scheme: str, landmarks: NDArray[np.floating], deltas: NDArray[np.floating], high: NDArray[np.floating]
) -> ClosingGaps:
    """The gaps that can close, and how far apart their landmarks lie then: they lie beside the rims.

    Args:
        landmarks: (L, 3) m, all of the scheme's at neutral, head space, life size.  deltas: (K, L, 3) m, likewise.
        high: (K,) largest weights.
    """
    terms = terms_for(scheme)
    rest, moved = (part.astype(np.float32) for part in (landmarks[terms.used], deltas[:, terms.used]))
    terms, shut = shut_lids(terms, rest, moved, high)
    upper, lower = terms.used[terms.gap_upper], terms.used[terms.gap_lower]
    rest_mm = 1000.0 * (landmarks[upper] - landmarks[lower])[:, 2]
    lips = terms.gap_group == LIPS
    most_mm = np.where(lips, np.minimum(rest_mm, _TOUCHING_MM), rest_mm + 1000.0 * shut[2])
    chosen = np.flatnonzero(lips | (np.abs(shut).sum(0) > 0))
    return ClosingGaps(terms, chosen, terms.gap_group[chosen], upper[chosen], lower[chosen], most_mm[chosen])


def seal_lips(
    terms: LandmarkTerms, channels: tuple[str, ...], seen: NDArray[np.float32], mesh: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The keys with a `mouthClose` that closes the lips over an open jaw for the network as it does on the mesh.

    What the network sees of either key is right on average; that both together make lips touch is known.

    Args:
        terms: indices into M landmarks.  channels: (K,).
        seen, mesh: (K, M, 3) float32 m, displacement per key as the network sees it, and of the mesh.
    Returns:
        (K, M, 3) float32 m; `seen` itself where the character lacks one of the keys.
    """
    names = [arkit_name(channel) for channel in channels]
    if not {"jawOpen", "mouthClose"} <= set(names):
        return seen
    both = [names.index("jawOpen"), names.index("mouthClose")]
    lips = terms.gap_group == LIPS
    upper, lower = terms.gap_upper[lips], terms.gap_lower[lips]
    left_open = [(deltas[both][:, upper] - deltas[both][:, lower]).sum(axis=0) for deltas in (seen, mesh)]
    sealed, apart = seen.copy(), 0.5 * (left_open[0] - left_open[1])
    sealed[both[1], upper] -= apart
    sealed[both[1], lower] += apart
    return sealed


def shut_degree(terms: LandmarkTerms, closed: F64) -> F64:
    """(F, G) float64: `measure_closedness` of lids; other gaps are as they are seen."""
    return closed * np.isin(terms.gap_group, LID_GROUPS)
