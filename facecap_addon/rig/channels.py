"""The 52 ARKit channels: recognising them under the names rigs give them, and what is known about each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .sides import SIDEWAYS, Side

# Apple's names, in the order in which ARKit and Live Link Face list them.
ARKIT_CHANNELS: tuple[str, ...] = (
    *("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft"),
    *("eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"),
    *("eyeSquintRight", "eyeWideRight", "jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel"),
    *("mouthPucker", "mouthRight", "mouthLeft", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight"),
    *("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft"),
    *("browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft"),
    *("cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)


def _pair_up(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Pairs with a `*` for the side, once for either side."""
    return tuple((a.replace("*", side), b.replace("*", side)) for a, b in pairs for side in ("Left", "Right"))


# Channels that undo each other: recordings of faces never show both at once.
OPPOSING_PAIRS: tuple[tuple[str, str], ...] = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("eyeLookOutLeft", "eyeLookOutRight"),
    *_pair_up(
        ("mouthSmile*", "mouthFrown*"),
        ("mouthUpperUp*", "mouthRollUpper"),
        ("eyeBlink*", "eyeWide*"),
        ("eyeLookIn*", "eyeLookOut*"),
        ("eyeLookUp*", "eyeLookDown*"),
        ("browDown*", "browOuterUp*"),
    ),
)

# Channels that only take back what another does: closed lips are closed over an open jaw.
WITHIN_PAIRS: tuple[tuple[str, str], ...] = (("mouthClose", "jawOpen"),)

_REGION_OF_PREFIX = {
    "brow": "brows",
    "eye": "eyes",
    "nose": "nose",
    "cheek": "cheeks",
    "mouth": "mouth",
    "jaw": "jaw",
    "tongue": "tongue",
}
_SIDE_OF_WORD: dict[str, Side] = {
    **dict.fromkeys(("l", "lt", "lft", "left"), "left"),
    **dict.fromkeys(("r", "rt", "rgt", "right"), "right"),
}
_SIDES = (("left", "Left"), ("right", "Right"))
# What other programs call ARKit's channels, once case, separators, prefixes and sides are set aside.
_SIDED_SPELLINGS = {
    "blink": "eyeBlink",  # VRM's own presets: vrm-c/vrm-specification, VRMC_vrm-1.0 and 0.0
    # Reallusion Character Creator 4 extended: soupday/cc_blender_tools, facerig_data.py
    **{"browdrop": "browDown", "browraiseouter": "browOuterUp", "cheekraise": "cheekSquint"},
    **{"mouthdownlower": "mouthLowerDown", "mouthupupper": "mouthUpperUp"},
    "eyeswide": "eyeWide",  # Daz Genesis 8.1, facs_jnt_EyesWideLeft: Daz bridge, DzBridgeMorphSelectionDialog
    # MetaHuman, CTRL_expressions_*: Epic, "MetaHuman facial description standard", and its ARKit mapping pose
    **{"eyewiden": "eyeWide", "eyesquintinner": "eyeSquint", "eyecheekraise": "cheekSquint"},
    **{"nosewrinkle": "noseSneer", "mouthcornerpull": "mouthSmile", "mouthcornerdepress": "mouthFrown"},
    **{"mouthupperlipraise": "mouthUpperUp", "mouthlowerlipdepress": "mouthLowerDown", "mouthlipspress": "mouthPress"},
}
_CENTRAL_SPELLINGS = {
    **{"browraiseinner": "browInnerUp", "mouthrollinlower": "mouthRollLower", "mouthrollinupper": "mouthRollUpper"},
    **{"browraisein": "browInnerUp", "mouthlowerliprollin": "mouthRollLower", "mouthupperliprollin": "mouthRollUpper"},
    **{"mouthcheekblow": "cheekPuff", "jawfwd": "jawForward"},
}
# An eye and the side it looks to: Character Creator 4 (Eye_L_Look_R), MetaHuman (eyeLookRightL).
_LOOKS = {
    **{"eyellookl": "eyeLookOutLeft", "eyellookr": "eyeLookInLeft"},
    **{"eyerlookl": "eyeLookInRight", "eyerlookr": "eyeLookOutRight"},
    **{"eyelookleftl": "eyeLookOutLeft", "eyelookrightl": "eyeLookInLeft"},
    **{"eyelookleftr": "eyeLookInRight", "eyelookrightr": "eyeLookOutRight"},
}
_CHANNEL_OF_SPELLING = {
    **{spelling + side: channel + end for spelling, channel in _SIDED_SPELLINGS.items() for side, end in _SIDES},
    **_CENTRAL_SPELLINGS,
    **_LOOKS,
    **{name.lower(): name for name in ARKIT_CHANNELS},
}
# Keys that correct a combination of others are no channel, whatever name they contain.
_CORRECTIVE_WORDS = frozenset(("corrective", "correction", "fix", "combo", "inbetween", "cbs"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAMESPACE = re.compile(r".*[:|/]")
# Blender's for a second of that name; Daz's for Genesis 8.1's halved morphs.
_ENDING = re.compile(r"(\.\d{3}|_div2)+$")


def arkit_name(name: str) -> str | None:
    """The ARKit channel a shape key stands for, or None.

    Recognised: lowerCamelCase and Live Link's capitals (`EyeBlinkLeft`), snake_case, a side written `_L`, `.L`, `Left`,
    `left_` before, after or within, names in front (`Head.`, `blendShape1.`, `rig:`), Blender's `.001`. Both members
    of a pair that ARKit has as one channel (`browInnerUp_L`, `cheekPuffRight`) give that channel; `pair_side` tells
    which member it is. A key without a side where ARKit has two (`mouthSmile`) moves both, so it is neither: None. So
    are keys that name two channels (`jawOpen_mouthClose`) or call themselves corrective.
    """
    found = _recognise(name)
    return found[0] if found else None


def match_channels(
    given: Sequence[str], wanted: Sequence[str]
) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], tuple[str, ...]]:
    """Which of the channels wanted take which of those given: by their own name, else by ARKit's.

    Halves of a channel that ARKit has as a whole take their own half, else the whole; a whole takes a half.

    Returns:
        indices of those wanted and, beside them, of those given; and the names given that none takes.
    """
    place: dict[tuple[str, str], int] = {}
    for k, name in enumerate(given):
        channel, half = _recognise(name) or (name, None)
        place |= {("own", name): k, (half or "whole", channel): k, ("any", channel): k}
    pairs: list[tuple[int, int]] = []
    for k, name in enumerate(wanted):
        channel, half = _recognise(name) or (name, None)
        spellings = (("own", name), (half or "whole", channel), ("whole" if half else "any", channel))
        pairs += [(k, place[one]) for one in spellings if one in place][:1]
    both = np.array(pairs, np.intp).reshape(-1, 2)
    taken = set(both[:, 1].tolist())
    return (both[:, 0], both[:, 1]), tuple(c for k, c in enumerate(given) if k not in taken)


