"""What a solve is asked, and what a refinement of it."""

from __future__ import annotations

import bpy

from ...jobs.settings.refine import RefineSettings
from ...jobs.settings.solve import SolveSettings
from ..present import scene_with, settings_of
from .declare import PATH_OPTIONS, BoolProperty, PointerProperty, StringProperty, with_properties
from .derive import annotations_of
from .scene_frames import scene_frame_property

# What the panel gives in another form: the paths, the trim range, and which files are written.
_BAKED = ("head_pose", "head_bone", "whole_frames", "reduce_keys")  # the Bake section says these
_NOT_DERIVED = (
    *("video", "out", "character", "start", "end", "blend", "blender", "live_link", "report", "sensor_mm"),
    *("into", *_BAKED),
)


def _rate_changed(solve: FACECAP_PG_solve, context: bpy.types.Context) -> None:
    """Show what the image sequence is at its new rate."""
    from ..operators.footage import refresh_facts

    refresh_facts(settings_of(scene_with(solve)))


@with_properties(annotations_of(SolveSettings, skip=_NOT_DERIVED, updates={"fps": _rate_changed}))
class FACECAP_PG_solve(bpy.types.PropertyGroup):
    """One property for every field of SolveSettings that is a matter of choice."""

    method: str
    method_file: str
    match: str
    mirror: bool
    use_fps: bool
    fps: float
    use_neutral_frame: bool
    neutral_frame: int
    neutral_scene_frame: int = scene_frame_property(
        "neutral_frame",
        "Neutral Frame",
        "Scene frame with a relaxed face, which everything is measured from; off: found automatically",
    )
    actor_file: str = StringProperty(
        name="File",
        description="File of who performs, saved or calibrated before; empty: found in the footage",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )
    marks_file: str = StringProperty(
        name="Marks",
        description="File of lines TIME,NAME (seconds) that say when what is held; empty: found automatically",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )


# Of the refinement's settings, what the panel gives in another form or takes from the solve.
_NOT_DERIVED_REFINE = (
    *("folder", "take", "start", "end", "cameras", "flow_model", "blend", "blender"),
    *("live_link", "report", "threads", "infill_frames"),
    *_BAKED,
)


@with_properties(annotations_of(RefineSettings, skip=_NOT_DERIVED_REFINE))
class FACECAP_PG_refine(bpy.types.PropertyGroup):
    """One property for every field of RefineSettings that is a matter of choice."""

    use_timeline: bool = BoolProperty(
        name="Timeline Range Only", description="Refine only the preview range, or else the scene's frame range"
    )
    infill_frames: str = StringProperty(
        name="Frames to Fill",
        description="Frames to solve by optical flow whatever was found in them, counted from 0: 31-40,77",
    )
    camera_collection: bpy.types.Collection | None = PointerProperty(
        name="More Cameras",
        type=bpy.types.Collection,
        description="Collection of calibrated cameras that filmed the same performance, each with its movie clip; "
        "the scene's camera is the solve's own",
    )


CLASSES = (FACECAP_PG_solve, FACECAP_PG_refine)
