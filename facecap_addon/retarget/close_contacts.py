"""Lids that meet and lips that close: keys mended where two surfaces have to touch."""

from __future__ import annotations

import numpy as np

from ..arrays import F32, F64
from ..landmarks.layout import Indices, layout_of
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name
from ..rig.embedding import LandmarkEmbedding
from ..rig.surface import place_points
from .options import WarpOptions
from .warp import Warp, make_warp

_UPPER_LID_SHARE = 0.9
"""What the upper lid does of the way that is missing; the lower one does the rest."""
_UPPER_LIP_SHARE = 0.3
_REACH = 0.35
_ROUNDS = 3


def close_lids_and_lips(
    rig: BlendshapeRig, embedding: LandmarkEmbedding, like: BlendshapeRig, like_embedding: LandmarkEmbedding
) -> tuple[F32, list[str]]:
    """Mend blinks so that the lids meet, and `mouthClose` so that it closes the mouth that `jawOpen` opens.

    Only vertices near lids and lips move. Landmarks lie beside the rims of the lids, so lids that touch still have
    some distance between theirs: they are closed as far as those of the head that the keys came from, in proportion.

    Args:
        rig: a head with ARKit's keys.  embedding: its landmarks.
        like: the head that the keys came from, whose lids and lips do meet.  like_embedding: its landmarks.
    Returns:
        (K, V, 3) float32 m, the mended keys, and what was mended.
    """
    layout = layout_of(embedding.scheme)
    place = {arkit_name(channel): k for k, channel in enumerate(rig.channels)}
    deltas, said = rig.deltas.copy(), []
    theirs = {arkit_name(channel): k for k, channel in enumerate(like.channels)}
    turn = embedding.head_from_rig[:3, :3].T @ like_embedding.head_from_rig[:3, :3]
    size = embedding.rig_scale / like_embedding.rig_scale
    warp = make_warp(rig.neutral, rig.triangles, embedding, embedding.scheme, WarpOptions(reach=_REACH))
    lids = {
        "eyeBlinkRight": (layout.upper_lid_right, layout.lower_lid_right),
        "eyeBlinkLeft": (layout.upper_lid_left, layout.lower_lid_left),
    }
    for name, (upper, lower) in lids.items():
        if name not in place:
            continue
        if name not in theirs:
            continue
        key = place[name]
        goal = size * _measure_gap(like, like_embedding, like.deltas[theirs[name]], upper, lower) @ turn.T
        before = _measure_gap(rig, embedding, deltas[key], upper, lower) - goal
        for _ in range(_ROUNDS):
            apart = _measure_gap(rig, embedding, deltas[key], upper, lower) - goal
            deltas[key] += _draw_together(warp, upper, lower, apart, _UPPER_LID_SHARE)
        after = _measure_gap(rig, embedding, deltas[key], upper, lower) - goal
        said.append(f"{name}: lids off by {_mm(before):.1f} mm, now {_mm(after):.1f}")
    if {"mouthClose", "jawOpen"} <= set(place):
        key, jaw = place["mouthClose"], deltas[place["jawOpen"]]
        upper, lower = layout.lips_inner_upper, layout.lips_inner_lower
        rest = _measure_gap(rig, embedding, np.zeros_like(jaw), upper, lower)
        before = _measure_gap(rig, embedding, deltas[key] + jaw, upper, lower) - rest
        for _ in range(_ROUNDS):
            apart = _measure_gap(rig, embedding, deltas[key] + jaw, upper, lower) - rest
            deltas[key] += _draw_together(warp, upper, lower, apart, _UPPER_LIP_SHARE)
        after = _measure_gap(rig, embedding, deltas[key] + jaw, upper, lower) - rest
        said.append(f"mouthClose on jawOpen: lips off by {_mm(before):.1f} mm, now {_mm(after):.1f}")
    return deltas, said


def _measure_gap(rig: BlendshapeRig, embedding: LandmarkEmbedding, delta: F32, upper: Indices, lower: Indices) -> F64:
    """(N, 3) from each landmark of the upper side to its partner below, m, rig axes."""
    pair = np.array([upper, lower])
    moved = rig.neutral + delta
    places = place_points(moved, rig.triangles, embedding.triangle[pair.ravel()], embedding.barycentric[pair.ravel()])
    above, below = places.reshape(2, -1, 3)
    return below - above


def _draw_together(warp: Warp, upper: Indices, lower: Indices, apart: F64, upper_share: float) -> F32:
    """(V, 3) m: what brings the two sides together."""
    displacements = np.zeros((1, len(warp.landmarks), 3))
    inner = slice(1, -1)  # corners are on both sides
    displacements[0, list(upper[inner])] = upper_share * apart[inner]
    displacements[0, list(lower[inner])] = (upper_share - 1.0) * apart[inner]
    moved = np.zeros_like(warp.rest)
    flat = displacements[0].astype(np.float32)
    moved[warp.rows] = warp.matrix @ flat
    return moved


def _mm(gap: F64) -> float:
    return 1000 * float(np.linalg.norm(gap[1:-1], axis=1).max(initial=0.0))
