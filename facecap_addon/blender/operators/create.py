"""Create: shape keys for a head that has none, expressions that nobody performed, and motion for any mesh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...errors import FacecapError
from ...jobs.settings.generate import GenerateSettings
from ...jobs.settings.retarget import RetargetSettings
from ...jobs.settings.shape_keys import ShapeKeysSettings
from ...json_types import Decoded
from ...settings_schema import from_json
from .. import session
from ..paths import work_folder
from ..present import scene_in, settings_in, settings_of
from ..properties.derive import values_of
from ..takes import add_take, still_baked, take_file
from .base import FacecapOperator, OperatorReturn
from .job_operator import JobOperator, lines_of
from .refine import show_picture
from .solve import write_rig
from .take.bake import bake_take

if TYPE_CHECKING:
    from ..properties.create import FACECAP_PG_generate
    from ..scene.animation.curves import Animated

SHEET = "FaceCap shape keys"
NAME_LENGTH = 40


class FACECAP_OT_make_keys(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.make_keys"
    bl_label = "Make Shape Keys"
    bl_description = "Give the character the 52 ARKit shape keys, transferred from FaceCap's own head"

    use_label = "Add Keys"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """Keys for the scene's character. Raises FacecapError."""
        character = _character(context)
        out = work_folder("shape keys")
        request: dict[str, Any] = values_of(settings_in(context).keys, ShapeKeysSettings)
        request |= {"character": str(exported(character, out)), "out": str(out), "blend": False}
        return cls.describe(context, "shape-keys", from_json(ShapeKeysSettings, request), character)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        from ...rig.blendshapes import load_rig
        from ..scene.head.shape_keys import write_shape_keys

        added = write_shape_keys(_given(character), load_rig(Path(str(facts["rig"]))))
        mended = [line for line in lines_of(facts) if " off by " in line]
        show_picture(bpy.context, Path(str(facts["sheet"])), SHEET)
        return session.Outcome(True, [f"{len(added)} shape keys added", *mended])


