"""Choose the character."""

from __future__ import annotations

import bpy

from .base import FacecapOperator


class FACECAP_OT_use_active(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.use_active"
    bl_label = "Use Selected Mesh"
    bl_description = "Make the active object the character"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.object is not None and context.object.type == "MESH"

    def run(self, context: bpy.types.Context) -> set[str]:
        from ..scene.character import character_notes, checked_mesh

        checked_mesh(context.object)
        context.scene.facecap.character = context.object
        for note in character_notes(context.object):
            self.report({"INFO"}, note)
        return {"FINISHED"}


CLASSES = (FACECAP_OT_use_active,)
