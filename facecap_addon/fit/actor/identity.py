"""Who performs: what a fit finds out about her, and what is known of her from before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...errors import FacecapError
from ...takes.actor import Actor
from ...takes.region_scale import RegionScale
from ..actor_offsets import without_rigid_part
from ..calibrate import Calibration, calibrate, keep_lips_together
from ..energies.expression_prior import ExpressionPrior
from ..energies.landmark_terms import SPANS, LandmarkTerms
from ..least_squares.levenberg_marquardt import Terms
from ..least_squares.normal_equations import Geometry
from .proportions import compare_sizes, fit_proportions, proportions_of


def check_scheme(actor: Actor, scheme: str) -> None:
    """Raise FacecapError if an actor is known by other landmarks than a scheme's."""
    if actor.scheme != scheme:
        raise FacecapError(
            f"The actor was found with {actor.scheme} landmarks, the footage has {scheme}.",
            "Use the landmark network she was found with, or find her anew.",
        )


def face_of(actor: Actor, prior: ExpressionPrior) -> F64 | None:
    """(3 P,) the actor's neutral face as an expression prior sees it; None if the actor does not say."""
    same = np.array_equal(actor.face_landmarks, prior.subset)
    return actor.face.reshape(-1) if same else None


def put_on(actor: Actor, geometry: Geometry, terms: LandmarkTerms) -> Geometry:
    """The character's geometry with the actor's neutral face: where her landmarks lie, whoever they were found on."""
    rest = geometry.points
    known, place = np.isin(terms.used, actor.landmarks), np.searchsorted(actor.landmarks, terms.used)
    offsets = np.zeros_like(rest)
    if not known.any():
        return geometry
    offsets[known] = without_rigid_part(actor.neutral_m[place[known]] - rest[known], rest[known])
    keep_lips_together(offsets, terms)
    return geometry.at_rest(rest + offsets)


def put_on_spans(actor: Actor, geometry: Geometry, terms: LandmarkTerms) -> Geometry:
    """The geometry with those spans at rest that are known of the actor; the others stay."""
    length_of = {tuple(ends): span for ends, span in zip(actor.span_ends.tolist(), actor.spans_m, strict=True)}
    rest = geometry.rest.copy()
    spans = _spans_of(terms)
    for span, ends in zip(spans, _ends_of(terms, spans).tolist(), strict=True):
        known = length_of.get(tuple(ends))
        if known is not None:
            rest[:, geometry.landmark_count + span] = known
    return replace(geometry, rest=rest)


def calibrate_with(
    actor: Actor | None,
    geometry: Geometry,
    landmark_terms: LandmarkTerms,
    terms: Terms,
    focal_px: float | None,
    guess_px: float,
    *,
    adapt: bool,
    on_iteration: Callable[[], None] | None = None,
) -> Calibration:
    """What `calibrate` finds; of an actor who is known only what the camera does is sought.

    Args:
        actor: who performs, where she is known.  The others: see `calibrate`.
    """
    if actor is None or not adapt:
        return calibrate(geometry, landmark_terms, terms, focal_px, guess_px, adapt=adapt, on_iteration=on_iteration)
    hers = put_on(actor, geometry, landmark_terms)
    found = calibrate(hers, landmark_terms, terms, focal_px, guess_px, adapt=False, on_iteration=on_iteration)
    return replace(found, geometry=put_on_spans(actor, found.geometry, landmark_terms))


def describe_actor(
    scheme: str,
    terms: LandmarkTerms,
    geometry: Geometry,
    found: Calibration,
    observed_px: F64,
    scales: Mapping[str, RegionScale],
    *,
    character: str,
    face: tuple[NDArray[np.intp], F64] | None = None,
    known: Actor | None = None,
) -> Actor:
    """What a calibration says of the actor.

    Args:
        geometry: the character's, without offsets.  found: on it, with the pose and weights of its frames.
        observed_px: (F, M, 2) float64 px from the principal point, of those frames.
        scales: those that were used.  character: its name.
        face: landmarks (P,) and her neutral face (3 P,) as the expression prior sees it, where one took part.
        known: the actor as she is known from before: only scales and what lies on this character are new.
    """
    neutral, spans = found.geometry.points, _spans_of(terms)
    if known is not None:
        proportions = known.proportions
    elif face is not None:
        proportions = proportions_of(scheme, face[0], face[1].reshape(-1, 3))
    else:
        proportions = fit_proportions(scheme, terms, found, observed_px)
    sizes = compare_sizes(proportions, proportions_of(scheme, terms.used, geometry.points))
    return Actor(
        scheme=scheme,
        landmarks=terms.used,
        neutral_m=neutral,
        offsets_m=neutral - geometry.points,
        span_ends=_ends_of(terms, spans),
        spans_m=found.geometry.rest[:, found.geometry.landmark_count + spans].T.astype(np.float64),
        proportions=proportions,
        scales={region: replace(scale, found=sizes[region]) for region, scale in scales.items()},
        gains=known.gains if known is not None else {},
        face_landmarks=face[0] if face is not None else np.zeros(0, np.intp),
        face=face[1].reshape(-1, 3) if face is not None else np.zeros((0, 3)),
        character=character,
    )


def _spans_of(terms: LandmarkTerms) -> NDArray[np.intp]:
    return np.flatnonzero(terms.gap_group == SPANS)


def _ends_of(terms: LandmarkTerms, spans: NDArray[np.intp]) -> NDArray[np.intp]:
    return terms.used[np.stack([terms.gap_upper[spans], terms.gap_lower[spans]], axis=1)]
