"""Mapping: which controls of a character's rig a take's channels move, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TargetKind = Literal["key", "bone", "property"]
TARGET_KINDS: tuple[TargetKind, ...] = ("key", "bone", "property")
BONE_AXES = tuple(f"{what}.{axis}" for what in ("location", "rotation", "scale") for axis in "xyz")


@dataclass(frozen=True, order=True)
class Target:
    """One number of a rig that can be keyed.

    Attributes:
        kind: "key": a shape key's value; "bone": one axis of a pose bone; "property": a custom property.
        name: of the shape key; of the bone; of the custom property.
        axis: of a bone, one of BONE_AXES: location in the bone's own axes in metres, rotation as a component of the
            rotation vector in its own axes in radians, whatever its rotation mode, scale as the difference from 1.
            Of a property, the bone that has it; "" where the object itself has it. Of a key, "".
        owner: the object that has it: a mesh or an armature; "" for any of the character's (a shape key of that name
            on several meshes is keyed on each; a bone is looked for in the armature that deforms the head).
    """

    kind: TargetKind
    name: str
    axis: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Link:
    """A channel that moves a target: by `factor · curve(weight)`; all links of a target add up, with their offsets.

    Attributes:
        channel: of the take, as in `Take.channels`.
        factor: value of the target at a weight of 1, in the target's unit; its sign is the direction.
        offset: added whatever the weight.
        curve: (weight, weight after) points in ascending order, between which the curve is straight; outside them
            it goes on as between the nearest two. Empty: the weight itself.
        sure: whether it is certain: a name that says so, or chosen by the user. What was guessed is marked.
    """

    channel: str
    target: Target
    factor: float = 1.0
    offset: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()
    sure: bool = True


@dataclass(frozen=True)
class Mapping:
    """All links of a character's rig.

    Attributes:
        name: shown in lists, as that of a preset: "Rigify face", "VRM 1 Perfect Sync".
        links: in the order of the table.
        face_size_m: size of the face of the rig for which locations were written; they are scaled to the character's
            own where both are known. 0: locations are taken as they are.
        size_bones: the two bones whose heads are that far apart at rest, as at the outer corners of the eyes; empty:
            the character's own size is not known.
    """

    name: str
    links: tuple[Link, ...]
    face_size_m: float = 0.0
    size_bones: tuple[str, str] | tuple[()] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target once, in the order in which they first appear."""
        return tuple(dict.fromkeys(link.target for link in self.links))

    def links_of(self, channels: Sequence[str]) -> tuple[Link, ...]:
        """The links from some channels."""
        wanted = set(channels)
        return tuple(link for link in self.links if link.channel in wanted)