class FACECAP_OT_generate(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.generate"
    bl_label = "Generate"
    bl_description = "Animate the character with an invented expression"

    makes_take = True

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """An expression for the scene's character. Raises FacecapError."""
        character = _character(context)
        out = work_folder("generated")
        chosen = settings_in(context).generate
        request: dict[str, Any] = values_of(chosen, GenerateSettings)
        request |= {"expressions": ",".join(expressions_of(chosen)), "out": str(out)}
        request |= {"character": str(exported(character, out)), "blend": False}
        if settings_in(context).bake.mode == "mix":  # an expression is added to what is there: the eyes stay hers
            request |= {"blinks": False, "gaze": False}
        what = ", ".join(expressions_of(chosen))
        return cls.describe(context, "generate", from_json(GenerateSettings, request), character, what)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        from ...takes.npz import load_take

        obj = _given(character)
        if facts.get("take"):
            path = Path(str(facts["take"]))
            # What was solved is still what Bake Again bakes.
            add_take(scene, path, load_take(path), "generated", choose=False)
            before = settings_of(scene).bake.head
            settings_of(scene).bake.head = before if settings_of(scene).generate.head else "none"
            try:
                lines, animated = bake_take(scene, obj, path)
            finally:
                settings_of(scene).bake.head = before
            if settings_of(scene).generate.loop:
                _loop(animated)
            if settings_of(scene).generate.as_strip:
                _as_strips(animated, Path(str(facts["take"])).name.removesuffix(".take.npz"))
        else:
            lines = _play(scene, obj, Path(str(facts["points"])), 25.0)
        return session.Outcome(True, lines + lines_of(facts)[:2] + still_baked(scene, facts.get("take")))

    @classmethod
    def keep(cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene) -> None:
        from ...takes.npz import load_take

        if not facts.get("take"):
            raise FacecapError("What was generated moves points and is no take.", "Bake plays it on the mesh.")
        path = Path(str(facts["take"]))
        add_take(scene, path, load_take(path), "generated", choose=False)


class FACECAP_OT_retarget(JobOperator, bpy.types.Operator):
    bl_idname = "facecap.retarget"
    bl_label = "Move Selected Mesh"
    bl_description = "Let the active mesh follow the landmarks of the take; it needs no shape keys"

    needs_take, use_label = "Solve or generate first", "Play"

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """What the active mesh shall follow. Raises FacecapError."""
        settings = settings_in(context)
        target = context.object
        if target is None or target.type != "MESH":
            raise FacecapError("No mesh is active.", "Select the mesh that shall follow.")
        if settings.character is None:
            raise FacecapError("There is no character that the take belongs to.", "Pick the mesh that was solved.")
        out = work_folder("retargeted")
        request: dict[str, Any] = values_of(settings.retarget, RetargetSettings)
        motion = str(take_file(settings.result))
        request |= {"motion": motion, "out": str(out), "blend": False}
        request |= {"source": str(exported(settings.character, out)), "character": str(exported(target, out))}
        return cls.describe(context, "retarget", from_json(RetargetSettings, request), target)

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        lines = _play(scene, _given(character), Path(str(facts["points"])), float(str(facts["fps"])))
        return session.Outcome(True, lines + lines_of(facts)[1:-1])


class FACECAP_OT_follow_empties(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.follow_empties"
    bl_label = "Follow Selected Empties"
    bl_description = (
        "Let the active mesh follow the selected empties over the scene's frames; each moves the part of the mesh "
        "that it is nearest to in the first frame"
    )
    bl_options = {"UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...takes.names import find_free_path
        from ..scene.head.empties import follow_empties

        target = context.object
        if target is None or target.type != "MESH":
            raise FacecapError("No mesh is active.", "Select the empties, then the mesh that shall follow.")
        empties = [obj for obj in context.selected_objects if obj.type == "EMPTY"]
        path = find_free_path(
            work_folder("retargeted") / f"{bpy.path.clean_name(target.name)[:NAME_LENGTH]}.empties.pc2"
        )
        lines = follow_empties(scene_in(context), target, empties, path)
        session.outcome = session.Outcome(True, lines)
        self.report({"INFO"}, lines[0])
        return {"FINISHED"}


def expressions_of(chosen: FACECAP_PG_generate) -> list[str]:
    """What is to be shown: the expression chosen, or the chain that is written down."""
    if chosen.use_chain:
        return [part.strip().lower() for part in chosen.chain.split(",") if part.strip()]
    return [chosen.expression]


def _character(context: bpy.types.Context) -> bpy.types.Object:
    character = settings_in(context).character
    if character is None:
        raise FacecapError("No character was chosen.", "Pick the mesh of the head.")
    return character


def _given(character: bpy.types.Object | None) -> bpy.types.Object:
    if character is None:
        raise FacecapError("There is no mesh to put it on.", "Pick a character.")
    return character


def exported(obj: bpy.types.Object, folder: Path) -> Path:
    """The mesh as a rig file for the worker."""
    from ..scene.head.character import extract_rig

    # Cut short, and with a number of its own: names may be long, and alike once they are clean.
    name = f"{bpy.path.clean_name(obj.name)[:NAME_LENGTH]}.{getattr(obj, 'session_uid', 0)}"
    return write_rig(extract_rig(obj, bare=True), folder, name)


def _play(scene: bpy.types.Scene, obj: bpy.types.Object, points: Path, fps: float) -> list[str]:
    from ..scene.animation.point_cache import play_cache

    start = settings_of(scene).start_frame
    target = points.with_suffix(".playing.pc2")
    frames = play_cache(obj, points, target, fps=fps, start_frame=start, scene=scene)
    return [f"{len(frames)} frames as a point cache: {target.name}"]


def _loop(animated: list[Animated]) -> None:
    from ..scene.animation.nla import cycle

    for datablock in animated:
        cycle(datablock)


def _as_strips(animated: list[Animated], name: str) -> None:
    from ..scene.animation.layer import lay_down

    for datablock in dict.fromkeys(animated):
        lay_down(datablock, name)


CLASSES = (FACECAP_OT_make_keys, FACECAP_OT_generate, FACECAP_OT_retarget, FACECAP_OT_follow_empties)
