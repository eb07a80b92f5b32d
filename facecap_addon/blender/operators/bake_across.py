"""A face's animation from bones to shape keys, and back."""

from __future__ import annotations

import bpy

from ...errors import FacecapError
from .. import session
from ..present import scene_in, settings_in
from ..translations import phrase
from .base import FacecapOperator, OperatorReturn


class FACECAP_OT_bake_to_keys(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.bake_to_keys"
    bl_label = "Bake to Keys"
    bl_description = (
        "Make a copy of the character's head that does by shape keys what its bones do over the scene's frames; the "
        "character stays as it is"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        character = settings_in(context).character
        if character is None or character.find_armature() is None:
            cls.poll_message_set("First choose a character whose face bones move")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..scene.animation.bake_across import bake_to_keys

        character, scene = settings_in(context).character, scene_in(context)
        assert character is not None
        baked = bake_to_keys(character, range(scene.frame_start, scene.frame_end + 1), scene)
        lines = [
            phrase("“{name}” has {count} shape keys, keyed", name=baked.obj.name, count=len(baked.report.keyed)),
            phrase("{mm:.2f} mm of the motion are not in them", mm=baked.rms_mm),
        ]
        session.outcome = session.Outcome(True, lines + baked.report.remarks)
        return {"FINISHED"}


class FACECAP_OT_bake_to_controls(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.bake_to_controls"
    bl_label = "Bake to Controls"
    bl_description = (
        "Key the character's controls so that its face moves as the selected mesh does over the scene's frames; both "
        "have the same vertices"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        character, source = settings_in(context).character, context.object
        if character is None or source is None or source == character or source.type != "MESH":
            cls.poll_message_set("First choose a character, and select the mesh whose motion it shall take")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..scene.animation.bake_across import bake_to_controls

        character, source, scene = settings_in(context).character, context.object, scene_in(context)
        if character is None or source is None:
            raise FacecapError("There is no character, or nothing is selected.", "Choose both.")
        baked = bake_to_controls(character, source, range(scene.frame_start, scene.frame_end + 1), scene)
        lines = [
            phrase("{count} controls follow “{name}”", count=len(baked.report.controls), name=source.name),
            phrase("{mm:.2f} mm of the motion are not in them", mm=baked.rms_mm),
        ]
        session.outcome = session.Outcome(True, lines + baked.report.remarks)
        return {"FINISHED"}


CLASSES = (FACECAP_OT_bake_to_keys, FACECAP_OT_bake_to_controls)
