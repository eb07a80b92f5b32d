"""Which landmarks the fit uses and how far it trusts them, and the lip and lid gaps it measures, per scheme."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...landmarks.layout import Layout, layout_of

# Neighbouring landmarks of a dense scheme err together: 478 of them carry about as much as 40 independent ones.
_DENSE_CORRELATION = 12.0
# Of the skin between the named groups every eighth landmark is used, and counts for eight.
_SKIN_STEP = 8
# Footage is not a render: the network's errors are larger by this factor, and never smaller than the floor.
_UNLIKE, _FLOOR_MM, _GAP = 1.5, 4.0, 1.0
LIPS, LID_GROUPS, OTHER_GAPS, SPANS = 0, (1, 2), 3, 4
"""Groups of gaps: between the lips; between the lids of the right and of the left eye; lids that cannot be shut; and
spans, from what is rigid in a face to lips, chin, brows, lids and irises."""
# Relative landmarks (as the eye-closure and lip-corner losses of DECA and EMOCA): what the network's common errors
# hardly touch, and what people look at. Both ends, and how far a span may be off, mm.
Spans = tuple[tuple[float, tuple[tuple[int, int], ...]], ...]
_BROW_SPANS_478: Spans = (
    (1.0, ((168, 107), (168, 336), (133, 107), (362, 336))),  # inner ends
    (1.0, ((33, 70), (263, 300), (33, 105), (263, 334))),  # outer ends
)
# Edges of the lids from the corners of their eye: a squint lifts the lower one, a blink brings the upper one down, and
# the gap between them is as wide in both.
_LID_SPANS_478: Spans = (
    (1.0, ((33, 145), (133, 145), (263, 374), (362, 374))),  # lower lids
    (1.0, ((33, 159), (133, 159), (263, 386), (362, 386))),  # upper lids
)
_MOUTH_SPANS_478: Spans = (
    (1.0, ((98, 0), (327, 0), (98, 13), (327, 13), (2, 0), (2, 13))),  # upper lip under the nose
    (1.5, ((98, 17), (327, 17), (98, 14), (327, 14), (2, 14))),  # lower lip
    (1.0, ((98, 61), (327, 291), (98, 291), (327, 61), (61, 291))),  # corners of the mouth
    (2.0, ((98, 152), (327, 152), (2, 152))),  # chin
)
_BROW_SPANS_68: Spans = ((1.0, ((27, 21), (27, 22), (39, 21), (42, 22), (36, 17), (45, 26), (36, 19), (45, 24))),)
_LID_SPANS_68: Spans = ((1.0, ((36, 41), (39, 40), (45, 46), (42, 47), (36, 37), (39, 38), (45, 44), (42, 43))),)
_MOUTH_SPANS_68: Spans = (
    (1.0, ((33, 51), (31, 51), (35, 51))),
    (1.5, ((33, 57), (31, 57), (35, 57))),
    (1.0, ((31, 48), (35, 54), (31, 54), (35, 48), (48, 54))),
    (2.0, ((31, 8), (35, 8), (33, 8))),
)
# Irises between the corners of their eyes: where an eye looks, each for itself.
_GAZE_478 = ((468, 33), (468, 133), (473, 263), (473, 362))
# What shows most of the gaze takes from the truth of the lids that go with it.
_GAZE_MM, _LOOK_GAZE_MM = 1.0, 0.6
_RIGID_478 = (
    *(6, 168, 197, 195, 5, 4, 1, 33, 133, 263, 362, 9, 8, 10, 67, 109, 338, 297, 103, 332, 54, 284, 21, 251, 162, 389),
    *(127, 356, 234, 454, 98, 327, 2, 48, 278, 122, 351, 193, 417),
)
_RIGID_68 = (27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)


@dataclass(frozen=True)
class LandmarkTerms:
    """What the fit takes from a landmark scheme. All indices but `used` count within the used landmarks.

    Attributes:
        used: (M,) int, landmarks of the scheme that take part.
        weight: (M,) float64, 1/mm^2.
        gap_upper, gap_lower: (G,) int: upper and lower lid, upper and lower inner lip, both ends of a span.
        gap_weight: (G,) float64, 1/mm^2.
        gap_group: (G,) int, LIPS, one of LID_GROUPS, OTHER_GAPS or SPANS.
        rigid: (M,) bool, landmarks that expression moves least: the pose starts from these.
        irises: landmarks of the right and the left iris, or empty.
        eye_corners: outer and inner corner of the right and the left eye.
        regions: landmarks of every region in takes.take.REGIONS.
    """

    used: NDArray[np.intp]
    weight: NDArray[np.float64]
    gap_upper: NDArray[np.intp]
    gap_lower: NDArray[np.intp]
    gap_weight: NDArray[np.float64]
    gap_group: NDArray[np.intp]
    rigid: NDArray[np.bool_]
    irises: tuple[list[int], list[int]]
    eye_corners: tuple[list[int], list[int]]
    regions: dict[str, list[int]]

    @property
    def iris_spans(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Spans to the right and to the left iris, counted among the gaps; empty without irises."""
        right, left = (np.flatnonzero(np.isin(self.gap_upper, iris)) for iris in self.irises)
        return right, left

    @property
    def lid_spans(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Spans to the lids of the right and of the left eye, counted among the gaps."""
        to_lids = (self.gap_group == SPANS) & np.isin(self.gap_lower, self.regions["eyes"])
        right, left = (np.flatnonzero(to_lids & np.isin(self.gap_upper, corners)) for corners in self.eye_corners)
        return right, left


def terms_for(scheme: str, *, look: bool = False) -> LandmarkTerms:
    """Weights and gaps of a landmark scheme.

    Args:
        look: whether the mouth's spans count for themselves, too, and those of the irises more; those of the brows do.
    Raises:
        FacecapError: the fit does not know the scheme.
    """
    if scheme == "mediapipe-478":
        terms = _terms(layout_of(scheme), _RIGID_478, _DENSE_CORRELATION, _SKIN_STEP)
        always = (*_BROW_SPANS_478, *_LID_SPANS_478, (_LOOK_GAZE_MM if look else _GAZE_MM, _GAZE_478))
        mouth = _MOUTH_SPANS_478
    elif scheme == "ibug-68":
        terms = _terms(layout_of(scheme), _RIGID_68, 2.0, 1)
        always, mouth = (*_BROW_SPANS_68, *_LID_SPANS_68), _MOUTH_SPANS_68
    else:
        raise FacecapError(f"The landmark layout {scheme} is not known to the fit.", "Choose another landmark network.")
    return _with_spans(terms, (*always, *mouth) if look else always)


def _with_spans(terms: LandmarkTerms, spans: Spans) -> LandmarkTerms:
    ends = np.array([pair for _, pairs in spans for pair in pairs], np.intp)
    error_mm = np.array([error for error, pairs in spans for _ in pairs])
    upper, lower = np.searchsorted(terms.used, ends.T)
    return replace(
        terms,
        gap_upper=np.concatenate([terms.gap_upper, upper]),
        gap_lower=np.concatenate([terms.gap_lower, lower]),
        gap_weight=np.concatenate([terms.gap_weight, 1 / error_mm**2]),
        gap_group=np.concatenate([terms.gap_group, np.full(len(ends), SPANS)]),
    )


def set_errors(terms: LandmarkTerms, error_m: NDArray[np.float32]) -> LandmarkTerms:
    """The same landmarks, trusted as far as the measured response allows.

    Args:
        error_m: (L,) float32 m, each landmark's own error on a life-size head.
    """
    error_mm = 1000.0 * error_m[terms.used].astype(np.float64)
    variance = (_UNLIKE * error_mm) ** 2 + _FLOOR_MM**2
    gap = variance[terms.gap_upper] + variance[terms.gap_lower]
    is_span = terms.gap_group == SPANS
    return replace(terms, weight=1 / variance, gap_weight=np.where(is_span, terms.gap_weight, _GAP / gap))


def _terms(layout: Layout, rigid: tuple[int, ...], correlation: float, skin_step: int) -> LandmarkTerms:
    lips = (
        *(*layout.lips_outer_upper, *layout.lips_outer_lower),
        *(*layout.lips_inner_upper, *layout.lips_inner_lower),
    )
    lids = (*layout.upper_lid_right, *layout.lower_lid_right, *layout.upper_lid_left, *layout.lower_lid_left)
    brows = (*layout.brow_right, *layout.brow_left)
    cheeks = (*layout.cheek_right, *layout.cheek_left)
    irises = (*layout.iris_right, *layout.iris_left)
    # Millimetres of error that one landmark is expected to make, network and mesh together. The outline slides along
    # the silhouette when the head turns: it is no fixed point of the skin.
    sigma = np.full(layout.count, 2.0)
    for members, error in ((lips, 1.3), (lids, 1.0), (brows, 1.5), (irises, 1.0), (layout.outline, 4.0)):
        sigma[list(members)] = error
    weight = 1 / (sigma**2 * correlation)
    named = {*lips, *lids, *brows, *cheeks, *irises, *layout.nose, *layout.jaw, *rigid}
    skin = [i for i in range(layout.count) if i not in named and i <= layout.mirror[i]][::skin_step]
    skin = sorted({*skin, *(int(layout.mirror[i]) for i in skin)})
    weight[skin] *= skin_step
    used = np.array(sorted({*named, *skin}), np.intp)
    place = {int(landmark): position for position, landmark in enumerate(used)}

    def at(members: tuple[int, ...]) -> list[int]:
        return [place[m] for m in members]

    gaps = [
        (at(upper)[1:-1], at(lower)[1:-1], error)
        for upper, lower, error in (
            (layout.lips_inner_upper, layout.lips_inner_lower, 0.9),
            (layout.upper_lid_right, layout.lower_lid_right, 0.7),
            (layout.upper_lid_left, layout.lower_lid_left, 0.7),
        )
    ]
    corners = tuple(at((u[0], u[-1])) for u in (layout.upper_lid_right, layout.upper_lid_left))
    return LandmarkTerms(
        used=used,
        weight=weight[used],
        gap_upper=np.concatenate([g[0] for g in gaps]).astype(np.intp),
        gap_lower=np.concatenate([g[1] for g in gaps]).astype(np.intp),
        gap_weight=np.concatenate([np.full(len(g[0]), 1 / (g[2] ** 2 * correlation / 3)) for g in gaps]),
        gap_group=np.repeat(np.arange(len(gaps)), [len(g[0]) for g in gaps]),
        rigid=np.isin(used, rigid),
        irises=(at(layout.iris_right), at(layout.iris_left)),
        eye_corners=(corners[0], corners[1]),
        regions={
            "brows": at(brows),
            "eyes": at(lids),
            "nose": at(layout.nose),
            "cheeks": at(cheeks) or at(layout.jaw[1:3] + layout.jaw[-3:-1]),
            "mouth": at(lips),
            "jaw": at(layout.jaw),
        },
    )
