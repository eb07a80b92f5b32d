"""The scene's FaceCap settings: footage, character, and a group for each thing that can be asked."""

from __future__ import annotations

import bpy

from ..present import SETTINGS
from .bake import FACECAP_PG_bake, FACECAP_PG_filter
from .check import FACECAP_PG_check
from .corrections import FACECAP_PG_corrections
from .create import FACECAP_PG_generate, FACECAP_PG_keys, FACECAP_PG_retarget
from .declare import (
    PATH_OPTIONS,
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
    with_properties,
)
from .edits import FACECAP_PG_edits
from .learn import FACECAP_PG_learn
from .live import FACECAP_PG_live
from .scene_frames import scene_frame_property
from .solve import FACECAP_PG_refine, FACECAP_PG_solve
from .take import FACECAP_PG_take
from .take_list import FACECAP_PG_take_list


def _is_mesh(_: FACECAP_PG_scene, obj: bpy.types.Object) -> bool:
    return obj.type == "MESH"


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
        options=PATH_OPTIONS,
        update=_video_changed,
    )
    facts: str = StringProperty()
    sides_picture: str = StringProperty()  # of the actor's left eye, and how the footage was set when it was made
    sides_mirror: bool = BoolProperty()
    footage_fps: float = FloatProperty()
    start_frame: int = IntProperty(
        name="Start at Frame",
        description="Scene frame at which the footage starts",
        default=1,
        min=-100000,
        max=100000,
    )
    use_trim: bool = BoolProperty(name="Trim", description="Solve only a part of the footage")
    trim_start: int = IntProperty(default=0, min=0)
    trim_end: int = IntProperty(default=249, min=0)
    trim_first: int = scene_frame_property("trim_start", "Start", "Scene frame at which the part to solve starts")
    trim_last: int = scene_frame_property("trim_end", "End", "Scene frame at which the part to solve ends")
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
    corrections: FACECAP_PG_corrections = PointerProperty(type=FACECAP_PG_corrections)
    edits: FACECAP_PG_edits = PointerProperty(type=FACECAP_PG_edits)
    result: FACECAP_PG_take = PointerProperty(type=FACECAP_PG_take)
    check: FACECAP_PG_check = PointerProperty(type=FACECAP_PG_check)
    take_list: FACECAP_PG_take_list = PointerProperty(type=FACECAP_PG_take_list)
    takes: bpy.types.bpy_prop_collection_idprop[FACECAP_PG_take] = CollectionProperty(type=FACECAP_PG_take)


CLASSES = (FACECAP_PG_scene,)


def register() -> None:
    setattr(bpy.types.Scene, SETTINGS, bpy.props.PointerProperty(type=FACECAP_PG_scene))


def unregister() -> None:
    delattr(bpy.types.Scene, SETTINGS)
