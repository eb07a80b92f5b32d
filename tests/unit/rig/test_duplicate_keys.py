"""A character whose keys exist under two names moves as the one whose keys exist once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.jobs.solve import run
from facecap_addon.jobs.steps.character import rig_key
from facecap_addon.rig.blendshapes import BlendshapeRig, save_rig
from facecap_addon.rig.duplicate_keys import find_distinct_keys
from facecap_addon.takes.duplicate_keys import gather_take, scatter_take
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take
from tests.jobs.solving import quick
from tests.unit.sample import sample
from tests.unit.takes.test_between import make_rig, make_take

CLIP = Path(__file__).resolve().parents[3] / "sample_scenes" / "take_01.mp4"


def many_keyed() -> BlendshapeRig:
    """Twins, teeth of the same name that do something else, and the two halves of one channel."""
    one = make_rig(2)
    jaw, pucker = one.deltas
    names = ("jawOpen", "Jaw_Open", "Teeth.jawOpen", "mouthPucker", "browInnerUp_L", "browInnerUp_R")
    return replace(
        one,
        channels=names,
        deltas=np.stack([jaw, jaw, np.roll(jaw, 5, axis=0), pucker, pucker, pucker]),
        ranges=np.tile(np.float32([0, 1]), (6, 1)),
    )


def twice_keyed(rig: BlendshapeRig) -> BlendshapeRig:
    """A character with each key again, under another spelling."""
    again = tuple(f"{channel[0].upper()}{channel[1:]}" for channel in rig.channels)
    return replace(
        rig,
        channels=rig.channels + again,
        deltas=np.concatenate([rig.deltas, rig.deltas]),
        ranges=np.concatenate([rig.ranges, rig.ranges]),
    )


def test_twins_are_one_key_and_other_keys_of_the_channel_are_not() -> None:
    head = many_keyed()
    keys = find_distinct_keys(head)
    assert keys.rig.channels == ("jawOpen", "Teeth.jawOpen", "mouthPucker", "browInnerUp_L", "browInnerUp_R")
    np.testing.assert_allclose(keys.share, [0.5, 0.5, 1, 1, 1, 1])


def test_the_face_moves_as_far_with_all_keys_as_with_each_once() -> None:
    head = many_keyed()
    keys = find_distinct_keys(head)
    weights = np.random.default_rng(5).random((4, 5)).astype(np.float32)
    np.testing.assert_allclose(head.vertices_at(keys.scatter(weights)), keys.rig.vertices_at(weights), atol=1e-6)
    np.testing.assert_allclose(keys.gather(keys.scatter(weights)), weights, atol=1e-6)
    assert keys.scatter(weights).flags.c_contiguous


def test_a_take_goes_onto_each_key_once_and_back() -> None:
    keys = find_distinct_keys(twice_keyed(make_rig(2)))
    once = replace(make_take(np.arange(5) / 25), not_observed=("mouthPucker",))
    whole = scatter_take(once, keys)
    assert whole.channels == ("jawOpen", "mouthPucker", "JawOpen", "MouthPucker")
    assert whole.not_observed == ("mouthPucker", "MouthPucker")
    back = gather_take(whole, keys)
    assert (back.channels, back.not_observed) == (once.channels, once.not_observed)
    np.testing.assert_allclose(back.weights, once.weights, atol=1e-6)


def test_a_take_of_other_keys_is_refused() -> None:
    with pytest.raises(FacecapError, match="shape keys have changed"):
        gather_take(make_take(np.arange(3) / 25), find_distinct_keys(many_keyed()))


def test_a_head_keyed_twice_gives_what_it_gives_keyed_once(tmp_path: Path) -> None:
    plain = sample().rig
    twice = twice_keyed(plain)
    assert rig_key(find_distinct_keys(twice).rig) == rig_key(plain)
    takes = [_solved(rig, tmp_path / name) for rig, name in ((plain, "plain"), (twice, "twice"))]
    count = len(plain.channels)
    assert takes[1].channels == twice.channels
    np.testing.assert_allclose(takes[1].weights[:, :count] + takes[1].weights[:, count:], takes[0].weights, atol=1e-4)


def _solved(rig: BlendshapeRig, folder: Path) -> Take:
    folder.mkdir()
    save_rig(folder / "head.npz", rig)
    for _ in run(quick(CLIP, folder, character=str(folder / "head.npz"), end="8", live_link=False)):
        pass
    return load_take(folder / "take_01.take.npz")
