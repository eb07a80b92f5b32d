"""What a scene remembers of a take."""

from __future__ import annotations

import bpy

from .declare import FloatProperty, IntProperty, StringProperty, with_properties


def _renamed(entry: FACECAP_PG_take, context: bpy.types.Context) -> None:
    """The action of a take goes by its name, unless it was given another by hand."""
    from ..takes import rename_action

    rename_action(entry)


@with_properties()
class FACECAP_PG_take(bpy.types.PropertyGroup):
    """A take of the scene: its file, which stays, and what there is to say about it."""

    name: str = StringProperty(name="Name", description="Name of the take, and of its action", update=_renamed)
    take: str = StringProperty()
    identity: str = StringProperty()
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
    actor: str = StringProperty()
    calmest_s: float = FloatProperty(default=-1.0)


CLASSES = (FACECAP_PG_take,)
