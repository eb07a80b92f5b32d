"""Groups of curves by the face's regions, as the Graph Editor and the Dope Sheet show them."""

from __future__ import annotations

import bpy

from .curves import SLOTTED, Animated, channelbag_of

HEAD, JAW, OTHER, CONTROLS = "Head", "Jaw", "Other Shapes", "Controls"
_NAMES = {
    "brows": "Brows",
    "eyes": "Eyes",
    "nose": "Nose and Cheeks",
    "cheeks": "Nose and Cheeks",
    "mouth": "Mouth",
    "jaw": JAW,
    "tongue": "Mouth",
}
_ORDER = ("Brows", "Eyes", "Nose and Cheeks", "Mouth", JAW, OTHER, HEAD)


def group_name(channel: str) -> str:
    """The group of a shape key: its region's; keys that no ARKit channel means are in one of their own."""
    from ....rig.channels import arkit_name, region_of

    arkit = arkit_name(channel)
    return OTHER if arkit is None else _NAMES[region_of(arkit)]


def sort_into_groups(datablock: Animated, groups: dict[str, list[bpy.types.FCurve]]) -> None:
    """Put curves of a datablock's present action into groups; those that have a group stay in it.

    Args:
        groups: curves by the name of their group.
    """
    animation = datablock.animation_data
    if animation is None or animation.action is None:
        return
    there = channelbag_of(datablock).groups if SLOTTED else animation.action.groups
    for name in sorted(groups, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER)):
        curves = [curve for curve in groups[name] if curve.group is None]
        if not curves:
            continue
        group = there.get(name) or there.new(name)
        for curve in curves:
            curve.group = group
