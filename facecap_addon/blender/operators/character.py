"""Choose the character, or bring in the sample head."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
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


class FACECAP_OT_add_sample_head(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.add_sample_head"
    bl_label = "Add Sample Head"
    bl_description = "Bring in FaceCap's own head with the 52 ARKit shape keys, and make it the character"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        path = Path(__file__).resolve().parents[3] / "sample_scenes" / "head.blend"
        if not path.is_file():
            raise FacecapError("The sample head is not part of this installation.", "Install FaceCap from its zip.")
        with bpy.data.libraries.load(str(path), link=False) as (inside, wanted):
            wanted.objects = list(inside.objects)
        added = [obj for obj in wanted.objects if obj is not None]
        for obj in added:
            context.collection.objects.link(obj)
        head = next(obj for obj in added if obj.type == "MESH" and obj.data.shape_keys is not None)
        if context.mode == "OBJECT":
            bpy.ops.object.select_all(action="DESELECT")
            head.select_set(True)
            context.view_layer.objects.active = head
        context.scene.facecap.character = head
        return {"FINISHED"}


CLASSES = (FACECAP_OT_use_active, FACECAP_OT_add_sample_head)
