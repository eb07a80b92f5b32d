"""How long the spans of the actor's own face are at rest.

A span (from the nose to the lips, from an eye to its brow) differs from person to person by more than it moves. What is
always there of its residual is therefore the actor, and only what changes is her expression.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import F64, Bools
from .energies.landmark_terms import LandmarkTerms
from .least_squares.normal_equations import MM, Geometry, State, see_landmarks

_ROUNDS = 2
# A residual this far from a span's middle one is an expression that was not found yet.
_ROBUST_MM = 2.0
# How far a span at rest may differ from the character's, mm, where frames do not say.
_SPREAD_MM = 10.0
# Where irises lie on the way from the inner to the outer corner: 0.514 to 0.562 as the landmark network sees ten
# people, mean over both eyes and median over a clip.
_IRIS_PLACE, _IRIS_SPREAD = 0.537, 0.03


def fit_rest_spans(geometry: Geometry, state: State, observed: F64, spans: Bools) -> Geometry:
    """The geometry whose spans at rest leave no constant residual.

    Args:
        geometry: with the actor's offsets.  state: F frames.
        observed: (F, L, 2) float64, normalised image coordinates.  spans: (G,) bool, which gaps are spans.
    """
    chosen = geometry.landmark_count + np.flatnonzero(spans)
    if not len(chosen):
        return geometry
    rest = geometry.rest.copy()
    for _ in range(_ROUNDS):
        seen = see_landmarks(replace(geometry, rest=rest), state, observed, state.translation[:, 2], None)
        a, qx, qy = (plane[:, chosen, None].astype(np.float64) for plane in (seen.a, seen.qx, seen.qy))
        # d(residual, mm) / d(span, m, head space), along x and along y: (F, S, 3)
        along_x = a * (state.rotation[:, None, 0] - qx * state.rotation[:, None, 2])
        along_y = a * (state.rotation[:, None, 1] - qy * state.rotation[:, None, 2])
        rx, ry = seen.rx[:, chosen].astype(np.float64), seen.ry[:, chosen].astype(np.float64)
        off = (rx - np.median(rx, axis=0)) ** 2 + (ry - np.median(ry, axis=0)) ** 2
        weight = 1 / (1 + off / _ROBUST_MM**2)
        information = np.einsum("fs,fsi,fsj->sij", weight, along_x, along_x)
        information += np.einsum("fs,fsi,fsj->sij", weight, along_y, along_y)
        information += np.eye(3) * (MM / _SPREAD_MM) ** 2
        pull = np.einsum("fs,fsi->si", weight * rx, along_x) + np.einsum("fs,fsi->si", weight * ry, along_y)
        rest[:, chosen] -= np.linalg.solve(information, pull[..., None])[..., 0].T.astype(np.float32)
    return replace(geometry, rest=rest)


def keep_eyes_ahead(geometry: Geometry, terms: LandmarkTerms, observed: F64) -> Geometry:
    """The geometry whose irises at rest are moved apart as far as the actor crosses her eyes all the time.

    Where both eyes mostly look is a matter of the actor and the camera; how far they are crossed is not: irises lie
    alike between the corners of everybody's eyes.

    Args:
        geometry: spans and landmarks as they always are over a take.  terms: of its landmarks.
        observed: (F, L, 2) float64, image coordinates.
    """
    if not all(terms.irises):
        return geometry
    usual = float(np.median(_place_irises(terms, observed)))
    missing = float(np.clip(usual, _IRIS_PLACE - _IRIS_SPREAD, _IRIS_PLACE + _IRIS_SPREAD)) - usual
    rest, count = geometry.rest.copy(), geometry.landmark_count
    for iris, spans, (outer, inner) in zip(terms.irises, terms.iris_spans, terms.eye_corners, strict=True):
        moved = [*iris, *(count + spans)]
        rest[:, moved] += np.float32(missing) * (rest[:, outer] - rest[:, inner])[:, None]
    return replace(geometry, rest=rest)


def _place_irises(terms: LandmarkTerms, observed: F64) -> F64:
    """(F,) where irises lie on the way from the inner (0) to the outer corner (1), mean over both eyes."""
    places = []
    for iris, (outer, inner) in zip(terms.irises, terms.eye_corners, strict=True):
        way = observed[:, outer] - observed[:, inner]
        come = observed[:, iris].mean(axis=1) - observed[:, inner]
        places.append((come * way).sum(axis=1) / (way**2).sum(axis=1))
    return np.mean(places, axis=0)
