"""What stands before the face: landmarks that are not seen are bridged from the frames on either side, not believed.

The landmark network guesses what is behind a hand, and the guess is wrong as a whole: a hand before half the mouth
moves lips, chin and cheeks. So all below the eyes counts as covered with the lips, and the half around an eye with it.
A covered landmark takes the place it would have if it went from the last frame that shows it to the next one with the
head, and counts for little; expected weights, which are read from all landmarks, then come from those places too. The
features of crops that something covers are bridged alike. Footage with nothing before the face stays as it is, to the
bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64
from ..geometry.easing import smoothstep
from ..landmarks.face_crops import image_from_face_plane
from ..landmarks.layout import Layout, layout_of
from ..landmarks.observations import Observations
from ..landmarks.protocol import PRESENCE_THRESHOLD
from ..takes.take import REGIONS, find_runs
from .energies.landmark_terms import LandmarkTerms

COVERED = 0.5
"""A landmark is covered where less than this is seen of it; a part, where it is on average."""
PART_COVERED = 0.3
BELIEVED = 0.05
"""How far a bridged landmark is believed, of one that is seen."""
_CROP_COVERED = 0.2
_CROPS = 3
_BELOW_EYES = -0.1
_LOOKED_AT = 16
_STEADY = 1e-2


@dataclass(frozen=True)
class Bridged:
    """Observations without what was only guessed.

    Attributes:
        observations: with covered landmarks and features bridged.
        covered: (F, L) float32 in 0..1, how far each landmark counted as covered; None where nothing did.
    """

    observations: Observations
    covered: F32 | None


def bridge_covered(observations: Observations) -> Bridged:
    """Replace what is covered in observations; where nobody looked, or nothing is, they come back as they are."""
    if observations.visibility.shape[1] == 0:
        return Bridged(observations, None)
    shown = (observations.presence >= PRESENCE_THRESHOLD) & np.isfinite(observations.landmarks_px[:, 0]).all(1)
    covered = 1 - np.asarray(observations.visibility, np.float32)
    if not (covered[shown] > COVERED).any():
        return Bridged(observations, None)
    places = _places_on_face(observations, np.flatnonzero(shown))
    hidden = find_covered(covered, shown, layout_of(observations.scheme), places)
    landmarks_px = np.array(observations.landmarks_px)
    depth_px = np.array(observations.depth_px)
    _bridge_landmarks(landmarks_px, depth_px, hidden, shown, observations.time_s)
    confidence = np.asarray(observations.confidence) * np.where(hidden, np.float32(BELIEVED), np.float32(1))
    found = replace(
        observations,
        landmarks_px=landmarks_px,
        depth_px=depth_px,
        confidence=confidence,
        appearance=_bridge_features(observations, hidden, shown),
    )
    return Bridged(found, hidden.astype(np.float32))


def covered_regions(bridged: Bridged, terms: LandmarkTerms) -> F32:
    """(F, R) float32 in 0..1: how many of each region's landmarks were covered, in the order of REGIONS."""
    out = np.zeros((bridged.observations.frame_count, len(REGIONS)), np.float32)
    if bridged.covered is not None:
        for r, region in enumerate(REGIONS):
            out[:, r] = bridged.covered[:, terms.used[terms.regions[region]]].mean(1)
    return out


def find_covered(covered: F32, shown: NDArray[np.bool_], layout: Layout, places: F64) -> NDArray[np.bool_]:
    """(F, L) which landmarks count as covered: those that are, all that goes with a covered part, one frame longer.

    Args:
        covered: (F, L) 0..1 as the network says.  shown: (F,) frames with a face.
        places: (L, 2) on the mean face's plane, outer eye distances, x to the picture's right, y down.
    """
    hidden = (covered > COVERED) & shown[:, None]
    above = places[:, 1] < _BELOW_EYES
    right, left = (np.flatnonzero(above & side) for side in (places[:, 0] < 0, places[:, 0] > 0))
    around = (np.flatnonzero(~above), right, left, right, left)
    for part, affected in zip(parts_of(layout), around, strict=True):
        much = covered[:, part].mean(1) > PART_COVERED
        hidden[np.ix_(np.flatnonzero(much & shown), np.array([*part, *affected]))] = True
    # A frame before and after, what comes and goes is smeared over them or at the edge.
    wide = hidden.copy()
    wide[1:] |= hidden[:-1]
    wide[:-1] |= hidden[1:]
    return wide & shown[:, None]


def parts_of(layout: Layout) -> list[list[int]]:
    """Landmarks that the network places together: lips, either eye, either brow."""
    lips = (*layout.lips_outer_upper, *layout.lips_outer_lower, *layout.lips_inner_upper, *layout.lips_inner_lower)
    return [
        sorted(set(lips)),
        sorted({*layout.upper_lid_right, *layout.lower_lid_right, *layout.iris_right}),
        sorted({*layout.upper_lid_left, *layout.lower_lid_left, *layout.iris_left}),
        sorted(layout.brow_right),
        sorted(layout.brow_left),
    ]


