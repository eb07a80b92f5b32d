"""Solve: what is asked of it, and what becomes of its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...errors import FacecapError
from ...jobs.settings.solve import SolveSettings
from ...jobs.steps.results.result import SolveResult
from ...json_types import Decoded
from ...settings_schema import from_json
from .. import session
from ..corrections import write_corrections
from ..paths import job_folder
from ..present import scene_in, settings_in, settings_of
from ..properties.derive import values_of
from ..scene.objects import key_blocks_of
from ..solved_take import remember
from ..takes import made_from, take_file
from ..torch_there import what_torch_lacks
from ..translations import phrase
from .footage import footage_path, sequence_rate
from .job_operator import JobOperator
from .take.bake import bake_result

if TYPE_CHECKING:
    from ...rig.blendshapes import BlendshapeRig
    from ..properties.settings import FACECAP_PG_scene

RIG_NAME = "character.rig.npz"


class FootageJobOperator(JobOperator):
    """A job on the scene's footage and character."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        lacking = what_a_solve_lacks(context)
        if lacking:
            cls.poll_message_set(lacking)
            return False
        return super().poll(context)


class TakeOperator(JobOperator):
    """What a take comes of, which becomes the scene's and is baked."""

    makes_take = True
    kind = "solved"
    """What became of the take."""

    @classmethod
    def make_ready(cls, job: session.Job) -> None:
        """A range goes into the take as it is now: a job before this one may have solved another range of it."""
        from ...rig.blendshapes import load_rig

        scene = job.scene.find(bpy.data.scenes) if job.is_here else None
        if scene is not None and job.settings.get("into"):
            rig = load_rig(Path(str(job.settings["character"])))
            into = take_to_merge_into(settings_of(scene), Path(str(job.settings["video"])), rig)
            job.settings["into"] = str(into or job.settings["into"])

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        remember(scene, SolveResult.from_json(facts), cls.kind)
        lines = bake_result(scene, character)
        return session.Outcome(True, lines, settings_of(scene).result.take)

    @classmethod
    def keep(cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene) -> None:
        remember(scene, SolveResult.from_json(facts), cls.kind, choose=False)


class FACECAP_OT_solve(TakeOperator, FootageJobOperator, bpy.types.Operator):
    bl_idname = "facecap.solve"
    bl_label = "Solve"
    bl_description = "Animate the character from the footage, while you go on working"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """A solve of the present scene. Raises FacecapError."""
        asked = solve_settings(context)
        return cls.describe(context, "solve", asked, settings_in(context).character, asked.video.name)


def what_a_solve_lacks(context: bpy.types.Context) -> str:
    """What has to be chosen before a solve can start; "" if everything is there."""
    settings = settings_in(context)
    if not settings.video:
        return phrase("No footage was chosen: import a video of a face first")
    if settings.character is None:
        return phrase("No character was chosen: pick the mesh that has the facial shape keys")
    if len(key_blocks_of(settings.character)) < 2 and settings.character.find_armature() is None:
        return phrase("The character has no shape keys yet: Make Shape Keys gives it some")
    return what_torch_lacks() if settings.solve.method == "deep" else ""


def solve_settings(context: bpy.types.Context) -> SolveSettings:
    """What a solve of the present scene is asked for; character and corrections are written for it.

    Raises FacecapError.
    """
    from ..scene.animation.action import check_animatable
    from ..scene.head.character import extract_rig

    settings = settings_in(context)
    video = footage_path(context)
    character = character_with_keys(settings)
    rig = extract_rig(character)
    check_animatable(character)
    folder = job_folder(video)
    rig_path = write_rig(rig, folder, "character")
    request = values_of(settings.solve, SolveSettings)
    request |= {"video": video, "out": folder, "character": str(rig_path), "blend": False}
    if settings.solve.actor_file:
        request["actor"] = bpy.path.abspath(settings.solve.actor_file)
    request |= shown_part(settings)
    if settings.use_trim:
        into = take_to_merge_into(settings, video, rig) if request.get("merge") else None
        request |= {"merge": False} if into is None else {"into": into}
    if request["method"] == "landmarks":  # what frames should look like stays so in a new solve, too
        request["corrections"] = write_corrections(scene_in(context), folder, video.stem)
        if request["corrections"] is not None and not settings.use_trim:
            request["merge"] = False
    request = {name: str(value) if isinstance(value, Path) else value for name, value in request.items()}
    return from_json(SolveSettings, request)


def character_with_keys(settings: FACECAP_PG_scene) -> bpy.types.Object:
    """The chosen character. Raises FacecapError if there is none."""
    if settings.character is None:
        raise FacecapError("No character was chosen.", "Pick the mesh that has the facial shape keys.")
    return settings.character


def shown_part(settings: FACECAP_PG_scene) -> dict[str, Any]:
    """Rate, trim and sides of the scene's footage, as jobs are asked for them."""
    trim = {"start": str(settings.trim_start), "end": str(settings.trim_end)} if settings.use_trim else {}
    return {"fps": sequence_rate(settings), "mirror": settings.solve.mirror, **trim}


def write_rig(rig: BlendshapeRig, folder: Path, name: str) -> Path:
    """Write a mesh for the worker; its file says what it holds, for what was made of it stays tied to it."""
    from ...atomic_file import atomic_path
    from ...jobs.steps.character import rig_key
    from ...rig.blendshapes import save_rig

    path = folder / f"{name}.{rig_key(rig)[:8]}.rig.npz"
    with atomic_path(path) as temporary:
        save_rig(temporary, rig)
    return path


def take_to_merge_into(settings: FACECAP_PG_scene, video: Path, rig: BlendshapeRig) -> Path | None:
    """The scene's take, if it is one of this footage and this character; a filtered one is merged into unfiltered."""
    from ...jobs.settings.filter import ENDING
    from ...jobs.steps.results.provenance import origin_in
    from ...takes.names import Origin
    from ...takes.npz import load_take

    try:
        path = made_from(take_file(settings.result), ENDING, "filtered")
        take = load_take(path)
    except FacecapError:
        return None
    origin = origin_in(take)
    same = origin is not None and Origin(str(video.resolve()), "-").is_same(origin)
    return path if same and take.channels == rig.channels and "settings" in take.provenance else None


CLASSES = (FACECAP_OT_solve,)
