"""Fewer keys, the same motion by Blender's own evaluation; hand-made keys stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.animation.curves import curves_of
from facecap_addon.blender.scene.animation.reduce import KeyTolerance, reduce_keys
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take
from facecap_addon.takes.versions import add_id
from tests.blender.faces import make_face
from tests.blender.test_hand_keys import curve_of, facts, keys_in, plant

TAKE = Path(__file__).parents[2] / "sample_scenes" / "take_01.npz"


def real_take() -> Take:
    """The first six seconds of the sample head's performance, with names that a small mesh may have."""
    return add_id(load_take(TAKE))


def baked() -> tuple[bpy.types.Object, Take]:
    take = real_take()
    obj = make_face(take.channels)
    apply_take(obj, take)
    return obj, take


def played(datablock, frames: np.ndarray) -> np.ndarray:
    """(F, curves): what Blender makes of the curves."""
    return np.array([[curve.evaluate(frame) for curve in curves_of(datablock)] for frame in frames])


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("value", [0.005, 0.02])
def test_the_curves_of_a_real_take_stay_within_the_tolerance_everywhere(value: float, linear: bool) -> None:
    obj, take = baked()
    keys = obj.data.shape_keys
    frames = np.linspace(-3, 1 + take.time_s[-1] * 24 + 3, 1500)
    before, head_before = played(keys, frames), played(obj, frames)
    tolerance = KeyTolerance(value, np.radians(0.1), 0.001)
    count = reduce_keys([keys, obj], tolerance, linear=linear)
    assert np.abs(played(keys, frames) - before).max() <= value
    head = played(obj, frames)
    paths = [(curve.data_path, curve.array_index) for curve in curves_of(obj)]
    turns = [i for i, (path, _) in enumerate(paths) if path.startswith("rotation")]
    places = [i for i, (path, _) in enumerate(paths) if path == "location"]
    assert np.linalg.norm(head[:, places] - head_before[:, places], axis=1).max() <= 0.001
    if len(turns) == 4:
        angles = [
            Quaternion(a).rotation_difference(Quaternion(b)).angle
            for a, b in zip(head[:, turns], head_before[:, turns], strict=True)
        ]
        assert max(angles) <= np.radians(0.1) + 1e-4
    assert count.before == take.frame_count * (len(take.channels) + len(paths))
    assert count.after < count.before / 4


def test_hand_made_keys_stay_to_the_bit_and_the_curve_beside_them() -> None:
    obj, _ = baked()
    planted = plant(curve_of(obj), 50.37, 0.7)
    frames = np.linspace(45, 56, 400)
    before = np.array([curve_of(obj).evaluate(frame) for frame in frames])
    reduce_keys([obj.data.shape_keys], KeyTolerance(0.01))
    assert planted in keys_in(curve_of(obj))
    after = np.array([curve_of(obj).evaluate(frame) for frame in frames])
    assert np.abs(after - before).max() <= 0.01
    assert len(curve_of(obj).keyframe_points) < 120


def test_reduced_keys_are_the_takes_own_baking_again_brings_all_back() -> None:
    obj, take = baked()
    reduce_keys([obj.data.shape_keys, obj], KeyTolerance())
    again = reduce_keys([obj.data.shape_keys, obj], KeyTolerance(0.05))
    assert again.after > 0.8 * again.before  # curves are not worn away by pressing again
    dragged = curve_of(obj).keyframe_points[3]
    dragged.co.y += 0.1
    curve_of(obj).update()
    hers = facts(curve_of(obj).keyframe_points[3])[:2]
    apply_take(obj, take)
    assert hers in [key[:2] for key in keys_in(curve_of(obj))]
    assert len(curve_of(obj, "browInnerUp").keyframe_points) == take.frame_count
    assert {point.interpolation for point in curve_of(obj, "browInnerUp").keyframe_points} == {"LINEAR"}


def test_a_range_baked_into_reduced_curves_changes_nothing_outside_it() -> None:
    obj, take = baked()
    keys = obj.data.shape_keys
    reduce_keys([keys], KeyTolerance(0.01))
    outside = np.concatenate([np.linspace(-5, 60, 300), np.linspace(123, 230, 300)])
    before = played(keys, outside)
    apply_take(obj, take, BakeSettings(mode="mix", within_s=(2.5, 5.0), head="none", gain=1.0))
    off = np.abs(played(keys, outside) - before)
    assert off.max() <= 0.011  # the ends are the take's own values again
    assert off[(outside < 50) | (outside > 133)].max() < 1e-5


def test_a_bake_can_reduce_at_once() -> None:
    take = real_take()
    obj = make_face(take.channels)
    report = apply_take(obj, take, BakeSettings(head="none", reduce=0.01))
    assert any("keys became" in remark for remark in report.remarks)
    full = make_face(take.channels, name="Full")
    apply_take(full, replace(take, provenance={}), BakeSettings(head="none"))
    frames = np.linspace(1, 1 + take.time_s[-1] * 24, 500)
    assert np.abs(played(obj.data.shape_keys, frames) - played(full.data.shape_keys, frames)).max() <= 0.01
