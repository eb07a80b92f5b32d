"""How long the spans of the actor's own face are at rest.

A span (from the nose to the lips, from an eye to its brow) differs from person to person by more than it moves. What is
always there of its residual is therefore the actor, and only what changes is her expression.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import F64, Bools
from .normal_equations import MM, Geometry, State, see_landmarks

_ROUNDS = 2
# A residual this far from a span's middle one is an expression that was not found yet.
_ROBUST_MM = 2.0
# How far a span at rest may differ from the character's, mm, where frames do not say.
_SPREAD_MM = 10.0


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
