"""Choose the character, or bring in the sample head."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...errors import FacecapError
from ..present import scene_in, settings_in, view_layer_in
from ..scene.editors import open_editors
from ..scene.objects import keys_of
from .base import FacecapOperator, OperatorReturn


class FACECAP_OT_use_active(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.use_active"
    bl_label = "Use Selected Mesh"
    bl_description = "Make the active object the character"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.object is not None and context.object.type == "MESH"

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ..scene.head.character import character_notes, checked_mesh

        character = context.object
        if character is None:
            raise FacecapError("No object is active.", "Select the mesh of the head.")
        mesh = checked_mesh(character, bare=True)  # a head without keys can get some: Make Shape Keys
        settings_in(context).character = character
        if mesh.shape_keys is None or len(mesh.shape_keys.key_blocks) < 2:
            self.report({"INFO"}, "It has no shape keys yet: Make Shape Keys gives it the 52 of ARKit")
            return {"FINISHED"}
        for note in character_notes(character):
            self.report({"INFO"}, note)
        return {"FINISHED"}


class FACECAP_OT_add_sample_head(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.add_sample_head"
    bl_label = "Add Sample Head"
    bl_description = "Bring in FaceCap's own head with the 52 ARKit shape keys, and make it the character"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        path = Path(__file__).resolve().parents[3] / "sample_scenes" / "head.blend"
        if not path.is_file():
            raise FacecapError("The sample head is not part of this installation.", "Install FaceCap from its zip.")
        with bpy.data.libraries.load(str(path), link=False) as (inside, wanted):  # pyright: ignore[reportGeneralTypeIssues]  stub
            wanted.objects = list(inside.objects)
        added = [obj for obj in wanted.objects if obj is not None]
        collection = context.collection or scene_in(context).collection
        for obj in added:
            collection.objects.link(obj)
        head = next(obj for obj in added if keys_of(obj) is not None)
        _set_beside(context, added)
        _show_colors()
        if context.mode == "OBJECT":
            bpy.ops.object.select_all(action="DESELECT")
            head.select_set(True)
            view_layer_in(context).objects.active = head
            _look_at_selected(context)
        settings_in(context).character = head
        return {"FINISHED"}


def _set_beside(context: bpy.types.Context, added: list[bpy.types.Object]) -> None:
    """Move what was added to where nothing else is."""
    from mathutils import Matrix

    from ..scene.placing import box_of, way_to_a_free_place

    view_layer_in(context).update()
    low, high = box_of(obj for obj in added if obj.type == "MESH")
    shift = way_to_a_free_place(scene_in(context), low, high, ours=added)
    for obj in added:
        if obj.parent is None:
            obj.matrix_world = Matrix.Translation((shift, 0.0, 0.0)) @ obj.matrix_world


def _look_at_selected(context: bpy.types.Context) -> None:
    """Turn the view that the button stands in to what is selected: a head is small beside Blender's cube."""
    area = context.area
    if area is None or area.type != "VIEW_3D":
        return
    region = next((region for region in area.regions if region.type == "WINDOW"), None)
    if region is not None:
        with context.temp_override(area=area, region=region):
            bpy.ops.view3d.view_selected()


def _show_colors() -> None:
    """Let solid views show the head's painted colours: without them its eyes are blank."""
    for view in open_editors(bpy.types.SpaceView3D):
        if view.shading.color_type == "MATERIAL":
            view.shading.color_type = "VERTEX"


CLASSES = (FACECAP_OT_use_active, FACECAP_OT_add_sample_head)
