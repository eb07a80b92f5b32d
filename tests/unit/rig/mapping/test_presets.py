"""Presets are whole: they can be read, and their channels are ARKit's."""

from __future__ import annotations

import re

import pytest

from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name
from facecap_addon.rig.mapping.guess import guess_mapping
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


# Where the names of each kind of rig are written down, and what they look like.
DOCUMENTED = {
    # developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation
    "ARKit": r"[a-z]+([A-Z][a-z]+)+",
    "ARKit, _L and _R": r"[a-z]+([A-Z][a-z]+)*(_[LR])?|(jaw|mouth)(Left|Right)",
    # dev.epicgames.com, EARFaceBlendShape; Live Link Face's CSV
    "Live Link": r"([A-Z][a-z]+)+",
    # static.makehumancommunity.org/mpfb, faceunits01, under the prefix that its FaceService gives expressions
    "MPFB face units": r"!ex-[a-z]+([A-Z][a-z]+)+",
    # malaybaku.github.io/VMagicMirror, Perfect Sync; hinzka/52blendshapes-for-VRoid-face
    "VRM 0 Perfect Sync": r"([A-Z][a-z]+)+",
    "VRM 1 Perfect Sync": r"[a-z]+([A-Z][a-z]+)+",
    # vrm-c/vrm-specification, 0.0 and VRMC_vrm-1.0: presets of expressions
    "VRM 0 expressions": r"[AIUEO]|Blink_[LR]|Look(Up|Down|Left|Right)|Joy|Angry|Sorrow|Fun",
    "VRM 1 expressions": r"aa|ih|ou|ee|oh|blink(Left|Right)|look(Up|Down|Left|Right)|happy|angry|sad|relaxed|surprised",
    # vroid.com, VRoid Studio's exported morphs
    "VRoid": r"Fcl_(MTH_(A|I|U|E|O|Joy|Sorrow)|EYE_(Close_[LR]|Surprised)|BRW_(Angry|Surprised))",
    # docs.readyplayer.me, morph targets: Apple ARKit, Oculus OVR LipSync
    "Ready Player Me": r"[a-z]+([A-Z][a-z]+)+",
    "Ready Player Me, visemes only": r"viseme_(aa|E|I|O|U|PP|FF)|mouthSmile|eyes(Closed|LookUp|LookDown)",
    # Reallusion's ExPlus and extended profiles: soupday/cc_blender_tools, facerig_data.py
    "Character Creator 3 ExPlus": r"A\d\d(_[A-Z][a-z]+)+",
    "Character Creator 4 extended": r"(Eye|Jaw|Mouth|Brow|Cheek|Nose)(_[A-Z][a-z]*)+",
    # Daz's own bridge, DzBridgeMorphSelectionDialog: ARKit for Genesis 8.1, FACS for Genesis 9
    "Daz Genesis 8.1": r"facs_((jnt|ctrl)_[A-Za-z]+|bs_[A-Za-z]+_div2|bs_TongueOut)",
    "Daz Genesis 9": r"facs_bs_[A-Za-z]+",
    # Epic, MetaHuman's facial description standard: curves of the face board
    "MetaHuman expression curves": r"CTRL_expressions_[A-Za-z]+",
    # Mixamo's Face Plus set, as Fuse exports it
    "Mixamo Fuse": r"([A-Z][a-z]+)+(_Left|_Right)?",
    # The morphs that MikuMikuDance's own models have
    "MikuMikuDance": r"ウィンク右?|[あいうえお上下]|口角[上下]げ|びっくり",
}
KEY_PRESETS = [name for name, path in PRESETS.items() if all(t.kind == "key" for t in load_mapping(path).targets)]


@pytest.mark.parametrize("name", KEY_PRESETS)
def test_targets_have_documented_names_and_left_is_left(name: str) -> None:
    mapping = load_mapping(PRESETS[name])
    for link in mapping.links:
        assert re.fullmatch(DOCUMENTED[name], link.target.name), link.target.name
        assert 0.0 < link.factor <= 1.0
        # What the recogniser of names knows as well it knows as the same; it tells sides apart on its own.
        assert arkit_name(link.target.name) in (None, link.channel), link.target.name
        side = re.search(r"(Left|Right|[._][LR])(_div2|_Look_\w+)?$", link.target.name)
        if side and not re.search(r"[Ll]ook(Left|Right|_[LR])|Jaw|[Mm]outh_?(Left|Right|[LR])$", link.target.name):
            other = "Right" if "L" in side.group(1) else "Left"
            assert not link.channel.endswith(other), link.target.name


def test_eyes_look_to_the_side_that_a_control_names() -> None:
    mapping = load_mapping(PRESETS["VRM 1 expressions"])
    to_the_left = {link.channel for link in mapping.links if link.target.name == "lookLeft"}
    assert to_the_left == {"eyeLookOutLeft", "eyeLookInRight"}
    for preset, left_eye_to_the_left in (
        ("Character Creator 4 extended", "Eye_L_Look_L"),
        ("MetaHuman expression curves", "CTRL_expressions_eyeLookLeftL"),
    ):
        links = load_mapping(PRESETS[preset]).links
        assert [link.target.name for link in links if link.channel == "eyeLookOutLeft"] == [left_eye_to_the_left]


@pytest.mark.parametrize("name", KEY_PRESETS)
def test_a_rig_of_a_presets_names_is_mapped_as_the_preset_says(name: str) -> None:
    preset = load_mapping(PRESETS[name])
    found = guess_mapping("mine", preset.targets)
    assert {(link.channel, link.target) for link in found.mapping.links} == {
        (link.channel, link.target) for link in preset.links
    }


@pytest.mark.parametrize(
    "name",
    [
        *("ARKit", "ARKit, _L and _R", "Live Link", "MPFB face units", "VRM 0 Perfect Sync", "VRM 1 Perfect Sync"),
        *("Ready Player Me", "Daz Genesis 8.1"),
    ],
)
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