def match_halves(given: Sequence[str], wanted: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of two lists of names go together, where one may have a channel whole and the other its two halves.

    Returns:
        (N,) indices into `wanted` and (N,) into `given`; a whole channel stands there with both of its halves.
    """
    (wanted_at, given_at), _ = match_channels(given, wanted)
    (back_given, back_wanted), _ = match_channels(wanted, given)
    halves = np.array([pair_side(given[int(k)]) is not None for k in back_given], bool)
    pairs = np.concatenate([np.stack([wanted_at, given_at], 1), np.stack([back_wanted, back_given], 1)[halves]])
    both = np.unique(pairs, axis=0)
    return both[:, 0], both[:, 1]


def pair_side(name: str) -> Side | None:
    """The side of a key that is one half of a channel ARKit has only as a whole: "left" for `browInnerUp_L`."""
    found = _recognise(name)
    return found[1] if found else None


def mirror_name(channel: str) -> str:
    """The ARKit channel that does the same on the other side of the face; itself if it does it on both."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if channel.endswith(side):
            return channel.removesuffix(side) + other
    return channel


def is_corrective(name: str) -> bool:
    """Whether a key says that it corrects a combination of others, or names two channels: then it is none itself."""
    words = [word.lower() for word in _WORD.findall(_ENDING.sub("", _NAMESPACE.sub("", name)))]
    if _CORRECTIVE_WORDS.intersection(words):
        return True
    return arkit_name(name) is None and any(
        _match(words[start:end]) is not None for start in range(len(words)) for end in range(start + 1, len(words) + 1)
    )


def columns_by_name(channels: Sequence[str]) -> dict[str, list[int]]:
    """Where ARKit's channels stand among channels; there may be two keys for one, its left and its right half."""
    columns: dict[str, list[int]] = {}
    for k, channel in enumerate(channels):
        name = arkit_name(channel)
        if name is not None:
            columns.setdefault(name, []).append(k)
    return columns


def region_of(channel: str) -> str:
    """The region of an ARKit channel: "brows", "eyes", "nose", "cheeks", "mouth", "jaw" or "tongue".

    Raises KeyError for a name that is not ARKit's.
    """
    return _REGION_OF_CHANNEL[channel]


_REGION_OF_CHANNEL = {
    channel: next(region for prefix, region in _REGION_OF_PREFIX.items() if channel.startswith(prefix))
    for channel in ARKIT_CHANNELS
}


@lru_cache(maxsize=4096)  # the panel asks for every key at every redraw
def _recognise(name: str) -> tuple[str, Side | None] | None:
    """(channel, side of the pair member or None), or None."""
    words = [word.lower() for word in _WORD.findall(_ENDING.sub("", _NAMESPACE.sub("", name)))]
    for start in range(len(words)):
        found = _match(words[start:]) or _match_with_leading_side(words, start)
        if found is None:
            continue
        before = words[:start]
        names_another = any(_match(before[i:]) for i in range(len(before)))
        return None if names_another or _CORRECTIVE_WORDS.intersection(before) else found
    return None


def _match_with_leading_side(words: list[str], start: int) -> tuple[str, Side | None] | None:
    """A side that stands before other words: `L_Head_eyeBlink`."""
    sides = [word for word in words[:start] if word in _SIDE_OF_WORD]
    return _match([*words[start:], sides[0]]) if len(sides) == 1 else None


def _match(words: list[str]) -> tuple[str, Side | None] | None:
    """All of these words as one channel."""
    whole = _CHANNEL_OF_SPELLING.get("".join(words))
    if whole is not None:
        return whole, None
    for position in range(len(words) - 1, -1, -1):
        side = _SIDE_OF_WORD.get(words[position])
        if side is None:
            continue
        rest = "".join(words[:position] + words[position + 1 :])
        sided = _CHANNEL_OF_SPELLING.get(rest + side)
        if sided is not None:
            return sided, None
        centre = _CHANNEL_OF_SPELLING.get(rest)
        if centre is not None and centre == mirror_name(centre) and centre not in SIDEWAYS:
            return centre, side
    return None
