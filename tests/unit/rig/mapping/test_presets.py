"""Presets are whole: they can be read, and their channels are ARKit's."""

from __future__ import annotations

import pytest

from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.rig.mapping.mapping_file import load_mapping
from facecap_addon.rig.mapping.presets import keep_present, shipped_presets

PRESETS = shipped_presets()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_moves_targets_by_arkits_channels(name: str) -> None:
    mapping = load_mapping(PRESETS[name])
    assert mapping.name == name
    assert mapping.links
    assert {link.channel for link in mapping.links} <= set(ARKIT_CHANNELS)
    assert len({(link.channel, link.target) for link in mapping.links}) == len(mapping.links)


@pytest.mark.parametrize("name", ["ARKit", "ARKit, _L and _R", "Live Link"])
def test_presets_of_arkits_own_channels_have_all_of_them(name: str) -> None:
    mapping = load_mapping(PRESETS[name])
    assert tuple(link.channel for link in mapping.links) == ARKIT_CHANNELS
    assert len(mapping.targets) == len(ARKIT_CHANNELS)


def test_what_a_character_lacks_is_told() -> None:
    here, gone, bone = Target("key", "a"), Target("key", "b"), Target("bone", "jaw", "rotation.x", "rig")
    mapping = Mapping("mine", (Link("jawOpen", here), Link("jawLeft", gone), Link("jawOpen", bone)))
    kept, missing = keep_present(mapping, {Target("key", "a", owner="Head"), bone})
    assert [link.target for link in kept.links] == [here, bone]
    assert missing == (gone,)
