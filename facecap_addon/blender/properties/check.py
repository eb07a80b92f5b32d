"""What a scene remembers of checking a take: its bad frames, and how footage and head are shown."""

from __future__ import annotations

import bpy

from ..present import scene_with
from .declare import BoolProperty, CollectionProperty, FloatProperty, IntProperty, StringProperty, with_properties


def _chosen(check: FACECAP_PG_check, context: bpy.types.Context) -> None:
    from ..check import go_to_stretch

    go_to_stretch(scene_with(check), check.active)


def _redraw(check: FACECAP_PG_check, context: bpy.types.Context) -> None:
    from ..scene.editors import redraw_editors

    redraw_editors()


def _shown_otherwise(check: FACECAP_PG_check, context: bpy.types.Context) -> None:
    from ..scene.head_over_footage import show_head_over_footage

    show_head_over_footage(scene_with(check), check.head_opacity, check.wipe)


@with_properties()
class FACECAP_PG_bad_stretch(bpy.types.PropertyGroup):
    """Neighbouring frames of the take that are bad for one reason; times in seconds of the footage."""

    text: str = StringProperty()
    first_s: float = FloatProperty()
    last_s: float = FloatProperty()
    severity: float = FloatProperty()


@with_properties()
class FACECAP_PG_check(bpy.types.PropertyGroup):
    stretches: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_bad_stretch] = CollectionProperty(
        type=FACECAP_PG_bad_stretch
    )
    take: str = StringProperty()
    active: int = IntProperty(
        name="Bad Frames", description="Go to the first of these frames", min=0, update=_chosen, options=set()
    )
    show_landmarks: bool = BoolProperty(
        name="Landmarks on Footage",
        description="Show what was found in the footage, colored by how sure it is, wherever the footage is shown",
        default=True,
        update=_redraw,
    )
    show_lane: bool = BoolProperty(
        name="Confidence in Timeline",
        description="Show below the timeline how sure each region of the face is, and where somebody should look",
        default=True,
        update=_redraw,
    )
    head_opacity: float = FloatProperty(
        name="Head",
        description="How solid the head is over the footage in the solve's camera; lower it to see the actor through",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=1.0,
        update=_shown_otherwise,
        options=set(),
    )
    wipe: float = FloatProperty(
        name="Wipe",
        description="From the left up to here only the footage is seen, from there on the head over it",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.0,
        update=_shown_otherwise,
        options=set(),
    )


CLASSES = (FACECAP_PG_bad_stretch, FACECAP_PG_check)
