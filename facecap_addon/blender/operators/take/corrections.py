"""Put a frame right: its landmarks, or its pose; solve again what is around; and go through the list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ....errors import FacecapError
from ....jobs.settings.solve import SolveSettings
from ....jobs.steps.results.result import SolveResult
from ....json_types import Decoded
from ... import session
from ...corrections import (
    before_edits,
    correction_of,
    corrections_in,
    eye_distance,
    find_entry,
    landmarks_at,
    layout_in,
    move_landmarks,
    put_correction,
    row_of,
    take_of,
    write_corrections,
)
from ...edits import edited
from ...present import scene_in, settings_in, settings_of
from ...properties.corrections import GRIPS
from ...properties.declare import EnumProperty, FloatVectorProperty, IntProperty, with_properties
from ...scene.footage import frame_of_time
from ...scene.objects import key_blocks_of, keys_of
from ...solved_take import remember
from ...takes import home_folder, kept_path, take_file
from ..base import FacecapOperator, OperatorReturn, TakeNeeded
from ..learn import SetOperator
from ..solve import FootageJobOperator, TakeOperator, character_with_keys, solve_settings, take_to_merge_into
from .bake import bake_spans

if TYPE_CHECKING:
    from ....takes.take import Take

_SAME_WEIGHT = 2e-3
ACTOR_ENDING = ".actor.json"


NEEDS_TAKE = "Solve first: corrections are of a take"


@with_properties()
class FACECAP_OT_move_landmarks(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.move_landmarks"
    bl_label = "Move Landmarks"
    bl_description = "Move landmarks of a frame to where they should have been seen; Correct Landmarks does it by hand"
    bl_options = {"UNDO", "INTERNAL"}
    needs_take = NEEDS_TAKE

    frame: int = IntProperty(name="Frame", description="Scene frame; -1 is the present one", default=-1)
    grip: str = EnumProperty(name="Drag", items=GRIPS)
    landmark: int = IntProperty(name="Landmark", description="Number of the landmark that is dragged", min=0)
    offset: tuple[float, float] = FloatVectorProperty(
        name="Offset", description="Pixels of the footage, to the right and down", size=2
    )

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        import numpy as np

        from ....landmarks.grips import drag, grip_with

        scene = scene_in(context)
        take = take_of(scene)
        row = row_of(scene, take, scene.frame_current if self.frame == -1 else self.frame)
        points, layout = landmarks_at(scene, take, row), layout_in(take)
        try:
            grip = grip_with(layout, self.grip.replace("_", " "), self.landmark)
        except ValueError as error:
            raise FacecapError(f"There is nothing to drag: {error}.", "Choose another landmark.") from error
        radius = settings_of(scene).corrections.radius / 100 * eye_distance(layout, points)
        moved, offsets = drag(points, grip, self.landmark, np.array(self.offset, np.float64), radius)
        move_landmarks(scene, take, row, moved, offsets)
        session.redraw(viewport=True)
        return {"FINISHED"}


class FACECAP_OT_keep_pose(TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.keep_pose"
    bl_label = "Keep This Pose"
    bl_description = (
        "Keep the shape keys that differ from the keys of this frame as a correction: Re-Solve Range reaches it exactly"
    )
    bl_options = {"REGISTER", "UNDO"}
    needs_take = NEEDS_TAKE

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ....fit.actor.channel_gains import seen_in
        from ....takes.corrections import Correction

        scene, settings = scene_in(context), settings_in(context)
        character = character_with_keys(settings)
        take = take_of(scene)
        row = row_of(scene, take, scene.frame_current_final)
        shown = edited(scene, take, character)
        if shown.time_s is not take.time_s:
            raise FacecapError("An edit retimes the take.", "Mute it, then keep the pose.")
        changed = _changed_weights(character, take, shown, row, scene.frame_current_final, settings.bake.gain)
        pose = before_edits(scene, character, take, row, changed) if changed and shown is not take else changed
        time_s = float(take.time_s[row])
        before = find_entry(scene, time_s, pose=True)
        seen = seen_in(take, row, pose)
        if before is not None:
            known = correction_of(before)
            pose, seen = {**known.pose, **pose}, {**seen, **known.seen}
        if not pose:
            raise FacecapError(
                "No shape key differs from its keys on this frame.", "Set the shape keys as they should be, then keep."
            )
        put_correction(scene, Correction(time_s, pose=pose, reach_s=settings.corrections.reach_s, seen=seen))
        names = ", ".join(sorted(pose)[:4]) + (" …" if len(pose) > 4 else "")
        session.outcome = session.Outcome(True, [f"Kept {names} of frame {scene.frame_current}"])
        return {"FINISHED"}


def _changed_weights(
    character: bpy.types.Object, take: Take, shown: Take, row: int, frame: float, gain: float
) -> dict[str, float]:
    """Weights of shape keys that were set otherwise than they are keyed, without the gain of the bake.

    Args:
        shown: the take with the scene's edits, which may be shown without being baked.
    """
    from ...scene.animation.curves import curves_of, present_action

    keys = keys_of(character)
    keyed: dict[str, float] = {}
    has_action = keys is not None and present_action(keys) is not None  # strips of the NLA may play the take without
    if keys is not None and has_action:
        paths = {f'key_blocks["{bpy.utils.escape_identifier(b.name)}"].value': b.name for b in keys.key_blocks}
        keyed = {paths[c.data_path]: c.evaluate(frame) for c in curves_of(keys) if c.data_path in paths}
    found = {}
    for block in key_blocks_of(character)[1:]:
        was = min(max(keyed.get(block.name, 0.0), block.slider_min), block.slider_max)
        if block.name not in take.channels or abs(block.value - was) <= _SAME_WEIGHT:
            continue
        edit = gain * float(shown.weights[row, take.channels.index(block.name)])
        if (shown is take and has_action) or abs(
            block.value - min(max(edit, block.slider_min), block.slider_max)
        ) > _SAME_WEIGHT:
            found[block.name] = block.value / gain if gain > 0 else block.value
    return found


class FACECAP_OT_solve_range(TakeOperator, FootageJobOperator, bpy.types.Operator):
    bl_idname = "facecap.solve_range"
    bl_label = "Re-Solve Range"
    bl_description = "Solve again around the corrected frames, which are reached exactly; all other keys stay"
    needs_take = NEEDS_TAKE

    @classmethod
    def new_job(cls, context: bpy.types.Context) -> session.Job:
        """A solve around the scene's corrections. Raises FacecapError."""
        asked = range_settings(context)
        return cls.describe(context, "solve", asked, settings_in(context).character, f"of {asked.video.name}")

    @classmethod
    def apply(
        cls, job: session.Job, facts: Decoded, scene: bpy.types.Scene, character: bpy.types.Object | None
    ) -> session.Outcome:
        if character is None:
            raise FacecapError("There is no character to key.", "Pick the mesh that was solved.")
        remember(scene, SolveResult.from_json(facts), cls.kind)
        return session.Outcome(True, bake_spans(scene, character), settings_of(scene).result.take)


