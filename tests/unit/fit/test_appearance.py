"""Weights read from the pixels of a face: whom they are compared with, how far they are believed, what they reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.fit import solve
from facecap_addon.fit.energies.appearance import (
    AppearanceHead,
    FaceChanges,
    calm_share,
    find_rest,
    observe_weights,
    read_faces,
    read_head,
)
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.appearance import AppearanceNetwork
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tests.unit.sample import FOCAL_PX, sample, seen

CHANNELS = ("cheekPuff", "tongueOut", "noseSneerLeft")
LOUD = 40
"""Frames in which something moves, of 80."""


def plain_head(spread: float = 0.05) -> AppearanceHead:
    """A head that reads channel c from feature c itself, with one spread for all, and no landmarks."""
    count, beside = len(CHANNELS), len(load_prior().subset) * 3 + 3
    hidden = np.concatenate([np.eye(count), -np.eye(count)], axis=1)
    hidden = np.concatenate([hidden, np.zeros((beside, 2 * count))]).astype(np.float32)
    out = np.zeros((2 * count, 2 * count), np.float32)
    out[:count, :count], out[count:, :count] = np.eye(count), -np.eye(count)
    bias = np.concatenate([np.zeros(count), np.full(count, 2 * np.log(spread))]).astype(np.float32)
    return AppearanceHead(CHANNELS, ((hidden, np.zeros(2 * count, np.float32)), (out, bias)), np.ones(count))


def still_faces(features: np.ndarray, turn: np.ndarray | None = None) -> FaceChanges:
    """Faces whose landmarks do not move."""
    count = len(features)
    moved = np.zeros((count, len(load_prior().subset) * 3), np.float32)
    return FaceChanges(features.astype(np.float32), moved, np.zeros((count, 3)) if turn is None else turn)


def test_features_are_read_as_changes_from_the_calm_frames() -> None:
    features = np.array([[5.0, 2, 1], [5, 2, 1], [5.8, 2.5, 0]], np.float32)
    mean, spread = read_faces(plain_head(0.1), still_faces(features), np.array([5.0, 2, 1]))
    np.testing.assert_allclose(mean, [[0, 0, 0], [0, 0, 0], [0.8, 0.5, -1]], atol=1e-6)
    np.testing.assert_allclose(spread, 0.1, rtol=1e-5)


def test_calm_frames_are_those_nearest_to_rest_that_face_the_camera_or_those_named() -> None:
    activity, turn = np.array([0.3, 0.3, 1.5, 0.35]), np.zeros((4, 3))
    turn[1, 1] = 0.8
    share = calm_share(activity, turn)
    assert share.sum() == pytest.approx(1)
    assert share[0] > 5 * share[1] and share[2] < 1e-6 and share[3] > 0.8 * share[0]
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_allclose(
        find_rest(plain_head(), still_faces(features, turn), activity, np.array([2])), features[2]
    )


def test_frames_that_only_pixels_show_to_be_loud_are_no_rest() -> None:
    """Landmarks see the same all the time; in half of the frames the cheeks are puffed."""
    random = np.random.default_rng(3)
    features = random.normal(0, 0.02, (LOUD * 2, 3)).astype(np.float32)
    features[LOUD:, 0] += 0.8
    rest = find_rest(plain_head(), still_faces(features), np.zeros(LOUD * 2), None)
    assert np.abs(rest).max() < 0.05


def test_a_characters_channels_get_what_is_read_of_their_arkit_name() -> None:
    features = np.array([[0.0, 0, 0], [0.7, 0, 0.4]], np.float32)
    names = ("CheekPuff", "my key", "noseSneer_L")
    found = observe_weights(plain_head(), names, still_faces(features), np.zeros(3))
    assert found is not None
    np.testing.assert_allclose(found.mean, [[0, 0, 0], [0.7, 0, 0.4]], atol=1e-6)
    np.testing.assert_allclose(found.precision[:, [0, 2]], 1 / 0.05**2, rtol=1e-4)
    assert (found.precision[:, 1] == 0).all()
    assert observe_weights(plain_head(), ("my key", "other"), still_faces(features), np.zeros(3)) is None


def puffed(spread: float, monkeypatch: pytest.MonkeyPatch, *, in_landmarks: bool = True):
    """Takes of puffed cheeks (0.8) and a tongue (0.6) in the second half, without and with what pixels show of it."""
    monkeypatch.setattr(solve, "read_head", lambda: plain_head(spread))
    channels = sample().rig.channels
    still = np.zeros((2 * LOUD, 3))
    weights = np.zeros((2 * LOUD, len(channels)))
    if in_landmarks:
        weights[LOUD:, channels.index("cheekPuff")], weights[LOUD:, channels.index("tongueOut")] = 0.8, 0.6
    found = seen(sample().response.rest, sample().response.deltas, weights, still, still + np.array([0, 0, 0.6]))
    features = np.zeros((2 * LOUD, 3), np.float32)
    features[LOUD:] = (0.8, 0.6, 0.0)
    settings = FitSettings(focal_px=FOCAL_PX)
    with_pixels = replace(found, appearance=features)
    return tuple(
        solve_take(o, sample().rig, sample().embedding, settings, response=sample().response)
        for o in (found, with_pixels)
    )


def test_what_only_pixels_show_reaches_the_take(monkeypatch: pytest.MonkeyPatch) -> None:
    without, take = puffed(0.05, monkeypatch)
    puff, tongue = take.channels.index("cheekPuff"), take.channels.index("tongueOut")
    loud, calm = slice(LOUD + 5, None), slice(0, LOUD - 5)
    assert without.weights[:, tongue].max() == 0
    assert abs(take.weights[loud, tongue].mean() - 0.6) < 0.1
    assert abs(take.weights[loud, puff].mean() - 0.8) < 0.2
    assert without.weights[loud, puff].mean() < 0.25 * take.weights[loud, puff].mean()
    assert take.weights[calm][:, [puff, tongue]].max() < 0.1
    assert "tongueOut" in without.not_observed and "tongueOut" not in take.not_observed
    assert "tongueOut" not in take.inferred and "cheekPuff" not in take.inferred


def test_pixels_that_doubt_themselves_hardly_count(monkeypatch: pytest.MonkeyPatch) -> None:
    sure, unsure = (puffed(spread, monkeypatch, in_landmarks=False)[1] for spread in (0.05, 0.9))
    tongue = sure.channels.index("tongueOut")
    assert unsure.weights[LOUD:, tongue].mean() < 0.3 * sure.weights[LOUD:, tongue].mean()
    assert "tongueOut" in unsure.inferred


def test_a_character_without_names_is_solved_as_without_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, "read_head", plain_head)
    count = len(sample().rig.channels)
    rig = replace(sample().rig, channels=tuple(f"Shape {k}" for k in range(count)))
    weights = np.zeros((20, count))
    weights[10:, sample().rig.channels.index("jawOpen")] = 0.5
    still = np.zeros((20, 3))
    found = seen(sample().response.rest, sample().response.deltas, weights, still, still + np.array([0, 0, 0.6]))
    pixels = replace(found, appearance=np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32))
    settings = FitSettings(focal_px=FOCAL_PX)
    one, other = (
        solve_take(o, rig, sample().embedding, settings, response=sample().response).weights for o in (found, pixels)
    )
    np.testing.assert_array_equal(one, other)


def test_the_networks_that_ship_belong_together() -> None:
    head, trunk = read_head(), AppearanceNetwork()
    assert len(head.layers[0][0]) == trunk.feature_count + 3 * len(load_prior().subset) + 3
    assert head.layers[-1][0].shape[1] == 2 * len(head.channels) and (head.doubt > 0).all()
    assert set(head.channels) <= set(ARKIT_CHANNELS)


def test_a_damaged_head_is_refused_in_words(tmp_path) -> None:
    broken = tmp_path / "appearance_head.npz"
    broken.write_bytes(b"no head")
    with pytest.raises(FacecapError, match="cannot be read"):
        read_head(broken)
