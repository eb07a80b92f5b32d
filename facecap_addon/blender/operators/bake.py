"""Bake: put the latest take on the character again, with other settings, without solving."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
from .. import session
from .base import FacecapOperator


class FACECAP_OT_bake(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.bake"
    bl_label = "Bake"
    bl_description = "Key the solved take on the character again, with the settings above; nothing is solved anew"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session.job is not None:
            cls.poll_message_set("A solve is running")
            return False
        if not context.scene.facecap.result.take:
            cls.poll_message_set("Solve first")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        session.outcome = session.Outcome(True, bake_result(context.scene, context.scene.facecap.character))
        return {"FINISHED"}


def bake_result(scene: bpy.types.Scene, character: bpy.types.Object | None) -> list[str]:
    """Key the scene's take on a character; returns what to tell the user. Raises FacecapError."""
    from ...takes.npz import load_take
    from ..scene.bake import BakeSettings, apply_take
    from ..scene.footage import scene_rate

    settings = scene.facecap
    if character is None:
        raise FacecapError("There is no character to key.", "Pick the mesh that was solved, and bake.")
    take = load_take(Path(bpy.path.abspath(settings.result.take)))
    settings.result.not_observed = "\n".join(take.not_observed)
    bake = settings.bake
    wanted = BakeSettings(
        mode=bake.mode,
        influence=bake.influence if bake.mode == "mix" else 1.0,
        gain=bake.gain,
        head=bake.head,
        head_location=bake.head_location,
        armature=bake.armature.name if bake.armature else "",
        bone=bake.bone,
        start_frame=settings.start_frame,
    )
    report = apply_take(character, take, wanted, scene=scene)
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    lines = [f"{len(report.keyed)} shape keys keyed over {int(take.solved.sum())} frames"]
    if report.unknown:
        lines.append(f"No shape key for {', '.join(report.unknown[:4])}{' …' if len(report.unknown) > 4 else ''}")
    if report.locked:
        lines.append(f"Locked curves left as they were: {', '.join(report.locked[:4])}")
    last = settings.start_frame + float(take.time_s[-1]) * scene_rate(scene)
    if last > scene.frame_end + 1:
        lines.append(f"The take ends at frame {last:.0f}, after the scene's range; Match Scene sets it")
    return lines + report.remarks


CLASSES = (FACECAP_OT_bake,)
