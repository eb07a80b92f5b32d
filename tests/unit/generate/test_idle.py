"""Blinks, gaze and breathing of generated faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.generate.authored.idle import IdleMotion, add_idle_motion, draw_blinks, draw_breathing, draw_gaze
from facecap_addon.geometry.quaternions import rotation_of
from facecap_addon.takes.formats.live_link import look_gaze
from facecap_addon.takes.take import Take
from tests.unit.sample import posed_take, sample

MINUTE_S = np.arange(60 * 25) / 25


def quiet_take() -> Take:
    weights = np.zeros((250, len(sample().rig.channels)), np.float32)
    return posed_take(weights, np.zeros((250, 3)), fps=25.0, size=(640, 480), focal_px=800.0)


def column(name: str) -> int:
    return sample().rig.channels.index(name)


def test_lids_shut_as_often_and_as_long_as_those_of_people() -> None:
    counts = []
    for seed in range(40):
        shut = draw_blinks(MINUTE_S, np.random.default_rng(seed))
        assert shut.min() >= 0 and shut.max() <= 1.0
        begun = np.flatnonzero((shut[1:] > 0.5) & (shut[:-1] <= 0.5))
        counts.append(len(begun))
        ended = np.flatnonzero((shut[1:] <= 0.5) & (shut[:-1] > 0.5))
        assert (ended - begun).min() / 25 >= 0.04 and (ended - begun).max() / 25 < 0.35
    assert 12 < np.mean(counts) < 22


def test_eyes_rest_and_leap_and_come_back() -> None:
    gaze = np.degrees(draw_gaze(MINUTE_S, np.random.default_rng(0)))
    assert not gaze[:5].any() and not gaze[-3:].any()
    assert 1.0 < gaze[:, 0].std() < 4.0 and np.abs(gaze).max() <= 6.01
    speed = np.linalg.norm(np.diff(gaze, axis=0), axis=1)
    assert (speed < 1e-6).mean() > 0.8  # most of the time they rest
    assert 25 < len(np.flatnonzero((speed[1:] > 0) & (speed[:-1] == 0))) < 90


def test_breaths_are_whole() -> None:
    breath = draw_breathing(MINUTE_S, np.random.default_rng(1))
    assert breath[0] == 0 and breath[-1] == pytest.approx(0, abs=1e-9) and breath.min() > -1e-9
    assert 11 < ((breath[1:] > 0.4) & (breath[:-1] <= 0.4)).sum() < 20


def test_a_face_lives_and_nothing_it_shows_is_moved_back() -> None:
    quiet = quiet_take()
    weights = quiet.weights.copy()
    weights[:, column("eyeBlinkLeft")] = 0.6  # it winks
    weights[:, column("eyeWideRight")] = 0.5
    weights[:, column("mouthSmileLeft")] = 0.7
    shown = replace(quiet, weights=weights)
    ranges = sample().rig.ranges
    alive = add_idle_motion(shown, ranges, IdleMotion(seed=3))
    again = add_idle_motion(shown, ranges, IdleMotion(seed=3))
    other = add_idle_motion(shown, ranges, IdleMotion(seed=4))
    np.testing.assert_array_equal(alive.weights, again.weights)
    assert np.abs(alive.weights - other.weights).max() > 0.1
    wide = column("eyeWideRight")
    kept = [k for k in range(weights.shape[1]) if k != wide]
    assert (alive.weights[:, kept] >= weights[:, kept] - 1e-6).all()
    shut = alive.weights[:, column("eyeBlinkRight")]
    assert shut.max() > 0.9 and alive.weights[:, column("eyeBlinkLeft")].min() >= 0.6 - 1e-6
    np.testing.assert_allclose(alive.weights[:, wide], 0.5 * (1 - shut), atol=0.02)
    # Keys of looking and the gaze of the take are one.
    np.testing.assert_allclose(look_gaze(alive.channels, alive.weights), alive.gaze_rad, atol=1e-5)
    assert np.degrees(np.abs(alive.gaze_rad).max()) > 1
    turned = rotation_of(alive.head_rotation_wxyz) * rotation_of(shown.head_rotation_wxyz).inv()
    assert 0.2 < np.degrees(turned.magnitude().max()) < 0.6
    moved = np.linalg.norm(alive.head_translation_m - shown.head_translation_m, axis=1)
    assert 0.5e-3 < moved.max() < 1.2e-3 and moved[0] == 0 and moved[-1] < 1e-6
    np.testing.assert_allclose(alive.weights[[0, -1]], weights[[0, -1]], atol=1e-6)


def test_each_can_be_left_out() -> None:
    quiet = quiet_take()
    names = quiet.channels
    lids = [k for k, name in enumerate(names) if name.startswith("eyeBlink")]
    looks = [k for k, name in enumerate(names) if name.startswith("eyeLook")]
    for part in ("blinks", "gaze", "breathing"):
        some = add_idle_motion(quiet, sample().rig.ranges, IdleMotion(1, **{part: False}))
        assert some.weights[:, lids].any() == (part != "blinks")
        assert some.weights[:, looks].any() == (part != "gaze") and some.gaze_rad.any() == (part != "gaze")
        still = np.array_equal(some.head_translation_m, quiet.head_translation_m)
        assert still == (part == "breathing")
    none = add_idle_motion(quiet, sample().rig.ranges, IdleMotion(1, False, False, False))
    np.testing.assert_array_equal(none.weights, quiet.weights)


def test_keys_of_looking_are_keyed_only_where_eyes_move() -> None:
    looking = tuple(name for name in sample().rig.channels if name.startswith(("eyeLook", "tongue")))
    unseen = replace(quiet_take(), not_observed=looking)
    still = add_idle_motion(unseen, sample().rig.ranges, IdleMotion(gaze=False))
    assert still.not_observed == looking
    alive = add_idle_motion(unseen, sample().rig.ranges, IdleMotion())
    assert [name for name in alive.not_observed if name.startswith("eyeLook")] == [
        name for name in looking if name.startswith("eyeLook") and not alive.weights[:, column(name)].any()
    ]
    assert "tongueOut" in alive.not_observed
