"""The actor: her file, saved from a take or calibrated from a minute of held expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...errors import FacecapError
from ...jobs.settings.calibrate import CalibrateSettings
from ...json_types import Decoded
from ...settings_schema import from_json
from .. import session
from ..paths import job_folder
from ..present import scene_in, settings_in, settings_of, window_manager_in
from ..properties.declare import StringProperty, with_properties
from ..takes import home_folder, kept_path, take_file
from .base import FacecapOperator, OperatorReturn
from .footage import footage_path
from .job_operator import lines_of
from .refine import show_picture
from .solve import FootageJobOperator, character_with_keys, shown_part, write_rig

SHEET = "FaceCap actor"
_ENDING = ".actor.json"


@with_properties()
class FACECAP_OT_save_actor(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.save_actor"
    bl_label = "Save Actor"
    bl_description = "Save who performed in the take, with the percentages that are set, to use her in other solves"

    filepath: str = StringProperty(subtype="FILE_PATH")
    filter_glob: str = StringProperty(default="*.actor.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not settings_in(context).result.actor:
            cls.poll_message_set("Solve first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        result = settings_in(context).result
        name = Path(bpy.path.abspath(result.take)).name.removesuffix(".take.npz")
        self.filepath = str(home_folder(result) / f"{name}{_ENDING}")
        window_manager_in(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from dataclasses import replace

        from ...takes.actor import save_actor
        from ...takes.npz import load_take
        from ...takes.region_scale import RegionScale

        settings = settings_in(context)
        actor = load_take(take_file(settings.result)).actor
        if actor is None:
            raise FacecapError("The take does not know its actor.", "Solve again.")
        scales = dict(actor.scales)
        for region, scale in actor.scales.items():
            if getattr(settings.solve, f"use_{region}_scale"):
                used = getattr(settings.solve, f"{region}_scale") / 100
                scales[region] = RegionScale(scale.found, used, asked=True)
        path = Path(bpy.path.abspath(self.filepath))
        if not path.name.endswith(_ENDING):
            path = path.with_name(path.name.removesuffix(".json") + _ENDING)
        save_actor(path, replace(actor, scales=scales))
        settings.solve.actor_file = kept_path(path)
        session.outcome = session.Outcome(True, [f"Saved {path.name}"])
        return {"FINISHED"}


class FACECAP_OT_calibrate(FootageJobOperator, bpy.types.Operator):
    bl_idname = "facecap.calibrate"
    bl_label = "Calibrate"
    bl_description = "Learn the actor from the footage, in which she holds one expression after the other"

    puts_on, use_label = "scene", "Use Actor"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """Calibration on the scene's footage and character. Raises FacecapError."""
        from ..scene.head.character import extract_rig

        settings = settings_of(scene_in(context))
        video, character = footage_path(context), character_with_keys(settings)
        out = job_folder(video)
        rig = write_rig(extract_rig(character), out, "character")
        request: dict[str, Any] = {"video": str(video), "out": str(out), "character": str(rig)}
        request |= {"match": settings.solve.match, **shown_part(settings)}
        if settings.solve.marks_file:
            request["marks"] = bpy.path.abspath(settings.solve.marks_file)
        return cls.describe(context, "calibrate", from_json(CalibrateSettings, request), character, video.name)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        settings_of(scene).solve.actor_file = kept_path(Path(str(facts["actor"])))
        written = (facts["actor"], facts["sheet"])
        show_picture(bpy.context, Path(str(facts["sheet"])), SHEET)
        return session.Outcome(True, [line for line in lines_of(facts) if line not in written])


CLASSES = (FACECAP_OT_save_actor, FACECAP_OT_calibrate)
