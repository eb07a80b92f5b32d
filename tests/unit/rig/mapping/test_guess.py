"""A mapping guessed by names and by what moves: right where it can be known, marked where it is not certain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.foreign_rigs import (
    ForeignRig,
    add_keys,
    disguise,
    halve,
    join,
    meaningless_keys,
    meanings_of,
    restyle,
    stylise,
)
from facecap_addon.rig.channels import ARKIT_CHANNELS, mirror_name
from facecap_addon.rig.mapping.guess import Guess, KnownHead, add_links, guess_mapping
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.rig.mapping.motion import measure_motion
from tests.unit.sample import sample


def known() -> KnownHead:
    head = sample()
    return KnownHead(measure_motion(head.rig, head.embedding), head.rig.channels)


def keys(names: tuple[str, ...]) -> list[Target]:
    return [Target("key", name) for name in names]


def guess(foreign: ForeignRig) -> Guess:
    motion = measure_motion(foreign.rig, foreign.embedding)
    return guess_mapping("mine", keys(foreign.rig.channels), motion, known(), foreign.rig.ranges)


def score(foreign: ForeignRig) -> tuple[float, list[str]]:
    """Share of the keys that are right, and those that are wrong without a mark."""
    links = guess(foreign).mapping.links
    right, unmarked = 0, []
    for name, truth in zip(foreign.rig.channels, foreign.truth, strict=True):
        mine = [link for link in links if link.target.name == name]
        as_meant = {link.channel for link in mine} == {channel for channel, _ in truth or ()}
        right += as_meant
        if not as_meant and any(link.sure for link in mine):
            unmarked.append(name)
    return right / len(foreign.truth), unmarked


def test_keys_of_another_sculptor_on_a_cartoons_face_are_found_by_what_moves() -> None:
    head = sample()
    halves = halve(head.rig, head.embedding, ("browInnerUp", "cheekPuff", "mouthRollLower"))
    rig = restyle(stylise(halves, head.embedding))
    rig, truth = add_keys(rig, meanings_of(halves.channels), list(meaningless_keys(halves)))
    right, unmarked = score(disguise("cartoon", rig, head.embedding, truth, "keys"))
    assert right >= 0.95
    assert unmarked == []


def test_keys_that_move_both_sides_are_moved_by_the_mean_of_both() -> None:
    head = sample()
    joined, truth = join(head.rig, ("mouthSmileLeft", "eyeBlinkLeft", "browDownLeft"))
    foreign = disguise("joined", restyle(joined), head.embedding, truth, "japanese")
    right, unmarked = score(foreign)
    assert right >= 0.95 and unmarked == []
    smile = foreign.rig.channels[foreign.truth.index((("mouthSmileLeft", None), ("mouthSmileRight", None)))]
    assert {link.factor for link in guess(foreign).mapping.links if link.target.name == smile} == {0.5}


def test_one_key_for_both_directions_is_moved_each_way() -> None:
    head = sample()
    place = {channel: k for k, channel in enumerate(head.rig.channels)}
    names = ("Regler 1", "Regler 2")
    deltas = head.rig.deltas[[place["jawLeft"], place["jawOpen"]]]
    rig = replace(head.rig, channels=names, deltas=deltas, ranges=np.array([[-1, 1], [0, 1]], np.float32))
    found = guess_mapping("mine", keys(names), measure_motion(rig, head.embedding), known(), rig.ranges)
    assert {(link.channel, link.target.name, link.factor) for link in found.mapping.links} == {
        ("jawLeft", "Regler 1", 1.0),
        ("jawRight", "Regler 1", -1.0),
        ("jawOpen", "Regler 2", 1.0),
    }


def test_a_key_that_moves_little_or_nothing_is_left_out() -> None:
    head = sample()
    rig = replace(head.rig, channels=tuple(map(str, range(52))), deltas=head.rig.deltas * 0.01)
    found = guess_mapping("mine", keys(rig.channels), measure_motion(rig, head.embedding), known(), rig.ranges)
    assert found.mapping.links == () and found.missing == ARKIT_CHANNELS


def test_names_decide_and_are_sure() -> None:
    names = ("mouthSmile_L", "A25_Jaw_Open", "CTRL_expressions_noseWrinkleR", "jawOpen_mouthClose", "Bart")
    found = guess_mapping("mine", keys(names))
    assert [(link.channel, link.target.name, link.sure) for link in found.mapping.links] == [
        ("jawOpen", "A25_Jaw_Open", True),
        ("mouthSmileLeft", "mouthSmile_L", True),
        ("noseSneerRight", "CTRL_expressions_noseWrinkleR", True),
    ]
    assert [target.name for target in found.left_out] == ["jawOpen_mouthClose", "Bart"]
    assert set(found.missing) == set(ARKIT_CHANNELS) - {"jawOpen", "mouthSmileLeft", "noseSneerRight"}


def test_a_name_without_a_side_takes_the_mean_of_both() -> None:
    found = guess_mapping("mine", keys(("mouthSmile", "Eye_Blink", "jaw", "mouth", "browDown", "browDown_L")))
    assert [(link.channel, link.target.name, link.factor) for link in found.mapping.links] == [
        ("eyeBlinkLeft", "Eye_Blink", 0.5),
        ("eyeBlinkRight", "Eye_Blink", 0.5),
        ("mouthSmileLeft", "mouthSmile", 0.5),
        ("mouthSmileRight", "mouthSmile", 0.5),
        ("browDownLeft", "browDown_L", 1.0),
    ]


def test_a_name_on_several_meshes_is_keyed_on_each_and_another_spelling_of_it_is_not() -> None:
    targets = [
        Target("key", "jawOpen", owner="Head"),
        Target("key", "jawOpen", owner="Teeth"),
        Target("key", "Jaw_Open"),
    ]
    found = guess_mapping("mine", targets)
    assert [link.target for link in found.mapping.links] == targets[:2]
    assert any("Jaw_Open" in note for note in found.notes)


def test_names_fill_what_they_can_and_motion_the_rest() -> None:
    head = sample()
    names = tuple(f"Key {k}" if k % 3 else name for k, name in enumerate(head.rig.channels))
    rig = replace(head.rig, channels=names)
    found = guess_mapping("mine", keys(names), measure_motion(rig, head.embedding), known(), rig.ranges)
    assert found.missing == () and found.left_out == ()
    by_target = {link.target.name: link for link in found.mapping.links}
    for name, channel in zip(names, head.rig.channels, strict=True):
        assert by_target[name].channel == channel


def test_names_that_mean_the_other_side_are_turned_round_and_marked() -> None:
    head = sample()
    rig = replace(head.rig, channels=tuple(mirror_name(name) for name in head.rig.channels))
    found = guess_mapping("mine", keys(rig.channels), measure_motion(rig, head.embedding), known(), rig.ranges)
    by_target = {link.target.name: link for link in found.mapping.links}
    assert by_target["mouthSmileLeft"].channel == "mouthSmileRight"
    assert not by_target["mouthSmileLeft"].sure and by_target["jawOpen"].sure
    assert any("other side" in note for note in found.notes)


@pytest.mark.parametrize("landmark", [0, 300])
def test_landmarks_that_nothing_shows_do_not_count(landmark: int) -> None:
    head = sample()
    valid = head.embedding.valid.copy()
    valid[landmark : landmark + 150] = False
    hidden = replace(head.embedding, valid=valid)
    rig = replace(head.rig, channels=tuple(f"Key {k}" for k in range(52)))
    found = guess_mapping("mine", keys(rig.channels), measure_motion(rig, hidden), known(), rig.ranges)
    right = sum(head.rig.channels[int(link.target.name[4:])] == link.channel for link in found.mapping.links)
    assert right >= 50


def test_filling_the_52_keeps_what_was_set_by_hand() -> None:
    targets = keys(("Jaw_Open", "mouthSmile_L", "mouthSmile_R", "puff"))
    mine = Mapping("mine", (Link("jawOpen", targets[1], 0.3), Link("cheekPuff", targets[3])))
    filled = add_links(mine, guess_mapping("guess", targets).mapping)
    assert filled.links[:2] == mine.links and filled.name == "mine"
    # jawOpen has its link, and mouthSmile_L its channel; one of the four is left to fill.
    assert filled.links[2:] == (Link("mouthSmileRight", targets[2]),)
    assert add_links(filled, guess_mapping("guess", targets).mapping) == filled