def range_settings(context: bpy.types.Context) -> SolveSettings:
    """A solve of what corrections change in the scene's take; they are written for the worker. Raises FacecapError."""
    from dataclasses import replace

    from ....rig.blendshapes import load_rig
    from ....takes.corrections import corrections_of

    scene = scene_in(context)
    asked = solve_settings(context)
    into = take_to_merge_into(settings_of(scene), asked.video, load_rig(Path(str(asked.character))))
    if into is None:
        raise FacecapError(
            "The chosen take was not solved from this footage on this character.",
            "Choose a take of it under Result, or solve the clip first.",
        )
    if not corrections_in(scene) and not corrections_of(take_of(scene)):
        raise FacecapError("No frame was corrected.", "Correct landmarks or keep a pose, then solve again around it.")
    method = "landmarks" if asked.method == "deep" else asked.method
    path = write_corrections(scene, asked.out, asked.video.stem, empty=True)
    return replace(asked, into=into, merge=True, start=None, end=None, corrections=path, method=method)


class CorrectionNeeded(FacecapOperator):
    """Mixin: an operator on the correction that is chosen in the list."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        listed = settings_in(context).corrections
        if not 0 <= listed.active < len(listed.frames):
            cls.poll_message_set("There is no correction yet")
            return False
        return True


class FACECAP_OT_delete_correction(CorrectionNeeded, bpy.types.Operator):
    bl_idname = "facecap.delete_correction"
    bl_label = "Delete Correction"
    bl_description = "Delete the chosen correction; Re-Solve Range then brings back what the footage shows"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        listed = settings_in(context).corrections
        listed.frames.remove(listed.active)
        listed.active = max(0, min(listed.active, len(listed.frames) - 1))
        session.redraw(viewport=True)
        return {"FINISHED"}


class FACECAP_OT_copy_correction(CorrectionNeeded, bpy.types.Operator):
    bl_idname = "facecap.copy_correction"
    bl_label = "Copy to Current Frame"
    bl_description = "Correct the current frame in the same way"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from dataclasses import replace

        from ....fit.actor.channel_gains import seen_in

        scene, listed = scene_in(context), settings_in(context).corrections
        take = take_of(scene)
        row = row_of(scene, take, scene.frame_current_final)
        one = correction_of(listed.frames[listed.active])
        seen = seen_in(take, row, one.pose)
        put_correction(scene, replace(one, time_s=float(take.time_s[row]), seen=seen))
        session.redraw(viewport=True)
        return {"FINISHED"}


class FACECAP_OT_go_to_correction(CorrectionNeeded, bpy.types.Operator):
    bl_idname = "facecap.go_to_correction"
    bl_label = "Go to Frame"
    bl_description = "Go to the frame of the chosen correction"

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        scene, listed = scene_in(context), settings_in(context).corrections
        scene.frame_set(round(frame_of_time(scene, listed.frames[listed.active].time_s)))
        return {"FINISHED"}


class FACECAP_OT_teach_actor(CorrectionNeeded, bpy.types.Operator):
    bl_idname = "facecap.teach_actor"
    bl_label = "Send to Actor"
    bl_description = (
        "Let the actor learn from corrected poses how far each of her channels goes; later solves use what was learned"
    )
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from dataclasses import replace

        from ....fit.actor.channel_gains import learn_from_corrections
        from ....takes.actor import load_actor, save_actor
        from ....takes.corrections import seen_and_wanted
        from ....takes.names import find_free_path

        scene = scene_in(context)
        settings = settings_of(scene)
        pairs = seen_and_wanted(corrections_in(scene))
        if not pairs:
            raise FacecapError(
                "There is no corrected pose to learn from.", "Set shape keys on some frames and press Keep This Pose."
            )
        file = Path(bpy.path.abspath(settings.solve.actor_file)) if settings.solve.actor_file else None
        known = file is not None and file.suffix.lower() == ".json"
        actor = load_actor(file) if file is not None and known else take_of(scene).actor
        if actor is None:
            raise FacecapError("The take does not know its actor.", "Solve again.")
        gains = learn_from_corrections(actor.gains, pairs)
        changed = sorted(name for name, gain in gains.items() if gain != actor.gains.get(name))
        # Her former file stays: undo goes back to it.
        stem = Path(bpy.path.abspath(settings.result.take)).name.removesuffix(".take.npz")
        wished = file if file is not None and known else home_folder(settings.result) / f"{stem}{ACTOR_ENDING}"
        path = find_free_path(wished, ACTOR_ENDING)
        save_actor(path, replace(actor, gains=gains))
        settings.solve.actor_file = kept_path(path)
        said = [f"{name} ×{gains[name].gain:.2f}" for name in changed[:4]]
        session.outcome = session.Outcome(
            True,
            [f"Learned {', '.join(said) or 'nothing new'}{' …' if len(changed) > 4 else ''}", f"Saved {path.name}"],
        )
        return {"FINISHED"}


class FACECAP_OT_send_to_set(SetOperator, bpy.types.Operator):
    bl_idname = "facecap.send_to_set"
    bl_label = "Send to Training Set"
    bl_description = "Add the corrected take and its footage to the training set, as a shot of its own"

    needs_take = "Solve first, and correct what is wrong"

    @classmethod
    def asked(cls, context: bpy.types.Context, folder: Path) -> dict[str, Any]:
        """The scene's take, if its corrections are in it. Raises FacecapError."""
        from ....takes.corrections import about_frames, changed_spans, corrections_of

        scene = scene_in(context)
        take = take_of(scene)
        known, listed = corrections_of(take), about_frames(corrections_in(scene), take.time_s)
        if not known or changed_spans(known, listed):
            raise FacecapError(
                "The chosen take does not have all corrections of the list.", "Press Re-Solve Range, then send it."
            )
        return {"take": str(take_file(settings_in(context).result))}


CLASSES = (
    FACECAP_OT_move_landmarks,
    FACECAP_OT_keep_pose,
    FACECAP_OT_solve_range,
    FACECAP_OT_delete_correction,
    FACECAP_OT_copy_correction,
    FACECAP_OT_go_to_correction,
    FACECAP_OT_teach_actor,
    FACECAP_OT_send_to_set,
)
