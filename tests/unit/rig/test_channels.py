"""ARKit channels are recognised under the spellings that rigs, exporters and capture apps use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.rig.channels import (
    ARKIT_CHANNELS,
    OPPOSING_PAIRS,
    arkit_name,
    is_corrective,
    mirror_name,
    pair_side,
    region_of,
)
from facecap_addon.takes.formats.live_link import LIVE_LINK_SHAPES
from facecap_addon.takes.take import REGIONS

ICT_RIG = Path(__file__).resolve().parents[4] / "shared" / "data" / "rig" / "ict_facekit_arkit.npz"


def test_there_are_52_in_the_order_of_live_link() -> None:
    assert len(ARKIT_CHANNELS) == len(set(ARKIT_CHANNELS)) == 52
    assert tuple(name[0].upper() + name[1:] for name in ARKIT_CHANNELS) == LIVE_LINK_SHAPES


@pytest.mark.parametrize("channel", ARKIT_CHANNELS)
def test_every_channel_under_every_common_spelling(channel: str) -> None:
    capital = channel[0].upper() + channel[1:]
    snake = "".join("_" + c.lower() if c.isupper() else c for c in channel)
    for spelling in (channel, capital, snake, snake.upper(), channel.lower(), channel.upper()):
        assert arkit_name(spelling) == channel, spelling
    for prefix in ("Head.", "blendShape1.", "BS_", "rig:face|", "head_geo__", "Wolf3D_"):
        assert arkit_name(prefix + channel) == channel
        assert arkit_name(prefix + capital) == channel
    assert arkit_name(channel + ".001") == channel
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if channel.endswith(side):
            base = channel.removesuffix(side)
            letter = side[0]
            for spelling in (
                f"{base}_{letter}",
                f"{base}.{letter}",
                f"{base}-{letter.lower()}",
                f"{base}{letter}",
                f"{base}_{side}",
                f"{letter}_{base}",
                f"{side}_{base}",
                f"{side.lower()}{base[0].upper()}{base[1:]}",
                f"Head.{base}_{letter}",
                f"L_Face.{base}" if letter == "L" else f"R_Face.{base}",
            ):
                assert arkit_name(spelling) == channel, spelling
                assert pair_side(spelling) is None
            assert mirror_name(channel) == base + other


def test_halves_of_a_channel_that_arkit_has_as_one() -> None:
    for spelling in ("browInnerUp_L", "browInnerUpLeft", "BrowInnerUp.L", "brow_inner_up_left"):
        assert (arkit_name(spelling), pair_side(spelling)) == ("browInnerUp", "left")
    assert (arkit_name("cheekPuff_R"), pair_side("cheekPuff_R")) == ("cheekPuff", "right")
    assert pair_side("browInnerUp") is None
    assert arkit_name("jawLeft_R") is None


def test_names_that_are_no_arkit_channel() -> None:
    for name in ("", "Basis", "Key 1", "smile", "aa", "Fcl_MTH_A", "mouth", "jaw", "L", "_", "cheekRaiser_L"):
        assert arkit_name(name) is None, name
    for both_sides in ("eyeBlink", "mouthSmile", "MouthFrown", "eye_wide"):
        assert arkit_name(both_sides) is None, both_sides
    for combination in ("jawOpen_mouthClose", "jawOpenCorrective", "corrective_jawOpen", "fix.mouthFunnel", "jawOpen2"):
        assert arkit_name(combination) is None, combination
    assert arkit_name("глаз_Левый") is None


def test_vrm_blinks() -> None:
    assert arkit_name("Blink_L") == arkit_name("blinkLeft") == "eyeBlinkLeft"
    assert arkit_name("Blink") is None


@pytest.mark.parametrize(
    ("spelling", "channel", "half"),
    [
        ("Brow_Drop_L", "browDownLeft", None),
        ("Brow_Raise_Inner_R", "browInnerUp", "right"),
        ("Eye_L_Look_R", "eyeLookInLeft", None),
        ("Eye_R_Look_R", "eyeLookOutRight", None),
        ("Eye_R_Look_Up", "eyeLookUpRight", None),
        ("Mouth_Up_Upper_L", "mouthUpperUpLeft", None),
        ("Mouth_Roll_In_Lower_R", "mouthRollLower", "right"),
        ("Jaw_L", "jawLeft", None),
        ("A52_Tongue_Out", "tongueOut", None),
        ("facs_bs_MouthSmileLeft_div2", "mouthSmileLeft", None),
        ("facs_jnt_EyesWideRight", "eyeWideRight", None),
        ("facs_bs_BrowInnerUpLeft", "browInnerUp", "left"),
        ("CTRL_expressions_mouthCornerDepressL", "mouthFrownLeft", None),
        ("CTRL_expressions_eyeLookLeftL", "eyeLookOutLeft", None),
        ("CTRL_expressions_eyeLookLeftR", "eyeLookInRight", None),
        ("CTRL_expressions_jawFwd", "jawForward", None),
        ("!ex-eyeBlinkLeft", "eyeBlinkLeft", None),
    ],
)
def test_names_of_other_programs(spelling: str, channel: str, half: str | None) -> None:
    assert (arkit_name(spelling), pair_side(spelling)) == (channel, half)


def test_correctives_say_so() -> None:
    for name in (
        "jawOpenCorrective",
        "facs_cbs_EyeBlinkLeft_div2",
        "jawOpen_mouthClose",
        "CTRL_expressions_jawOpenExtreme",
    ):
        assert is_corrective(name) and arkit_name(name) is None
    for name in ("jawOpen", "Brow_Drop_L", "Key 1", "まばたき", "Fat"):
        assert not is_corrective(name)


def test_mirroring_twice_gives_the_channel_back_and_stays_in_its_region() -> None:
    for channel in ARKIT_CHANNELS:
        assert mirror_name(channel) in ARKIT_CHANNELS
        assert mirror_name(mirror_name(channel)) == channel
        assert region_of(mirror_name(channel)) == region_of(channel)
    assert (mirror_name("jawLeft"), mirror_name("jawOpen")) == ("jawRight", "jawOpen")


def test_regions() -> None:
    assert {region_of(channel) for channel in ARKIT_CHANNELS} == {*REGIONS, "tongue"}
    assert region_of("noseSneerLeft") == "nose"
    with pytest.raises(KeyError):
        region_of("Key 1")


def test_opposing_pairs_are_symmetric() -> None:
    pairs = {frozenset(pair) for pair in OPPOSING_PAIRS}
    assert len(pairs) == len(OPPOSING_PAIRS)
    for a, b in OPPOSING_PAIRS:
        assert a in ARKIT_CHANNELS and b in ARKIT_CHANNELS and a != b
        assert frozenset((mirror_name(a), mirror_name(b))) in pairs


def test_the_ict_facekit_names() -> None:
    if not ICT_RIG.exists():
        pytest.skip("the ICT-FaceKit rig is not here")
    names = [str(name) for name in np.load(ICT_RIG, allow_pickle=False)["names"]]
    channels = [arkit_name(name) for name in names]
    unknown = {name for name, channel in zip(names, channels, strict=True) if channel is None}
    assert unknown == {"PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R"}
    assert set(ARKIT_CHANNELS) - set(channels) == {"tongueOut"}
    assert {name for name in names if pair_side(name)} == {
        *("browInnerUp_L", "browInnerUp_R", "cheekPuff_L", "cheekPuff_R")
    }
