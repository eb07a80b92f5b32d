"""Left and right of the footage: a picture to look at, and what imported curves of the same take say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...json_types import Decoded
from .. import session
from ..paths import job_folder
from ..present import scene_in, settings_in, settings_of
from ..translations import phrase
from .footage import footage_path
from .job_operator import JobOperator
from .solve import shown_part

if TYPE_CHECKING:
    from ..properties.settings import FACECAP_PG_scene

_FROM_A_PHONE = "Live Link Face CSV"


class FACECAP_OT_check_sides(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.check_sides"
    bl_label = "Check Left and Right"
    bl_description = (
        "Show which eye counts as the actor's left one; an imported take of a phone, or a CSV of the footage's name, "
        "decides whether the footage is mirrored"
    )

    puts_on, use_label = "scene", "Show"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).video:
            cls.poll_message_set("No footage was chosen: import a video of a face first")
            return False
        return super().poll(context)

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """A look at the scene's footage. Raises FacecapError."""
        from ...jobs.settings.sides import SidesSettings
        from ...settings_schema import from_json

        settings = settings_of(scene_in(context))
        video = footage_path(context)
        request: dict[str, Any] = {"video": str(video), "out": str(job_folder(video)), **shown_part(settings)}
        curves = curves_beside(settings, video)
        if curves is not None:
            request["curves"] = str(curves)
        return cls.describe(context, "sides", from_json(SidesSettings, request), None, video.name)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        settings, looked_at = settings_of(scene), bool(job.settings["mirror"])
        settings.sides_picture, settings.sides_mirror = str(facts["picture"]), looked_at
        curves = Path(str(job.settings["curves"])).name if job.settings.get("curves") else ""
        if facts["mirrored"] is None:
            lines = (
                [phrase("Too little moves on one side alone in {curves} to decide it", curves=curves)] if curves else []
            )
            return session.Outcome(True, lines)
        settings.solve.mirror = looked_at != bool(facts["mirrored"])
        says = (
            phrase("{curves} says that the footage is mirrored", curves=curves)
            if settings.solve.mirror
            else phrase("{curves} says that the footage is not mirrored", curves=curves)
        )
        sure = phrase("{sure} sure", sure=f"{float(str(facts['sure'])):.1%}")
        return session.Outcome(True, [f"{says} ({sure})"])


def curves_beside(settings: FACECAP_PG_scene, video: Path) -> Path | None:
    """Curves of the same performance: an imported take of a phone, or a CSV of the footage's name beside it."""
    from ...takes.npz import load_take
    from ..takes import take_file

    for entry in settings.takes:
        path = take_file(entry)
        if path.is_file() and load_take(path).provenance.get("kind") == _FROM_A_PHONE:
            return path
    beside = video.with_suffix(".csv")
    return beside if beside.is_file() else None


CLASSES = (FACECAP_OT_check_sides,)
