"""How a take is smoothed, and put on the character."""

from __future__ import annotations

import bpy

from ...jobs.settings.live import CurveFilterSettings
from .declare import BoolProperty, EnumProperty, FloatProperty, PointerProperty, StringProperty, with_properties
from .derive import annotations_of
from .smoothing import smoothing_property


@with_properties(annotations_of(CurveFilterSettings))
class FACECAP_PG_filter(bpy.types.PropertyGroup):
    """One property for every field of a filter, and how smooth that is."""

    filter: str
    cutoff_hz: float
    smoothing: float = smoothing_property()


def _is_armature(_: FACECAP_PG_bake, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE"


@with_properties()
class FACECAP_PG_bake(bpy.types.PropertyGroup):
    mode: str = EnumProperty(
        name="Bake To",
        items=[
            ("new", "New Action", "Put the keys into a new action; the present one stays in the file"),
            (
                "mix",
                "Replace Keys in Range",
                "Replace the present action's keys inside the take's range, and keep all others",
            ),
            (
                "layer",
                "New Layer",
                "Put the keys into a strip of the NLA editor, above the animation that is there",
            ),
        ],
        description="Where the keys go, and what becomes of those that are there",
    )
    influence: float = FloatProperty(
        name="Influence",
        description="How far to go from the present keys to the take",
        default=1.0,
        min=0,
        max=1,
    )
    layer_blend: str = EnumProperty(
        name="Layer",
        items=[
            ("REPLACE", "Replaces", "The take plays instead of what is below it, as far as its strip goes"),
            ("COMBINE", "Adds", "The take's difference from a neutral face is added to the animation below it"),
        ],
        description="What the layer does with the animation below it",
    )
    blend_in: float = FloatProperty(
        name="Blend In", description="Frames in which the layer's influence grows", default=0.0, min=0.0, soft_max=100.0
    )
    blend_out: float = FloatProperty(
        name="Blend Out",
        description="Frames in which its influence fades",
        default=0.0,
        min=0.0,
        soft_max=100.0,
    )
    reduce_keys: float = FloatProperty(
        name="Reduce Keys",
        description="How far curves may be off when needless keys are taken away at each bake; 0: all keys stay",
        default=0.0,
        min=0.0,
        soft_max=0.05,
        max=1.0,
        precision=3,
        step=1,
    )
    keep_hand_keys: bool = BoolProperty(
        name="Keep Hand-Made Keys",
        description="Leave keys that you made or changed as they are, and the take's keys out of the stretches around "
        "them; off: they are replaced in the range, and New Action leaves their action alone",
        default=True,
    )
    gain: float = FloatProperty(
        name="Gain",
        description="Exaggerate or tone down the expression; values stay inside each key's range",
        default=1.0,
        min=0.0,
        soft_max=2.0,
        max=10.0,
    )
    whole_frames: bool = BoolProperty(
        name="Whole Frames",
        description="Resample the keys to whole frames of the scene; off: each lies where its frame was filmed",
        default=False,
    )
    head: str = EnumProperty(
        name="Head Pose",
        items=[
            ("auto", "Automatic", "The bone that turns the head where there is one, else the object"),
            (
                "object",
                "Object",
                "Turn and move the head's object, or its parent where eyes, teeth or hair are separate meshes",
            ),
            ("bone", "Bone", "Turn and move a bone; without a name, the one that turns the head"),
            ("none", "None", "Leave the head where it is; only the face moves"),
        ],
        description="What follows the head's motion",
    )
    head_location: bool = BoolProperty(
        name="Also Move Head", description="Key the head's location as well as its rotation", default=True
    )
    neck_share: float = FloatProperty(
        name="Neck Share",
        description="How much of a head bone's turn the neck's bone above it takes; both together turn the head as "
        "filmed",
        default=0.0,
        min=0.0,
        max=1.0,
    )
    armature: bpy.types.Object | None = PointerProperty(
        name="Armature",
        type=bpy.types.Object,
        poll=_is_armature,
        description="The armature of the head bone",
    )
    bone: str = StringProperty(name="Bone", description="The bone that turns the head")


CLASSES = (FACECAP_PG_filter, FACECAP_PG_bake)