def _places_on_face(observations: Observations, shown: NDArray[np.intp]) -> F64:
    """(L, 2) where landmarks usually lie on the mean face's plane, from some of the frames with a face."""
    found = []
    for row in shown[np.unique(np.linspace(0, len(shown) - 1, _LOOKED_AT).astype(np.intp))]:
        points = observations.landmarks_px[row].astype(np.float64)
        matrix = image_from_face_plane(points)
        found.append(np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T)
    return np.median(found, axis=0)


def _bridge_landmarks(
    landmarks_px: F32, depth_px: F32, hidden: NDArray[np.bool_], shown: NDArray[np.bool_], time_s: F64
) -> None:
    """Put covered landmarks (F, L, 2) where the frames on either side say, in place; depths too.

    Each neighbouring frame's landmarks are carried to a frame by the affine map of what both see; both are blended by
    how near they are in time.
    """
    clear = shown[:, None] & ~hidden
    rows = np.arange(len(shown))
    before = np.maximum.accumulate(np.where(clear, rows[:, None], -1), axis=0)
    after = np.minimum.accumulate(np.where(clear, rows[:, None], len(rows))[::-1], axis=0)[::-1]
    original_px, original_depth = landmarks_px.copy(), depth_px.copy()
    for row in np.flatnonzero(hidden.any(1)):
        members = np.flatnonzero(hidden[row])
        found: list[tuple[NDArray[np.intp], F64, F64]] = []
        for sources in (before[row, members], after[row, members]):
            place, depth = np.zeros((len(members), 2)), np.zeros(len(members))
            for source in np.unique(sources[(sources >= 0) & (sources < len(rows))]):
                some = sources == source
                both = clear[row] & clear[source]
                matrix = _affine(original_px[source, both], original_px[row, both])
                place[some] = original_px[source, members[some]] @ matrix[:2] + matrix[2]
                depth[some] = original_depth[source, members[some]]
            found.append((sources, place, depth))
        (first, from_first, first_depth), (last, from_last, last_depth) = found
        has_first, has_last = first >= 0, last < len(rows)
        start, end = time_s[np.maximum(first, 0)], time_s[np.minimum(last, len(rows) - 1)]
        share = smoothstep((time_s[row] - start) / np.maximum(end - start, 1e-9))
        share = np.where(has_first & has_last, share, np.where(has_last, 1.0, 0.0))
        known = has_first | has_last
        place = from_first * (1 - share)[:, None] + from_last * share[:, None]
        landmarks_px[row, members[known]] = place[known]
        depth_px[row, members[known]] = (first_depth * (1 - share) + last_depth * share)[known]


def _affine(source: F32, target: F32) -> F64:
    """(3, 2) the map of points (N, 2) to others; towards a mere shift and scale where they hardly tell."""
    if len(source) == 0:
        return np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    from_px, to_px = source.astype(np.float64), target.astype(np.float64)
    middle, towards = from_px.mean(0), to_px.mean(0)
    given, wanted = from_px - middle, to_px - towards
    size = max(float((given**2).sum()), 1e-9)
    cosine, sine = (given * wanted).sum() / size, (given[:, 0] * wanted[:, 1] - given[:, 1] * wanted[:, 0]).sum() / size
    similar = np.array([[cosine, sine], [-sine, cosine]])
    held = _STEADY * size * np.eye(2)
    linear = np.linalg.solve(given.T @ given + held, given.T @ wanted + held @ similar)
    return np.concatenate([linear, (towards - middle @ linear)[None]])


def _bridge_features(observations: Observations, hidden: NDArray[np.bool_], shown: NDArray[np.bool_]) -> F32:
    """(F, A) features of crops, those of a covered crop between the crop's own before and after."""
    features = np.array(observations.appearance)
    width = features.shape[1] // _CROPS
    if not width or not shown.any():
        return features
    layout = layout_of(observations.scheme)
    lips, _, _, right_brow, left_brow = parts_of(layout)
    of_crop = (lips, [*lips, *layout.nose, *layout.cheek_right, *layout.cheek_left], [*right_brow, *left_brow])
    times = observations.time_s.astype(np.float64)
    for number, members in enumerate(of_crop):
        covered = hidden[:, members].mean(1) > _CROP_COVERED
        clear = np.flatnonzero(shown & ~covered)
        if not covered.any() or not len(clear):
            continue
        columns = slice(number * width, (number + 1) * width)
        for first, last in find_runs(covered & shown):
            at = np.searchsorted(clear, first)
            one, other = clear[max(at - 1, 0)], clear[min(at, len(clear) - 1)]
            span = max(times[other] - times[one], 1e-9)
            share = np.clip((times[first : last + 1] - times[one]) / span, 0, 1)[:, None]
            features[first : last + 1, columns] = (1 - share) * features[one, columns] + share * features[
                other, columns
            ]
    return features
