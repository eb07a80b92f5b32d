"""The scene's FaceCap settings: footage, character, solve, bake, result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ...generate.emotions import EXPRESSIONS
from ...jobs.settings.generate import GenerateSettings
from ...jobs.settings.live import CurveFilterSettings, LiveSettings
from ...jobs.settings.refine import RefineSettings
from ...jobs.settings.retarget import RetargetSettings
from ...jobs.settings.shape_keys import ShapeKeysSettings
from ...jobs.settings.solve import SolveSettings
from ...jobs.settings.train import TrainSettings
from ..present import SETTINGS, scene_with, settings_of
from .declare import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
    with_properties,
)
from .derive import annotations_of
from .smoothing import smoothing_property

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import PropertyFlagItems

# What the panel gives in another form: the paths, the trim range, and which files are written.
_BAKED = ("head_pose", "head_bone", "whole_frames")  # the Bake section says these
_NOT_DERIVED = (
    *("video", "out", "character", "start", "end", "blend", "blender", "live_link", "report", "sensor_mm"),
    *("into", *_BAKED),
)

# From 4.5 a path that may be relative to the .blend has to say so.
_PATH_OPTIONS: set[PropertyFlagItems] = {"ANIMATABLE"}
if bpy.app.version >= (4, 5, 0):
    _PATH_OPTIONS.add("PATH_SUPPORTS_BLEND_RELATIVE")


def _rate_changed(solve: FACECAP_PG_solve, context: bpy.types.Context) -> None:
    """Show what the image sequence is at its new rate."""
    from ..operators.footage import refresh_facts

    refresh_facts(settings_of(scene_with(solve)))


@with_properties(annotations_of(SolveSettings, skip=_NOT_DERIVED, updates={"fps": _rate_changed}))
class FACECAP_PG_solve(bpy.types.PropertyGroup):
    """One property for every field of SolveSettings that is a matter of choice."""

    method: str
    method_file: str
    use_fps: bool
    fps: float


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


# A training's paths have their usual places; threads and checkpoints are the command line's.
_NOT_DERIVED_TRAIN = ("folder", "out", "stills", "threads", "checkpoint_minutes", "tensorboard", "seed", "batch")


@with_properties(annotations_of(TrainSettings, skip=_NOT_DERIVED_TRAIN))
class FACECAP_PG_learn(bpy.types.PropertyGroup):
    """One property for every field of TrainSettings that is a matter of choice."""

    network: str
    preset: str
    folder: str = StringProperty(
        name="Training Set",
        description="Folder of the training set; if empty, it is kept with FaceCap's other files",
        subtype="DIR_PATH",
        options=_PATH_OPTIONS,
    )
    stills: str = StringProperty(
        name="Labelled Images",
        description="Folder of images sorted by expression; if empty, expressions are found in the footage",
        subtype="DIR_PATH",
        options=_PATH_OPTIONS,
    )
    draw_seconds: float = FloatProperty(
        name="Render (s)", description="How many seconds of the character Add Renders adds", default=60.0, min=2.0
    )
    side: bool = BoolProperty(
        name="Side Camera",
        description="Also render from the side, where a jaw that is pushed forward is seen",
        default=False,
    )
    use_crop: bool = BoolProperty(
        name="Custom Crop",
        description="Set the rectangle that the network sees; off: found automatically",
        default=False,
    )
    crop: bpy.types.bpy_prop_array[float] = FloatVectorProperty(
        name="Crop",
        description="Left, top, width and height of what the network sees, as fractions of the picture",
        size=4,
        default=(0.2, 0.1, 0.6, 0.8),
        min=-1.0,
        max=2.0,
        precision=3,
        step=1,
    )


# Where the face comes from has a form of its own here; the rest is taken from the scene.
_NOT_DERIVED_LIVE = (
    *("source", "character", "out", "record", "seconds", "send", "blender", "threads", "focal_px", "precision"),
    *("neutral_after", "radius", "order"),
)


@with_properties(annotations_of(LiveSettings, skip=_NOT_DERIVED_LIVE))
class FACECAP_PG_live(bpy.types.PropertyGroup):
    """One property for every field of LiveSettings that is a matter of choice, and where the face comes from."""

    method: str
    filter: str
    cutoff_hz: float
    delay: int
    kind: str = EnumProperty(
        name="Source",
        items=[
            ("camera", "Camera", "A camera on this computer"),
            ("video", "Video", "The scene's footage, played at its own rate"),
            ("phone", "Phone", "Live Link Face on a phone in the same network"),
        ],
        description="Where the face comes from",
    )
    camera: int = IntProperty(name="Camera", description="Number of the camera, counted from 0", min=0, max=99)
    port: int = IntProperty(
        name="Port", description="Network port that the phone sends to", default=11111, min=1, max=65535
    )
    use_send: bool = BoolProperty(
        name="Stream To", description="Stream the face to another program as Live Link Face does", default=False
    )
    send: str = StringProperty(
        name="Address", description="HOST:PORT of the program that listens", default="127.0.0.1:11112"
    )
    smoothing: float = smoothing_property()
    location: bool = BoolProperty(
        name="Also Move Head", description="Move the head as well as turning it", default=False
    )


# The character and the scene say where it goes; the rest is the command line's.
_NOT_DERIVED_CREATE = (
    "out",
    "character",
    "source",
    "blend",
    "blender",
    "threads",
    "only",
    "generators",
    "each_frame",
    "head_bone",
)


@with_properties(annotations_of(ShapeKeysSettings, skip=_NOT_DERIVED_CREATE))
class FACECAP_PG_keys(bpy.types.PropertyGroup):
    """One property for every field of ShapeKeysSettings that is a matter of choice."""


@with_properties(annotations_of(GenerateSettings, skip=_NOT_DERIVED_CREATE))
class FACECAP_PG_generate(bpy.types.PropertyGroup):
    """One property for every field of GenerateSettings that is a matter of choice, and which expressions to show."""

    head: bool
    loop: bool
    expression: str = EnumProperty(
        name="Expression", items=[(name, name.capitalize(), "") for name in EXPRESSIONS], default="happiness"
    )
    use_chain: bool = BoolProperty(name="Sequence", description="Show several expressions, one after the other")
    chain: str = StringProperty(
        name="Expressions", description="Names of expressions, separated by commas", default="surprise, happiness"
    )
    as_strip: bool = BoolProperty(
        name="As NLA Strip", description="Put the keys into a strip of the NLA editor, to be combined with others"
    )


@with_properties(annotations_of(RetargetSettings, skip=(*_NOT_DERIVED_CREATE, "points")))
class FACECAP_PG_retarget(bpy.types.PropertyGroup):
    """One property for every field of RetargetSettings that is a matter of choice."""


@with_properties(annotations_of(CurveFilterSettings))
class FACECAP_PG_filter(bpy.types.PropertyGroup):
    """One property for every field of a filter, and how smooth that is."""

    filter: str
    cutoff_hz: float
    smoothing: float = smoothing_property()


def _is_armature(_: FACECAP_PG_bake, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE"


def _is_mesh(_: FACECAP_PG_scene, obj: bpy.types.Object) -> bool:
    return obj.type == "MESH"


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
        ],
        description="Where the keys go",
    )
    influence: float = FloatProperty(
        name="Influence",
        description="How far to go from the present keys to the take",
        default=1.0,
        min=0,
        max=1,
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
    armature: bpy.types.Object | None = PointerProperty(
        name="Armature",
        type=bpy.types.Object,
        poll=_is_armature,
        description="The armature of the head bone",
    )
    bone: str = StringProperty(name="Bone", description="The head bone")


@with_properties()
class FACECAP_PG_take(bpy.types.PropertyGroup):
    """A take of the scene: its file, which stays, and what there is to say about it."""

    take: str = StringProperty()
    kind: str = StringProperty(default="solved")
    clip: str = StringProperty()
    made: str = StringProperty()
    detail: str = StringProperty()
    frames: int = IntProperty()
    first_s: float = FloatProperty()
    last_s: float = FloatProperty()
    report: str = StringProperty()
    embedding: str = StringProperty()
    frames_solved: int = IntProperty()
    frames_missing: int = IntProperty()
    residual_px: float = FloatProperty()
    error_of_eyes: float = FloatProperty()
    fps: float = FloatProperty()
    not_observed: str = StringProperty()
    warnings: str = StringProperty()


def _video_changed(settings: FACECAP_PG_scene, context: bpy.types.Context) -> None:
    """Look into footage that was chosen by its path."""
    from ..operators.footage import look_into

    look_into(settings)


def _character_chosen(settings: FACECAP_PG_scene, context: bpy.types.Context) -> None:
    """A duplicated head gets a jaw of its own before anything is done with it."""
    from ..scene.head.jaw import give_own_jaw

    if settings.character is not None and settings.character.library is None:
        give_own_jaw(settings.character)


def _show_landmarks(settings: FACECAP_PG_scene, context: bpy.types.Context) -> None:
    from ..overlay import landmarks

    landmarks.show(settings.show_landmarks)


@with_properties()
class FACECAP_PG_scene(bpy.types.PropertyGroup):
    video: str = StringProperty(
        name="Footage",
        description="Video, or one picture of an image sequence",
        subtype="FILE_PATH",
        options=_PATH_OPTIONS,
        update=_video_changed,
    )
    facts: str = StringProperty()
    start_frame: int = IntProperty(
        name="Start at Frame",
        description="Scene frame at which the footage starts",
        default=1,
        min=-100000,
        max=100000,
    )
    use_trim: bool = BoolProperty(name="Trim", description="Solve only a part of the footage")
    trim_start: int = IntProperty(
        name="Start", description="First frame of the footage to solve, counted from 0", default=0, min=0
    )
    trim_end: int = IntProperty(
        name="End", description="Last frame of the footage to solve, counted from 0", default=249, min=0
    )
    character: bpy.types.Object | None = PointerProperty(
        name="Character",
        type=bpy.types.Object,
        poll=_is_mesh,
        description="Mesh whose shape keys are animated",
        update=_character_chosen,
    )
    show_landmarks: bool = BoolProperty(
        name="Show Landmarks", description="Show where the landmarks are on the character", update=_show_landmarks
    )
    solve: FACECAP_PG_solve = PointerProperty(type=FACECAP_PG_solve)
    refine: FACECAP_PG_refine = PointerProperty(type=FACECAP_PG_refine)
    learn: FACECAP_PG_learn = PointerProperty(type=FACECAP_PG_learn)
    live: FACECAP_PG_live = PointerProperty(type=FACECAP_PG_live)
    filter: FACECAP_PG_filter = PointerProperty(type=FACECAP_PG_filter)
    # Files hold this name, though a group of properties has a method of the same.
    keys: FACECAP_PG_keys = PointerProperty(type=FACECAP_PG_keys)  # pyright: ignore[reportIncompatibleMethodOverride]
    generate: FACECAP_PG_generate = PointerProperty(type=FACECAP_PG_generate)
    retarget: FACECAP_PG_retarget = PointerProperty(type=FACECAP_PG_retarget)
    bake: FACECAP_PG_bake = PointerProperty(type=FACECAP_PG_bake)
    result: FACECAP_PG_take = PointerProperty(type=FACECAP_PG_take)
    takes: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_take] = CollectionProperty(type=FACECAP_PG_take)


CLASSES = (
    FACECAP_PG_solve,
    FACECAP_PG_refine,
    FACECAP_PG_learn,
    FACECAP_PG_live,
    FACECAP_PG_keys,
    FACECAP_PG_generate,
    FACECAP_PG_retarget,
    FACECAP_PG_filter,
    FACECAP_PG_bake,
    FACECAP_PG_take,
    FACECAP_PG_scene,
)


def register() -> None:
    setattr(bpy.types.Scene, SETTINGS, bpy.props.PointerProperty(type=FACECAP_PG_scene))


def unregister() -> None:
    delattr(bpy.types.Scene, SETTINGS)
