"""How a take is put on a character."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy

from ....rig.mapping.mapping import Mapping
from .layer import COMBINE, LayerSettings


@dataclass(frozen=True)
class BakeSettings:
    """How a take is put on a character.

    Attributes:
        mode: "new" (an action of its own), "mix" (into the present action, inside the take's range only) or "layer"
            (an action of its own, in a strip of the NLA above what is there).
        influence: 0 to 1, how far a mix goes from the present values to the take's.
        gain: factor on every weight; values stay inside each key's range.
        head: "auto", "object", "bone" or "none": what the head pose is keyed on; see `head_carrier`.
        head_location: whether the head's location is keyed too.
        neck_share: of a head bone's turn, 0 to 1, that the neck's bone takes.
        armature, bone: for "bone"; without them, the armature that deforms the character and the bone of its head.
        start_frame: scene frame at which the footage starts.
        whole_frames: whether keys lie on whole scene frames only, resampled, instead of where each frame was filmed.
        within_s: first and last time of the part of the take to key; None: all of it.
        keep: keys made by hand stay, inside the range, too.
        name: of a new action; "" is the footage's.
        layer: of "layer", how it acts on what is below.
        mapping: by which the take moves the character; None: the character's own, if it has one.
        reduce: how far shape keys' curves may be off when needless keys are taken away; 0: all keys stay.
    """

    mode: str = "new"
    influence: float = 1.0
    gain: float = 1.0
    head: str = "auto"
    head_location: bool = True
    neck_share: float = 0.0
    armature: bpy.types.Object | None = None
    bone: str = ""
    start_frame: float = 1.0
    whole_frames: bool = False
    within_s: tuple[float, float] | None = None
    keep: bool = True
    name: str = ""
    reduce: float = 0.0
    layer: LayerSettings = field(default_factory=LayerSettings)
    mapping: Mapping | None = None

    @property
    def to_own(self) -> bool:
        """Whether the keys go into the take's own action."""
        return self.mode != "mix"

    @property
    def adds(self) -> bool:
        """Whether the keys are differences, to be added to what is below."""
        return self.mode == "layer" and self.layer.blend == COMBINE
