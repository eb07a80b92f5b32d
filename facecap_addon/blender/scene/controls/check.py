"""Whether a character can be moved by a mapping: all that stands in the way, in one message, before it is keyed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import bpy

from ....errors import FacecapError
from ....rig.mapping.mapping import Mapping, Target
from ..animation.curves import SLOTTED, Animated, curves_in
from ..head.rest import holding
from .bone_channels import is_locked
from .driver_cycles import find_cycles
from .targets import Controls, Place, controls_of, find_places, property_path
from .unmoved import find_unmoved

_WORDS = {
    "missing": "the character has no {names}",
    "ambiguous": "more than one object could be meant by {names}",
    "linked": "{names} linked from another file, without a library override",
    "locked": "locked against being moved: {names}",
    "driven": "moved by drivers: {names}",
    "cyclic": "drivers that go round in a circle hang on {names}",
}
"""What stands in the way, by its kind, in the order in which it is said."""


@dataclass
class Problems:
    """What keeps a mapping from being keyed.

    Attributes:
        found: the targets concerned, by kind: "missing", "ambiguous", "linked", "locked", "driven", "cyclic".
        notes: what will not be seen or is left as it is, one line each; it keeps nothing from being keyed.
    """

    found: dict[str, list[Target]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.found)

    @property
    def targets(self) -> set[Target]:
        """Those that cannot be keyed, for whatever reason."""
        return {target for targets in self.found.values() for target in targets}

    @property
    def text(self) -> str:
        """All that was found, in words; "" if all is well."""
        said = [
            words.format(names=", ".join(dict.fromkeys(name_of_target(target) for target in self.found[kind])))
            for kind, words in _WORDS.items()
            if kind in self.found
        ]
        return "; ".join(said)

    def refuse(self, mapping: str) -> None:
        """Raise FacecapError, if there is any.

        Args:
            mapping: its name.
        """
        if self:
            named = f"The mapping “{mapping}”" if mapping else "The mapping"
            raise FacecapError(
                f"{named} does not fit the character: {self.text}. Nothing was changed.",
                "Choose other targets, or take those links off (Mapping › Remove What Does Not Fit).",
            )


def check_targets(obj: bpy.types.Object, mapping: Mapping, *, scene: bpy.types.Scene | None = None) -> Problems:
    """Look at every target of a mapping, without changing anything."""
    controls, problems = controls_of(obj, scene), Problems()
    places: dict[Target, list[Place]] = {}
    for target in mapping.targets:
        found = find_places(controls, target)
        kind = _placing(target, found)
        if kind:
            problems.found.setdefault(kind, []).append(target)
        else:
            places[target] = found
    drivers = {owner: _driven_paths(owner) for owner in dict.fromkeys(_animated(places))}
    for target, found in places.items():
        if any(place.owner.library is not None for place in found):
            problems.found.setdefault("linked", []).append(target)
        elif target.kind == "bone" and found[0].bone is not None and is_locked(found[0].bone, target.axis):
            problems.found.setdefault("locked", []).append(target)
        elif any(paths_of(target, place) & drivers[datablock_of(place)] for place in found):
            problems.found.setdefault("driven", []).append(target)
    circling = find_cycles(controls, {target: places[target] for target in places})
    for target in circling:
        if target not in problems.targets or target in problems.found.get("driven", ()):
            problems.found.setdefault("cyclic", []).append(target)
    problems.notes += _notes(controls, {t: found for t, found in places.items() if t not in problems.targets})
    return problems


def name_of_target(target: Target) -> str:
    """What a message calls a target: “jaw” rotation X."""
    if target.kind == "key":
        text = f"shape key “{target.name}”"
    elif target.kind == "bone":
        what, _, letter = target.axis.partition(".")
        text = f"bone “{target.name}” {what} {letter.upper()}"
    else:
        text = f"property “{target.name}”" + (f" of bone “{target.axis}”" if target.axis else "")
    return f"{text} of “{target.owner}”" if target.owner else text


def animated_of(places: Iterable[Place]) -> list[Animated]:
    """What has to get keys so that some targets move."""
    return list(dict.fromkeys(datablock_of(place) for place in places))


def _placing(target: Target, found: Sequence[Place]) -> str:
    """What is wrong with where a target is, by its kind; "" if nothing."""
    if not found:
        return "missing"
    if len(found) > 1 and (target.kind != "key" or target.owner):
        return "ambiguous"
    return ""


def datablock_of(place: Place) -> Animated:
    """What has to get keys so that a target moves."""
    if place.block is None:
        return place.owner
    keys = place.block.id_data
    assert isinstance(keys, bpy.types.Key)
    return keys


def _animated(places: dict[Target, list[Place]]) -> list[Animated]:
    return animated_of(place for found in places.values() for place in found)


def paths_of(target: Target, place: Place) -> set[tuple[str, int]]:
    """The paths, with array indices, by which a driver would move a target."""
    if place.block is not None:
        return {(place.block.path_from_id("value"), 0)}
    if target.kind == "property" or place.bone is None:
        return {(property_path(target, place), 0)}
    what, _, letter = target.axis.partition(".")
    prefix, index = place.bone.path_from_id() + ".", "xyz".index(letter)
    if what != "rotation":
        return {(prefix + what, index)}
    mode = place.bone.rotation_mode
    if mode in ("QUATERNION", "AXIS_ANGLE"):
        return {(f"{prefix}rotation_{mode.lower()}", number) for number in range(4)}
    return {(f"{prefix}rotation_euler", index)}


def _driven_paths(datablock: Animated) -> set[tuple[str, int]]:
    animation = datablock.animation_data
    curves = () if animation is None else animation.drivers
    return {(curve.data_path, curve.array_index) for curve in curves if not curve.mute}


def _notes(controls: Controls, places: dict[Target, list[Place]]) -> list[str]:
    """What will not be seen, or is stopped, of what can be keyed."""
    notes: list[str] = []
    every = [(target, place) for target, found in places.items() for place in found]
    muted = [place.block.name for _, place in every if place.block is not None and place.block.mute]
    if muted:
        notes.append(f"Muted shape keys do not show their motion: {_listed(muted)}")
    curves = {datablock: _present_curves(datablock) for datablock in _animated(places)}
    for fault, said in (("lock", "Locked curves are left as they are"), ("mute", "Muted curves do not move anything")):
        named = [
            name_of_target(target)
            for target, place in every
            if any(
                (curve := curves[datablock_of(place)].get(path)) is not None and getattr(curve, fault)
                for path in paths_of(target, place)
            )
        ]
        if named:
            notes.append(f"{said}: {_listed(named)}")
    bones = dict.fromkeys(place.bone for target, place in every if target.kind == "bone" and place.bone is not None)
    limited = [f"“{bone.name}” by “{c.name}”" for bone in bones for c in bone.constraints if _limits(c)]
    if limited:
        notes.append(f"Constraints limit how far bones go: {_listed(limited)}")
    reasons = {bone: found[0] for bone in bones if (found := _holding(bone))}
    still = find_unmoved(
        controls, {bone: [t for t, p in every if p.bone == bone and t.kind == "bone"] for bone in reasons}
    )
    held = [f"“{bone.name}” by {reasons[bone]}" for bone in still]
    if held:
        notes.append(f"Held by something else, so that keys are not seen: {_listed(held)}")
    if controls.head.show_only_shape_key:
        notes.append("“Solo active shape key” is on: turn it off to see the others move")
    return notes


def _holding(bone: bpy.types.PoseBone) -> list[str]:
    limits = {f"the constraint “{c.name}”" for c in bone.constraints if _limits(c)}
    return [reason for reason in holding(bone) if reason not in limits and not reason.startswith("a driver")]


def _limits(constraint: bpy.types.Constraint) -> bool:
    return constraint.type.startswith("LIMIT_") and not constraint.mute and constraint.influence > 0


def _present_curves(datablock: Animated) -> dict[tuple[str, int], bpy.types.FCurve]:
    animation = datablock.animation_data
    if animation is None or animation.action is None:
        return {}
    slot = animation.action_slot if SLOTTED else None
    return {(curve.data_path, curve.array_index): curve for curve in curves_in(animation.action, slot)}


def _listed(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
