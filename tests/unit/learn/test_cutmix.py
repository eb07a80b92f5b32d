"""Halves of faces joined across frames: what is seen above the seam is one face, below it the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from facecap_addon.learn.data.cutmix import SHARE, CutMix, make_cutmix, pair_indices
from facecap_addon.rig.channels import ARKIT_CHANNELS

FACE = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5]], np.float32)


def frames_with(cameras: int) -> Any:
    return SimpleNamespace(pictures=[np.zeros((1, cameras, 8, 6), np.uint8)])


def test_brows_and_eyes_stay_and_the_mouth_of_another_face_comes() -> None:
    cutmix = make_cutmix(ARKIT_CHANNELS, frames_with(1))
    assert cutmix is not None
    pictures = np.stack([np.full((1, 160, 120), level, np.uint8) for level in (50, 200)])
    weights = np.stack([np.full(52, 0.1, np.float32), np.full(52, 0.9, np.float32)])
    seen, given = cutmix.mix_halves(pictures, weights, np.stack([FACE, FACE]), np.array([1, 1]))
    seam = 160 * (0.3 + 0.45 * 0.2)
    assert (seen[0, 0, : int(seam) - 5] == 50).all() and (seen[0, 0, int(seam) + 5 :] == 200).all()
    of = dict(zip(ARKIT_CHANNELS, given[0], strict=True))
    assert of["browInnerUp"] == of["eyeBlinkLeft"] == of["eyeLookInRight"] == np.float32(0.1)
    assert of["jawOpen"] == of["mouthSmileLeft"] == of["noseSneerRight"] == np.float32(0.9)
    np.testing.assert_array_equal(seen[1], pictures[1])
    np.testing.assert_array_equal(given[1], weights[1])


def test_the_other_face_is_brought_to_where_this_one_is() -> None:
    """A mark on the other face lands on the same place of this face, though that head is shifted, turned and larger."""
    turn, size = 0.1, 1.2
    matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    at = np.concatenate([FACE, [[0.5, 0.7]]]) * (120, 160) - 0.5  # the last: a mark on the chin
    there = at @ matrix.T + (-20.0, -28.0)
    pictures = np.zeros((2, 1, 160, 120), np.uint8)
    x, y = there[3]
    rows, columns = np.mgrid[:160, :120]
    pictures[1, 0] = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)
    face = np.stack([at[:3], there[:3]]) + 0.5
    face = (face / (120, 160)).astype(np.float32)
    cutmix = CutMix(np.array([True, False]))
    seen, _ = cutmix.mix_halves(pictures, np.zeros((2, 2), np.float32), face, np.array([1, 1]))
    light = seen[0, 0].astype(np.float64)
    found = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    np.testing.assert_allclose(found, at[3], atol=0.3)


def test_a_face_that_was_not_found_is_left_alone() -> None:
    pictures = np.stack([np.full((3, 32, 24), level, np.uint8) for level in (50, 200)])
    face = np.stack([np.full((3, 2), np.nan, np.float32), FACE])
    seen, given = CutMix(np.array([True, False])).mix_halves(
        pictures, np.eye(2, dtype=np.float32), face, np.array([1, 0])
    )
    np.testing.assert_array_equal(seen, pictures)
    np.testing.assert_array_equal(given, np.eye(2))


def test_who_is_joined_with_whom_depends_on_the_items_alone() -> None:
    items = np.random.default_rng(3).permutation(4000)
    np.testing.assert_array_equal(pair_indices(items), pair_indices(items.copy()))
    assert (pair_indices(items) != pair_indices(items[::-1])).any()
    assert abs((pair_indices(items) != np.arange(4000)).mean() - SHARE) < 0.03


def test_only_arkits_keys_and_one_camera_say_what_a_half_is() -> None:
    assert make_cutmix((*ARKIT_CHANNELS, "wrinkle_07"), frames_with(1)) is None
    assert make_cutmix(ARKIT_CHANNELS, frames_with(2)) is None
