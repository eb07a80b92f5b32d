"""Takes on characters with other names: every channel where its key is, halves and wholes included."""

from __future__ import annotations

import numpy as np

from facecap_addon.takes.channel_map import guess_keys, map_by_names, map_channels
from tests.blender.takes import make_take

KEYS = ("jaw_open", "Mouth_Smile_L", "mouthSmile_R", "browInnerUp_L", "browInnerUp_R", "lips_part", "cheekPuff")


def test_names_are_found_as_arkit_means_them() -> None:
    assert guess_keys("jawOpen", KEYS) == ["jaw_open"]
    assert guess_keys("mouthSmileRight", KEYS) == ["mouthSmile_R"]
    assert guess_keys("browInnerUp", KEYS) == ["browInnerUp_L", "browInnerUp_R"]
    assert guess_keys("cheekPuff_L", KEYS) == ["cheekPuff"]
    assert guess_keys("browInnerUp_L", ("brow_inner_up_right", "brow_inner_up_left")) == ["brow_inner_up_left"]
    assert guess_keys("tailWag", KEYS) == []


def test_a_take_gets_the_characters_names_and_what_means_nothing_keeps_its_own() -> None:
    take = make_take(channels=("jawOpen", "browInnerUp", "tailWag", "lips_part"), not_observed=("browInnerUp",))
    mapped, renamed = map_by_names(take, KEYS)
    assert dict(zip(mapped.channels, mapped.weights.T.tolist(), strict=True)) == {
        "tailWag": take.weights[:, 2].tolist(),
        "lips_part": take.weights[:, 3].tolist(),
        "jaw_open": take.weights[:, 0].tolist(),
        "browInnerUp_L": take.weights[:, 1].tolist(),
        "browInnerUp_R": take.weights[:, 1].tolist(),
    }
    assert mapped.not_observed == ("browInnerUp_L", "browInnerUp_R")
    assert renamed[0] == ("jawOpen", "jaw_open")


def test_a_take_that_fits_is_left_as_it_is() -> None:
    take = make_take(channels=("jaw_open", "jawOpen"))
    assert map_by_names(take, ("jaw_open", "jawOpen"))[0] is take
    assert map_by_names(take, ("jaw_open",))[0] is take  # the key has its own channel already


def test_a_table_leaves_out_what_it_does_not_name_and_halves_meet_in_the_middle() -> None:
    take = make_take(channels=("puff_L", "puff_R", "jawOpen"))
    mapped = map_channels(take, [("puff_L", "puff"), ("puff_R", "puff"), ("jawOpen", ""), ("gone", "puff")])
    assert mapped.channels == ("puff",)
    np.testing.assert_allclose(mapped.weights[:, 0], take.weights[:, :2].mean(1), atol=1e-6)
