"""Mapped values follow factor · curve(weight) + offset, summed over the links of a target."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.evaluate import apply_curve, evaluate, find_sources, scale_to_face
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target

SMILE, JAW, TURN = Target("key", "smile"), Target("bone", "jaw", "location.y"), Target("bone", "jaw", "rotation.x")


def test_links_of_a_target_add_up_with_factor_curve_and_offset() -> None:
    mapping = Mapping(
        "mine",
        (
            Link("mouthSmileLeft", SMILE, factor=0.5),
            Link("jawOpen", TURN, factor=-0.3, offset=0.1, curve=((0.0, 0.0), (0.5, 0.2), (1.0, 1.0))),
            Link("mouthSmileRight", SMILE, factor=0.5, offset=0.25),
        ),
    )
    weights = np.array([[0.0, 0.0, 0.0], [1.0, 0.5, 0.25], [0.5, -0.5, 0.75], [0.0, 1.0, 1.5]], np.float32)
    targets, values = evaluate(mapping, ("mouthSmileLeft", "mouthSmileRight", "jawOpen"), weights)
    assert targets == (SMILE, TURN)
    assert values.dtype == np.float32 and values.flags.c_contiguous
    smile = 0.5 * weights[:, 0] + 0.5 * weights[:, 1] + 0.25
    turn = -0.3 * np.array([0.0, 0.1, 0.6, 1.8]) + 0.1
    np.testing.assert_allclose(values, np.stack([smile, turn], 1), atol=1e-6)


def test_a_curve_goes_on_straight_outside_its_points() -> None:
    curve = ((0.2, 0.0), (0.6, 0.4), (0.8, 1.0))
    weight = np.array([0.0, 0.2, 0.4, 0.7, 0.8, 1.0], np.float32)
    np.testing.assert_allclose(apply_curve(curve, weight), [-0.2, 0.0, 0.2, 0.7, 1.0, 1.6], atol=1e-6)


def test_names_that_mean_the_same_channel_are_found() -> None:
    assert find_sources("jawOpen", ("jawOpen", "JawOpen")) == [0]
    assert find_sources("mouthSmileLeft", ("mouthSmile_R", "mouthSmile_L")) == [1]
    assert find_sources("Key 1", ("Key 2", "Key 1")) == [1]
    assert find_sources("browInnerUp", ("browInnerUp_L", "browInnerUp_R")) == [0, 1]
    assert find_sources("browInnerUp_R", ("browInnerUp_L", "browInnerUp_R")) == [1]
    assert find_sources("browInnerUp_R", ("browInnerUp",)) == [0]
    assert find_sources("browInnerUp_R", ("browInnerUp_L",)) == []
    assert find_sources("cheekPuff", ()) == []


def test_a_whole_channel_is_the_mean_of_its_halves() -> None:
    mapping = Mapping("mine", (Link("browInnerUp", SMILE),))
    weights = np.array([[0.2, 0.6]], np.float32)
    _, values = evaluate(mapping, ("browInnerUp_L", "browInnerUp_R"), weights)
    np.testing.assert_allclose(values, [[0.4]], atol=1e-7)


def test_a_target_that_nothing_of_the_take_moves_is_left_out_and_a_missing_channel_rests() -> None:
    mapping = Mapping(
        "mine",
        (Link("tongueOut", TURN, offset=1.0), Link("jawOpen", SMILE), Link("cheekPuff", SMILE, offset=0.5)),
    )
    targets, values = evaluate(mapping, ("jawOpen",), np.array([[0.25]], np.float32))
    assert targets == (SMILE,)
    np.testing.assert_allclose(values, [[0.75]])
    targets, values = evaluate(mapping, ("mouthLeft",), np.zeros((3, 1), np.float32))
    assert targets == () and values.shape == (3, 0)


def test_a_gap_in_one_channel_stays_in_its_targets() -> None:
    mapping = Mapping("mine", (Link("jawOpen", SMILE), Link("mouthLeft", TURN)))
    _, values = evaluate(mapping, ("jawOpen", "mouthLeft"), np.array([[np.nan, 0.5]], np.float32))
    assert np.isnan(values[0, 0]) and values[0, 1] == pytest.approx(0.5)


def test_one_to_one_changes_nothing() -> None:
    mapping = Mapping("ARKit", tuple(Link(name, Target("key", name)) for name in ARKIT_CHANNELS))
    weights = np.random.default_rng(3).random((20, len(ARKIT_CHANNELS)), np.float32)
    targets, values = evaluate(mapping, ARKIT_CHANNELS, weights)
    assert tuple(target.name for target in targets) == ARKIT_CHANNELS
    np.testing.assert_array_equal(values, weights)


def test_only_locations_grow_with_the_face() -> None:
    mapping = Mapping(
        "bones",
        (Link("jawForward", JAW, 0.01, 0.002), Link("jawOpen", TURN, 0.3), Link("mouthSmileLeft", SMILE)),
        face_size_m=0.1,
    )
    grown = scale_to_face(mapping, 0.2)
    assert [(link.factor, link.offset) for link in grown.links] == [(0.02, 0.004), (0.3, 0.0), (1.0, 0.0)]
    assert grown.face_size_m == 0.2
    assert scale_to_face(mapping, 0.0) == mapping
