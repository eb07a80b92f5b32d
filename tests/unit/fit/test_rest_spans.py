"""Spans: clear motion comes out at its size, whatever the actor's own proportions are."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.energies.landmark_terms import SPANS, terms_for
from facecap_addon.fit.energies.visible_frames import find_visible_frames
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import layout_of
from tests.unit.sample import FOCAL_PX, sample, seen

# Under the nose, and what moves below or above it: upper lip, corners of the mouth, chin; from eyes to brows.
MOVING = {"upper lip": (2, 0), "corner": (98, 61), "chin": (2, 152), "inner brow": (133, 107), "outer brow": (33, 105)}
UP = 2


def _performance(frames: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small motions of every part of the face, as people make them who talk; the face is at rest now and then."""
    time = np.linspace(0, 6 * np.pi, frames)
    channels = sample().rig.channels
    weights = np.zeros((frames, len(channels)))
    shown = {
        "jawOpen": 0.3,
        "mouthUpperUpLeft": 0.3,
        "mouthUpperUpRight": 0.3,
        "mouthSmileLeft": 0.3,
        "mouthSmileRight": 0.3,
        "browInnerUp": 0.4,
        "browOuterUpLeft": 0.3,
        "browOuterUpRight": 0.3,
    }
    for i, (name, size) in enumerate(shown.items()):
        weights[:, channels.index(name)] = size * np.maximum(np.sin(time * (0.5 + 0.1 * (i // 2)) + i // 2), 0)
    still = np.zeros((frames, 3))
    return weights, still, still + np.array([0, 0, 0.6])


def _actor() -> np.ndarray:
    """(L, 3) m: how she differs from the character: a longer upper lip and chin, brows that lie higher."""
    rest = sample().response.rest
    offsets = np.zeros_like(rest)
    nose, eyes = rest[2, UP], rest[[133, 362], UP].mean()
    offsets[:, UP] -= np.clip((nose - rest[:, UP]) / 0.02, 0, 1) * 0.004
    offsets[:, UP] += np.clip((rest[:, UP] - eyes) / 0.02, 0, 1) * 0.003
    return offsets


def _heights(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Height of each moving landmark over its fixed one, m, as the network would see it of the character."""
    response = sample().response
    up = response.rest[:, UP] + np.tensordot(weights, response.deltas[:, :, UP], axes=1)
    return {name: up[:, moving] - up[:, fixed] for name, (fixed, moving) in MOVING.items()}


def _solved_gains(match: str) -> dict[str, float]:
    response = sample().response
    weights, turn, shift = _performance()
    observations = seen(response.rest + _actor(), response.deltas, weights, turn, shift)
    settings = FitSettings(focal_px=FOCAL_PX, match=match)
    take = solve_take(observations, sample().rig, sample().embedding, settings, response=response)
    true, mine = _heights(weights), _heights(take.weights.astype(np.float64))
    gains = {}
    for name in MOVING:
        a, b = true[name] - np.median(true[name]), mine[name] - np.median(mine[name])
        gains[name] = float((a * b).sum() / (a * a).sum())
    return gains


def test_small_motion_of_a_face_of_other_proportions_comes_out() -> None:
    """The prior still holds back a little: nobody moves a face as these sine waves do."""
    look, weights = _solved_gains("look"), _solved_gains("weights")
    assert all(0.65 < gain < 1.1 for gain in look.values()), look
    # Of brows no more than a tenth was left on the inside, without their spans.
    assert min(weights["inner brow"], weights["outer brow"]) > 0.5
    assert look["corner"] > weights["corner"] + 0.04


def test_what_an_actor_is_at_rest_is_no_expression() -> None:
    response = sample().response
    weights, turn, shift = _performance()
    observations = seen(response.rest + _actor(), response.deltas, weights * 0.0, turn, shift)
    take = solve_take(observations, sample().rig, sample().embedding, FitSettings(focal_px=FOCAL_PX), response=response)
    assert np.ptp(take.weights, axis=0).max() < 0.05
    for name, height in _heights(take.weights.astype(np.float64)).items():
        assert abs(height[0] - _heights(weights * 0)[name][0]) < 0.0025, name


@pytest.mark.parametrize("scheme", ["mediapipe-478", "ibug-68"])
def test_spans_go_from_what_is_rigid_to_what_moves(scheme: str) -> None:
    fewer, terms = terms_for(scheme), terms_for(scheme, look=True)
    spans = terms.gap_group == SPANS
    assert (fewer.gap_group == SPANS).sum() == (20 if fewer.irises[0] else 16) and spans.sum() > 28
    layout = layout_of(scheme)
    mouth = {*layout.lips_outer_upper, *layout.lips_outer_lower, *layout.lips_inner_upper, *layout.lips_inner_lower}
    brow, ends = {*layout.brow_right, *layout.brow_left}, terms.used[terms.gap_lower[spans]]
    assert mouth & set(ends) and brow & set(ends)
    mirrored = {
        tuple(sorted((int(layout.mirror[a]), int(layout.mirror[b]))))
        for a, b in zip(terms.used[terms.gap_upper[spans]], ends, strict=True)
    }
    assert mirrored == {
        tuple(sorted((int(a), int(b)))) for a, b in zip(terms.used[terms.gap_upper[spans]], ends, strict=True)
    }


def test_spans_of_a_turned_head_count_less() -> None:
    """What the network makes of a span changes as the head turns; irises between their corners are spared."""
    response = sample().response
    frames = 21
    turn = np.zeros((frames, 3))
    turn[-1, 1] = 0.35  # once to the side; most of the time it looks ahead
    weights, shift = np.zeros((frames, len(sample().rig.channels))), np.tile([0.0, 0.0, 0.6], (frames, 1))
    observed = seen(response.rest, response.deltas, weights, turn, shift)
    terms = terms_for("mediapipe-478", look=True)
    weight = find_visible_frames(observed, np.ones(478, bool), terms).landmarks(slice(None))[1]
    ratio = weight[-1] / weight[0]
    spans = len(terms.used) + np.flatnonzero(terms.gap_group == SPANS)
    aside = np.isin(terms.gap_upper[terms.gap_group == SPANS], np.concatenate(terms.irises))
    assert ratio[spans[~aside]].max() < 0.5
    np.testing.assert_allclose(ratio[spans[aside]], 1.0, atol=0.05)
    np.testing.assert_allclose(ratio[: len(terms.used)], 1.0, atol=1e-6)
    np.testing.assert_allclose(weight[5], weight[0])
