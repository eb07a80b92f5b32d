"""Keys must evaluate: every check looks at the mesh that Blender shows."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.animation.action import key_channels
from facecap_addon.blender.scene.animation.curves import SLOTTED, curves_of
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.errors import FacecapError
from tests.blender.faces import ARKIT, evaluated, make_face


def weights_at(frame: float, frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.array([np.interp(frame, frames, column) for column in weights.T])


def curve_of(obj: bpy.types.Object, channel: str) -> bpy.types.FCurve:
    keys = obj.data.shape_keys
    return curves_of(keys).find(keys.key_blocks[channel].path_from_id("value"))


def key_frames(obj: bpy.types.Object, channel: str) -> list[float]:
    return [point.co.x for point in curve_of(obj, channel).keyframe_points]


def test_keys_at_fractional_frames_move_the_mesh(rng: np.random.Generator) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    frames = 1.0 + np.cumsum(rng.uniform(0.5, 1.4, 30))
    weights = rng.uniform(0, 1, (30, 5))
    report = key_channels(obj, rig.channels, frames, weights)
    assert report.keyed == list(ARKIT)
    for frame in (frames[0], frames[7], frames[29], 3.25, 10.5, frames[0] - 5, frames[-1] + 9):
        expected = rig.vertices_at(weights_at(frame, frames, weights))
        np.testing.assert_allclose(evaluated(obj, frame), expected, atol=2e-6)


def test_odd_names_are_keyed(rng: np.random.Generator) -> None:
    names = ('quo"te', "back\\slash", "ünïcödé", "jaw.Open [x]")
    obj = make_face(names)
    weights = rng.uniform(0, 1, (3, 4))
    key_channels(obj, names, np.array([1.0, 2.0, 3.0]), weights)
    np.testing.assert_allclose(evaluated(obj, 2), extract_rig(obj).vertices_at(weights[1]), atol=2e-6)


def test_new_action_keeps_the_old_one_in_the_file(rng: np.random.Generator) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    block.value = 0.9
    block.keyframe_insert("value", frame=5)
    by_hand = obj.data.shape_keys.animation_data.action
    weights = rng.uniform(0, 1, (4, 5))
    report = key_channels(obj, rig.channels, np.arange(1.0, 5.0), weights, name="Take")
    assert report.action != by_hand
    assert by_hand.use_fake_user
    np.testing.assert_allclose(evaluated(obj, 5), rig.vertices_at(weights[3]), atol=2e-6)
    if SLOTTED:
        slot = obj.data.shape_keys.animation_data.action_slot
        assert slot is not None
        assert slot.target_id_type == "KEY"


def test_mix_replaces_only_the_takes_range(rng: np.random.Generator) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    frames, weights = np.arange(1.0, 101.0), rng.uniform(0, 1, (100, 5))
    first = key_channels(obj, rig.channels, frames, weights)
    part, mixed = np.arange(40.25, 60.0), rng.uniform(0, 1, (20, 2))
    second = key_channels(obj, ("mouthSmileRight", "jawOpen"), part, mixed, mode="mix")
    assert second.action == first.action
    expected = weights_at(39, frames, weights)
    np.testing.assert_allclose(evaluated(obj, 39), rig.vertices_at(expected), atol=2e-6)
    np.testing.assert_allclose(evaluated(obj, 61), rig.vertices_at(weights_at(61, frames, weights)), atol=2e-6)
    inside = weights_at(50.25, frames, weights)
    inside[list(rig.channels).index("mouthSmileRight")] = mixed[10, 0]
    inside[list(rig.channels).index("jawOpen")] = mixed[10, 1]
    np.testing.assert_allclose(evaluated(obj, 50.25), rig.vertices_at(inside), atol=2e-6)
    np.testing.assert_allclose(key_frames(obj, "jawOpen"), [*range(1, 41), *part, *range(60, 101)], atol=1e-4)
    assert key_frames(obj, "browInnerUp") == list(frames)


def test_mix_keeps_handles_and_kinds_of_the_keys_outside() -> None:
    obj = make_face(("jawOpen",))
    block = obj.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.1), (10, 0.9), (30, 0.2)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    points = curve_of(obj, "jawOpen").keyframe_points
    points[0].interpolation, points[0].type = "BEZIER", "EXTREME"
    points[0].handle_right_type = points[0].handle_left_type = "FREE"
    points[0].handle_right = (3.0, 0.75)
    points[2].interpolation = "CONSTANT"
    key_channels(obj, ("jawOpen",), np.array([8.0, 12.0]), np.array([[0.5], [0.6]]), mode="mix")
    points = curve_of(obj, "jawOpen").keyframe_points
    assert [point.co.x for point in points] == [1, 8, 12, 30]
    assert (points[0].interpolation, points[0].type, points[0].handle_right_type) == ("BEZIER", "EXTREME", "FREE")
    np.testing.assert_allclose(points[0].handle_right, (3.0, 0.75), atol=1e-6)
    assert (points[1].interpolation, points[3].interpolation) == ("LINEAR", "CONSTANT")


def test_mix_twice_gives_the_same_keys(rng: np.random.Generator) -> None:
    obj = make_face()
    frames, weights = 1 + np.arange(50) * 0.8333, rng.uniform(0, 1, (50, 5))
    for _ in range(3):
        key_channels(obj, ARKIT, frames, weights, mode="mix")
    assert len(curve_of(obj, "jawOpen").keyframe_points) == 50


def test_influence_goes_half_way(rng: np.random.Generator) -> None:
    obj = make_face(("jawOpen",))
    key_channels(obj, ("jawOpen",), np.array([1.0, 11.0]), np.array([[0.0], [1.0]]))
    key_channels(obj, ("jawOpen",), np.array([5.0, 6.0]), np.array([[1.0], [1.0]]), mode="mix", influence=0.5)
    values = [point.co.y for point in curve_of(obj, "jawOpen").keyframe_points]
    np.testing.assert_allclose(values, [0.0, 0.7, 0.75, 1.0], atol=1e-6)


def test_mix_into_nothing_makes_an_action() -> None:
    obj = make_face(("jawOpen",))
    rig = extract_rig(obj)
    key_channels(obj, ("jawOpen",), np.array([1.0, 2.0]), np.array([[0.2], [0.8]]), mode="mix")
    np.testing.assert_allclose(evaluated(obj, 2), rig.vertices_at(np.array([0.8])), atol=2e-6)


def test_what_hides_keys_is_said(rng: np.random.Generator) -> None:
    obj = make_face()
    rig = extract_rig(obj)
    keys = obj.data.shape_keys
    driver = keys.key_blocks["jawOpen"].driver_add("value").driver
    driver.type, driver.expression = "SCRIPTED", "0.123"
    keys.key_blocks["mouthSmileLeft"].mute = True
    weights = rng.uniform(0, 1, (2, 5))
    report = key_channels(obj, ARKIT, np.array([1.0, 2.0]), weights)
    said = " ".join(report.remarks)
    assert "jawOpen" in said
    assert "mouthSmileLeft" in said
    shown = weights[1].copy()
    shown[1] = 0.0  # the muted key; the driven one moves, for its driver was muted
    np.testing.assert_allclose(evaluated(obj, 2), rig.vertices_at(shown), atol=2e-6)


def test_locked_curves_are_left_alone(rng: np.random.Generator) -> None:
    obj = make_face()
    key_channels(obj, ARKIT, np.array([1.0, 2.0]), np.zeros((2, 5)))
    curve_of(obj, "jawOpen").lock = True
    report = key_channels(obj, ARKIT, np.array([1.0, 2.0]), np.ones((2, 5)), mode="mix")
    assert report.locked == ["jawOpen"]
    assert [point.co.y for point in curve_of(obj, "jawOpen").keyframe_points] == [0, 0]
    assert [point.co.y for point in curve_of(obj, "browInnerUp").keyframe_points] == [1, 1]


def test_unknown_channels_are_named() -> None:
    obj = make_face()
    report = key_channels(obj, ("jawOpen", "tailWag"), np.array([1.0]), np.ones((1, 2)))
    assert report.unknown == ["tailWag"]
    with pytest.raises(FacecapError, match="None of the take's channels"):
        key_channels(obj, ("tailWag",), np.array([1.0]), np.ones((1, 1)))


def test_nla_strips_stay() -> None:
    obj = make_face(("jawOpen",))
    key_channels(obj, ("jawOpen",), np.array([1.0, 2.0]), np.array([[0.0], [1.0]]))
    animation = obj.data.shape_keys.animation_data
    track = animation.nla_tracks.new()
    strip = track.strips.new("kept", 1, animation.action)
    strip.name = "kept"  # Blender 4.2 calls it after the action
    report = key_channels(obj, ("jawOpen",), np.array([1.0, 2.0]), np.array([[0.5], [0.25]]))
    assert [s.name for t in animation.nla_tracks for s in t.strips] == ["kept"]
    assert strip.action != report.action
    np.testing.assert_allclose(evaluated(obj, 2), extract_rig(obj).vertices_at(np.array([0.25])), atol=2e-6)


@pytest.mark.parametrize(
    ("frames", "weights", "said"),
    [
        (np.array([1.0, 1.0]), np.ones((2, 1)), "order of time"),
        (np.array([1.0, 2.0]), np.array([[np.nan], [1.0]]), "no numbers"),
        (np.array([]), np.ones((0, 1)), "No frame"),
        (np.array([1.0]), np.ones((2, 1)), "do not fit"),
        (np.array([1.0, 2e6]), np.ones((2, 1)), "longer than"),
    ],
)
def test_bad_arrays_are_refused_and_nothing_is_touched(frames: np.ndarray, weights: np.ndarray, said: str) -> None:
    obj = make_face(("jawOpen",))
    with pytest.raises(FacecapError, match=said):
        key_channels(obj, ("jawOpen",), frames, weights)
    assert obj.data.shape_keys.animation_data is None


def test_ten_thousand_frames_of_52_channels_all_have_their_key(rng: np.random.Generator) -> None:
    """How long that takes on a machine says `python -m benchmarks.bake_speed`."""
    names = tuple(f"key{i}" for i in range(52))
    obj = make_face(names)
    frames, weights = 1 + np.arange(10_000) * 0.8, rng.uniform(0, 1, (10_000, 52))
    key_channels(obj, names, frames, weights)
    found = np.empty(20_000, np.float32)
    curve_of(obj, "key51").keyframe_points.foreach_get("co", found)
    np.testing.assert_allclose(found.reshape(-1, 2), np.stack([frames, weights[:, 51]], 1), rtol=1e-6)
